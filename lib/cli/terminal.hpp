// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::cli {

/// How a piece of text looks on a terminal; without colours it looks like the rest.
enum class Look : std::uint8_t { plain, head, good, warn, bad, faint };

/// A piece of a line.
struct Span {
  std::string text;
  Look look = Look::plain;
};
using Line = std::vector<Span>;

/// Standard output: a terminal, or a file or pipe.
class Terminal {
 public:
  /// Looks at standard output, NO_COLOR and TERM.
  Terminal();

  bool is_terminal() const noexcept { return terminal_; }
  /// Columns and rows of the window right now; 0 where output is not a terminal.
  std::size_t columns() const;
  std::size_t rows() const;

  /// The sequence that switches to a look, and back to plain; empty without colours.
  std::string_view on(Look look) const;
  std::string_view off() const;

  /// Writes all of it; throws `StorageError` when it cannot be written.
  void write(std::string_view text) const;
  /// Writes a line; on a terminal it is cut at its width.
  void print(const Line& line) const;
  /// The same, whole on a terminal too: it goes on in the next row.
  void print_whole(const Line& line) const;
  void print(std::string_view text) const { print(Line{{std::string{text}}}); }

 private:
  void print(const Line& line, std::size_t room) const;

  bool terminal_ = false;
  bool colours_ = false;
};

/// Rows in columns. On a terminal they are aligned and cut to its width; otherwise the cells are separated by
/// tabs, without a head, for other programs.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : head_{std::move(head)} {}

  /// The cells of one row, and a line below it that only a terminal gets.
  void add(std::vector<Span> cells, std::string below = {});
  /// The column that gives way when the terminal is too narrow.
  void gives_way(std::size_t column) { elastic_ = column; }
  void print(const Terminal& terminal) const;
  bool empty() const noexcept { return rows_.empty(); }

 private:
  struct Row {
    std::vector<Span> cells;
    std::string below;
  };
  std::vector<std::size_t> widths(std::size_t columns) const;

  std::vector<std::string> head_;
  std::vector<Row> rows_;
  std::size_t elastic_ = 0;
};

}  // namespace satchel::cli
