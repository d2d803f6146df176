// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::store {

/// What SQLite says of its last call on this connection, which had this result. A used-up disk quota, an I/O
/// error to SQLite, is a full disk here.
SQLite::Exception failure_of(sqlite3* database, int result);

/// One SQL statement, compiled at its first use and kept. Leaves no open read behind as long as `run`,
/// `reset` or a `Use` ends each use. Failures are thrown as `SQLite::Exception`. One thread at a time.
///
/// Bound texts are not copied: they have to live until the statement is reset.
class Statement {
 public:
  /// `sql` has to be a literal or to outlive the object.
  Statement(const SQLite::Database& database, const char* sql) noexcept
      : Statement{database.getHandle(), sql} {}
  /// The same on a connection that somebody else has opened.
  Statement(sqlite3* database, const char* sql) noexcept : database_{database}, sql_{sql} {}
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, const std::optional<std::int64_t>& value);
  Statement& bind_text(int index, std::string_view value);
  /// NULL when empty.
  Statement& bind_optional_text(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);
  Statement& bind_null(int index);

  /// Compiles the statement now instead of at its first use.
  void prepare() { prepared(); }
  /// Goes to the next row; false at the end.
  bool step();
  /// Runs to the end and resets.
  void run();
  /// The rows changed by `run`.
  std::int64_t run_and_count();
  void reset() noexcept;

  bool is_null(int column) const noexcept { return type(column) == SQLITE_NULL; }
  int type(int column) const noexcept { return sqlite3_column_type(statement_, column); }
  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_, column); }
  std::optional<std::int64_t> optional_integer(int column) const noexcept;
  /// Bytes of a text or blob, valid until the next step. Empty for NULL. Throws when there is no memory for
  /// them.
  std::string_view text(int column) const;

 private:
  sqlite3_stmt* prepared();
  void check(int result) const;

  sqlite3* database_;
  const char* sql_;
  sqlite3_stmt* statement_ = nullptr;
};

/// Resets a statement at the end of a scope, whatever happens in it.
class Use {
 public:
  explicit Use(Statement& statement) noexcept : statement_{statement} {}
  ~Use() { statement_.reset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Statement* operator->() noexcept { return &statement_; }

 private:
  Statement& statement_;
};

/// The application's own statements of one connection, compiled once and kept while they are used: compiling
/// costs more than running. Only those that add, change or delete rows and stand alone in their text; the
/// others are compiled each time. Bounded. One thread at a time.
class StatementCache {
 public:
  /// Statements kept, and bytes of the longest text among them.
  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kLongest = 2048;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  using Handle = std::unique_ptr<sqlite3_stmt, Finalize>;

  /// A compiled statement that nobody else uses: of the cache, or a new one of the first statement in the
  /// text. Null for a text without a statement. Throws `SQLite::Exception`.
  Handle take(sqlite3* database, std::string_view sql);
  /// Keeps a statement that came to its end without an error. It is reset and has no values bound any more.
  void give_back(std::string_view sql, Handle statement);

 private:
  struct Kept {
    std::string sql;
    Handle statement;
  };
  std::vector<Kept> kept_;  // the one used last at the end
};

}  // namespace satchel::store
