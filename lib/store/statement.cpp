// SPDX-License-Identifier: MIT
#include "store/statement.hpp"

#include <SQLiteCpp/Exception.h>

namespace satchel::store {

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
  SQLite::Exception failure{database_, result};
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

}  // namespace satchel::store
