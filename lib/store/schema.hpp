// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace satchel::store {

/// The version that this code writes, and the oldest version whose code can work on such a file.
inline constexpr std::int64_t kSchemaVersion = 2;
inline constexpr std::int64_t kSchemaCompatible = 1;

/// The greatest row id: ids stay exact as JSON numbers and doubles.
inline constexpr std::int64_t kMaxRow = 4503599627370495;

/// A column that a later version of the format has added at the end of a table. It can be NULL.
struct AddedColumn {
  const char* table;
  const char* column;
  const char* type;
};

/// One step of the file format. Steps only add: the firmware of the other A/B slot has to open the file too.
struct Migration {
  std::int64_t version;
  const char* sql;
  std::span<const AddedColumn> columns{};
};

/// All steps in ascending order.
std::span<const Migration> migrations() noexcept;

/// Runs one step: adds its columns that are not there yet, then runs its SQL. Adding a column reads the
/// whole table. Throws `SQLite::Exception`; what SQLite finds wrong with the rows is an SQLITE_CORRUPT.
void apply(SQLite::Database& database, const Migration& step);

/// What the file says about its format.
struct SchemaVersion {
  std::int64_t version = 0;
  std::int64_t compatible = 0;
};

/// Reads the version; nothing when the file has no satchel tables. Writes nothing.
std::optional<SchemaVersion> read_schema_version(SQLite::Database& database);

/// Throws when a table of this version, or a column of one, has another name: its definition was damaged,
/// which might not be met before somebody asks for dead letters. Reads nothing of the tables.
void require_columns(const SQLite::Database& database);

/// What is wrong with the definitions of satchel's own tables, indexes and triggers, to which damage inside a
/// text can happen without breaking SQLite's structure; empty: nothing. Knows those of this version only.
std::string schema_damage(SQLite::Database& database);

/// Brings the tables up to the last of `steps` inside the caller's transaction. A file that is as new or
/// newer is left alone.
void migrate(SQLite::Database& database, std::span<const Migration> steps, std::int64_t compatible);

}  // namespace satchel::store
