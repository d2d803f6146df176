// SPDX-License-Identifier: MIT
#include "terminal.hpp"

#include "text.hpp"

#include <satchel/error.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace satchel::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);
/// A column that gives way keeps so much.
constexpr std::size_t kLeast = 8;

winsize window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

}  // namespace

Terminal::Terminal() : terminal_{::isatty(STDOUT_FILENO) == 1} {
  const char* none = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view{kind} == "dumb";
  colours_ = terminal_ && !dumb && (none == nullptr || *none == '\0');
}

// A serial line tells no size: then it is the size that terminals have had for ever.
std::size_t Terminal::columns() const {
  if (!terminal_) return 0;
  const winsize size = window();
  return size.ws_col == 0 ? 80 : size.ws_col;
}

std::size_t Terminal::rows() const {
  if (!terminal_) return 0;
  const winsize size = window();
  return size.ws_row == 0 ? 24 : size.ws_row;
}

std::string_view Terminal::on(Look look) const {
  if (!colours_) return {};
  switch (look) {
    case Look::plain:
      return {};
    case Look::head:
      return "\x1b[1m";
    case Look::good:
      return "\x1b[32m";
    case Look::warn:
      return "\x1b[33m";
    case Look::bad:
      return "\x1b[1;31m";
    case Look::faint:
      return "\x1b[2m";
  }
  return {};
}

std::string_view Terminal::off() const { return colours_ ? "\x1b[0m" : std::string_view{}; }

void Terminal::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw StorageError{"write the output", std::generic_category().message(errno),
                         "look where standard output goes", errno};
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Terminal::print(const Line& line) const { print(line, terminal_ ? columns() : kNoLimit); }

void Terminal::print_whole(const Line& line) const { print(line, kNoLimit); }

void Terminal::print(const Line& line, std::size_t left) const {
  std::string text;
  for (const Span& span : line) {
    const std::string piece = shortened(span.text, left);
    left -= length(piece);
    if (span.look == Look::plain || on(span.look).empty()) {
      text += piece;
    } else {
      text += std::string{on(span.look)} + piece + std::string{off()};
    }
  }
  write(text + "\n");
}

void Table::add(std::vector<Span> cells, std::string below) {
  rows_.push_back({std::move(cells), std::move(below)});
}

std::vector<std::size_t> Table::widths(std::size_t columns) const {
  std::vector<std::size_t> found;
  for (const std::string& title : head_) found.push_back(length(title));
  for (const Row& row : rows_) {
    for (std::size_t at = 0; at < row.cells.size(); ++at)
      found[at] = std::max(found[at], length(row.cells[at].text));
  }
  std::size_t total = kGap * (found.size() - 1);
  for (const std::size_t width : found) total += width;
  if (total > columns) {
    std::size_t& elastic = found[elastic_];
    elastic = std::max(std::min(kLeast, elastic), elastic - std::min(elastic, total - columns));
  }
  return found;
}

void Table::print(const Terminal& terminal) const {
  if (!terminal.is_terminal()) {
    for (const Row& row : rows_) {
      std::string text;
      for (const Span& cell : row.cells)
        text += (text.empty() && &cell == row.cells.data() ? "" : "\t") + cell.text;
      terminal.write(text + "\n");
    }
    return;
  }
  const std::vector<std::size_t> width = widths(terminal.columns());
  const auto padded = [&](const std::vector<Span>& cells) {
    Line line;
    for (std::size_t at = 0; at < cells.size(); ++at) {
      std::string text = shortened(cells[at].text, width[at]);
      if (at + 1 < cells.size()) text.append(width[at] + kGap - length(text), ' ');
      line.push_back({std::move(text), cells[at].look});
    }
    return line;
  };
  std::vector<Span> head;
  for (const std::string& title : head_) head.push_back({title, Look::head});
  terminal.print(padded(head));
  for (const Row& row : rows_) {
    terminal.print(padded(row.cells));
    if (!row.below.empty()) terminal.print({{"  " + row.below, Look::faint}});
  }
}

}  // namespace satchel::cli
