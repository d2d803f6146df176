// SPDX-License-Identifier: MIT
#include "store/statement.hpp"

#include "store/sqlite_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

namespace satchel::store {

namespace {

/// What the system said of the last call on a file that failed.
int system_error_of(sqlite3* database, int which) {
  sqlite3_file* const file = file_of(database, which);
  int error = 0;
  if (file == nullptr) return 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

}  // namespace

SQLite::Exception failure_of(sqlite3* database, int result) {
  if (sqlite3_extended_errcode(database) == SQLITE_IOERR_WRITE) {
    for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
      // Like a full disk, these refuse the frame that was being written, and there is no commit.
      const int error = system_error_of(database, which);
      if (error == EDQUOT) return {"the disk quota is used up", SQLITE_FULL};
      if (error == EFBIG) return {"the limit on the size of a file is reached", SQLITE_FULL};
    }
  }
  return {database, result};
}

sqlite3_stmt* Statement::prepared() {
  if (statement_ == nullptr) {
    check(sqlite3_prepare_v3(database_, sql_, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  }
  return statement_;
}

void Statement::check(int result) const {
  if (result != SQLITE_OK) throw SQLite::Exception(database_, result);
}

Statement& Statement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(prepared(), index, value));
  return *this;
}

Statement& Statement::bind(int index, const std::optional<std::int64_t>& value) {
  return value ? bind(index, *value) : bind_null(index);
}

Statement& Statement::bind_text(int index, std::string_view value) {
  // An empty view may have no data, and SQLite takes a null pointer for NULL.
  const char* data = value.empty() ? "" : value.data();
  check(sqlite3_bind_text64(prepared(), index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_optional_text(int index, std::string_view value) {
  return value.empty() ? bind_null(index) : bind_text(index, value);
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  check(sqlite3_bind_blob64(prepared(), index, data, value.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_null(int index) {
  check(sqlite3_bind_null(prepared(), index));
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(prepared());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  const SQLite::Exception failure = failure_of(database_, result);
  reset();
  throw failure;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

std::int64_t Statement::run_and_count() {
  run();
  return sqlite3_changes64(database_);
}

void Statement::reset() noexcept {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

std::optional<std::int64_t> Statement::optional_integer(int column) const noexcept {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::string_view Statement::text(int column) const {
  // Text first: in a UTF-16 file this call converts, and the length has to be that of the result.
  const void* data = type(column) == SQLITE_BLOB ? sqlite3_column_blob(statement_, column)
                                                 : sqlite3_column_text(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  // SQLite says NULL for want of memory as well. Taken for an empty text, a message would be sent without its
  // payload, or be mistaken for a tombstone.
  if (data == nullptr && sqlite3_errcode(database_) == SQLITE_NOMEM) check(SQLITE_NOMEM);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

// ---- the application's statements ----

namespace {

bool changes_rows(std::string_view sql) {
  const auto begin = std::min(sql.find_first_not_of(" \t\r\n"), sql.size());
  sql.remove_prefix(begin);
  constexpr std::array<std::string_view, 4> kWords{"insert", "update", "delete", "replace"};
  return std::any_of(kWords.begin(), kWords.end(), [sql](std::string_view word) {
    return sql.size() > word.size() &&
           sqlite3_strnicmp(sql.data(), word.data(), static_cast<int>(word.size())) == 0;
  });
}

/// More than blanks and comments; what cannot be compiled is one as well.
bool holds_a_statement(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  while (*sql != '\0' && statement == nullptr) {
    if (sqlite3_prepare_v3(database, sql, -1, 0, &statement, &sql) != SQLITE_OK) return true;
  }
  sqlite3_finalize(statement);
  return statement != nullptr;
}

/// Its own SQL is the whole text: behind it nothing would be left out.
bool stands_alone(sqlite3_stmt* statement, std::string_view sql) {
  const char* own = sqlite3_sql(statement);
  return own != nullptr && sql == own;
}

}  // namespace

StatementCache::Handle StatementCache::take(sqlite3* database, std::string_view sql) {
  const auto found =
      std::find_if(kept_.rbegin(), kept_.rend(), [sql](const Kept& one) { return one.sql == sql; });
  if (found != kept_.rend()) {
    Handle statement = std::move(found->statement);
    kept_.erase(std::next(found).base());
    return statement;
  }
  sqlite3_stmt* compiled = nullptr;
  const char* rest = nullptr;
  // With its terminating zero, which spares SQLite a copy.
  const std::string text{sql};
  const int result =
      sqlite3_prepare_v3(database, text.c_str(), static_cast<int>(text.size()) + 1, 0, &compiled, &rest);
  if (result != SQLITE_OK) throw SQLite::Exception(database, result);
  Handle statement{compiled};
  if (holds_a_statement(database, rest))
    throw SQLite::Exception{"more than one statement: run each by itself", SQLITE_ERROR};
  return statement;
}

void StatementCache::give_back(std::string_view sql, Handle statement) {
  if (!statement || sql.size() > kLongest || !changes_rows(sql) || !stands_alone(statement.get(), sql))
    return;
  sqlite3_reset(statement.get());
  // Texts that were bound are gone by now, and a value left out next time is NULL.
  sqlite3_clear_bindings(statement.get());
  if (kept_.size() >= kMost) kept_.erase(kept_.begin());
  kept_.push_back({std::string{sql}, std::move(statement)});
}

}  // namespace satchel::store
