// SPDX-License-Identifier: MIT
#include "screen.hpp"

#include "signals.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace satchel::cli {

Screen::Row Screen::row_of(const Line& line, std::size_t columns) {
  Row row;
  for (const Span& span : line) {
    for (const char byte : span.text) {
      if (row.size() == columns) return row;
      const auto code = static_cast<unsigned char>(byte);
      if ((code & 0xC0U) == 0x80) continue;  // a character's further bytes
      row.push_back({code >= 0x20 && code < 0x7f ? byte : '?', span.look});
    }
  }
  row.resize(columns);
  return row;
}

void Screen::write_cells(std::string& to, const Row& row, std::size_t from, std::size_t end,
                         const Terminal& looks) {
  Look look = Look::plain;
  for (std::size_t at = from; at < end; ++at) {
    if (row[at].look != look) {
      to += looks.off();
      look = row[at].look;
      to += looks.on(look);
    }
    to += row[at].shown;
  }
  if (look != Look::plain) to += looks.off();
}

std::string Screen::draw(const std::vector<Line>& lines, std::size_t columns, std::size_t rows,
                         const Terminal& looks) {
  // A gap of unchanged cells is cheaper to write again than to jump over.
  constexpr std::size_t kJump = 8;
  std::string bytes;
  if (columns != columns_ || rows != shown_.size()) {
    columns_ = columns;
    shown_.assign(rows, Row(columns));
    bytes += "\x1b[0m\x1b[2J";
  }
  for (std::size_t y = 0; y < rows; ++y) {
    // The last cell of the last row would make the terminal scroll.
    const std::size_t width = y + 1 == rows ? columns - 1 : columns;
    const Row row = row_of(y < lines.size() ? lines[y] : Line{}, columns);
    for (std::size_t x = 0; x < width;) {
      if (row[x] == shown_[y][x]) {
        ++x;
        continue;
      }
      std::size_t end = x + 1;
      for (std::size_t at = end; at < width && at < end + kJump; ++at) {
        if (row[at] != shown_[y][at]) end = at + 1;
      }
      bytes += fmt::format("\x1b[{};{}H", y + 1, x + 1);
      write_cells(bytes, row, x, end, looks);
      x = end;
    }
    shown_[y] = row;
  }
  return bytes;
}

namespace {

/// Keys come one by one and are not shown, and the cursor is hidden, until the object goes.
class RawTerminal {
 public:
  explicit RawTerminal(const Terminal& out) : out_{out}, keyboard_{::tcgetattr(STDIN_FILENO, &before_) == 0} {
    if (keyboard_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    out_.write("\x1b[?25l");
  }
  ~RawTerminal() {
    if (keyboard_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    try {
      out_.write(fmt::format("\x1b[{};1H\x1b[?25h\n", out_.rows()));
    } catch (const Error&) {
      return;  // the terminal is gone
    }
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  bool keyboard() const noexcept { return keyboard_; }

 private:
  const Terminal& out_;
  termios before_{};
  const bool keyboard_;
};

bool wants_to_quit() {
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
}

}  // namespace

void run_live(const Terminal& out, double interval,
              const std::function<std::vector<Line>(std::size_t, std::size_t)>& page) {
  if (!out.is_terminal()) {
    throw UsageError{"draw a live screen", "standard output is not a terminal",
                     "use satchel status FILE --json for other programs"};
  }
  Signals signals;
  const RawTerminal raw{out};
  Screen screen;
  const auto period = std::chrono::milliseconds{static_cast<std::int64_t>(interval * 1000)};
  auto next = std::chrono::steady_clock::now();
  for (;;) {
    const std::size_t columns = std::max<std::size_t>(out.columns(), 20);
    const std::size_t rows = std::max<std::size_t>(out.rows(), 4);
    out.write(screen.draw(page(columns, rows), columns, rows, out));
    next = std::max(next + period, std::chrono::steady_clock::now());
    switch (signals.wait_until(next, raw.keyboard())) {
      case Signals::Event::stop:
        return;
      case Signals::Event::key:
        if (wants_to_quit()) return;
        break;
      case Signals::Event::none:
        break;
    }
  }
}

}  // namespace satchel::cli
