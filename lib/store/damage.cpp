// SPDX-License-Identifier: MIT
#include "store/damage.hpp"

#include "store/errors.hpp"
#include "store/place.hpp"
#include "store/schema.hpp"
#include "store/sqlite_files.hpp"
#include "store/statement.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

namespace satchel::store {
namespace {

constexpr int kMaxKept = 1000;

// In the header of the file: the version that one has to know to write it, and the highest that there is.
constexpr sqlite3_int64 kWriteVersionAt = 18;
constexpr unsigned char kWriteVersion = 2;
// The format of the schema, of whose four bytes SQLite looks at the last: the one that it makes, and the
// highest.
constexpr sqlite3_int64 kSchemaFormatAt = 47;
constexpr unsigned char kSchemaFormat = 4;

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string new_path(const std::string& path) { return path + "-salvage"; }

/// A name for the damaged file, free together with that of its log.
std::string kept_path(const std::string& path) {
  for (int number = 1; number <= kMaxKept; ++number) {
    std::string kept = fmt::format("{}.damaged-{}", path, number);
    if (!exists(kept) && !exists(kept + "-wal")) return kept;
  }
  throw OpenError{"open " + path, fmt::format("the file is damaged, as it was {} times before", kMaxKept),
                  "move the files named .damaged-<number> away, and have the storage device looked at"};
}

void move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return;
  throw_system_error("salvage " + from, "cannot rename it to " + to, errno);
}

/// From the damaged file's new name on. The log goes before the new file comes: it must never meet it.
void put_in_place(const std::string& path, const std::string& kept) {
  move(path + "-wal", kept + "-wal");
  ::unlink((path + "-shm").c_str());
  sync_directory(path);
  move(new_path(path), path);
  sync_directory(path);
}

/// The name that the damaged file got when a crash came in between: the newest.
std::string last_kept(const std::string& path) {
  std::string last = path + ".damaged-1";
  for (int number = 2; number <= kMaxKept; ++number) {
    std::string kept = fmt::format("{}.damaged-{}", path, number);
    if (!exists(kept)) break;
    last = std::move(kept);
  }
  return last;
}

void remove_new(const std::string& path) noexcept {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((new_path(path) + suffix).c_str());
}

bool schema_format_damaged(SQLite::Database& database) noexcept {
  sqlite3_file* file = file_of(database.getHandle(), SQLITE_FCNTL_FILE_POINTER);
  unsigned char format = 0;
  return file != nullptr && file->pMethods->xRead(file, &format, 1, kSchemaFormatAt) == SQLITE_OK &&
         format > kSchemaFormat;
}

/// Nothing of the file could be read otherwise, and there is one format only that it can have been.
void mend_schema_format(const std::string& path, const std::string& vfs) {
  SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000, vfs};
  keep_log(database.getHandle());
  if (!schema_format_damaged(database)) return;
  sqlite3_file* file = file_of(database.getHandle(), SQLITE_FCNTL_FILE_POINTER);
  int code = file->pMethods->xWrite(file, &kSchemaFormat, 1, kSchemaFormatAt);
  if (code == SQLITE_OK) code = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
  if (code != SQLITE_OK) throw SQLite::Exception{"its header cannot be mended", code};
}

/// The first that SQLite says about the whole file, or about the tables that this connection can read: the
/// application may have given others a collation or a function of its own, which it registers later.
std::string integrity_fault(SQLite::Database& database) {
  const auto refused = [](const SQLite::Exception& failure) {
    return primary(code_of(failure)) == SQLITE_ERROR;
  };
  const auto first_of = [](Statement& check) {
    return check.step() && check.text(0) != "ok" ? std::string{check.text(0)} : std::string{};
  };
  try {
    Statement all{database, "PRAGMA integrity_check(1)"};
    return first_of(all);
  } catch (const SQLite::Exception& failure) {
    if (!refused(failure)) throw;
  }
  std::vector<std::string> tables;
  Statement names{database, "SELECT name FROM sqlite_master WHERE type = 'table'"};
  while (names.step()) tables.emplace_back(names.text(0));
  for (const std::string& table : tables) {
    Statement one{database, "SELECT integrity_check FROM pragma_integrity_check(?1)"};
    try {
      if (std::string fault = first_of(one.bind_text(1, table)); !fault.empty()) return fault;
    } catch (const SQLite::Exception& failure) {
      if (!refused(failure)) throw;
    }
  }
  return {};
}

}  // namespace

bool is_damage(int code) noexcept {
  // A virtual table of the application may be damaged for itself.
  return (primary(code) == SQLITE_CORRUPT && code != SQLITE_CORRUPT_VTAB) || primary(code) == SQLITE_NOTADB;
}

std::string hidden_damage(const std::string& path, const std::string& vfs) noexcept {
  try {
    SQLite::Database database{path, SQLite::OPEN_READWRITE, 1000, vfs};
    keep_log(database.getHandle());
    if (schema_format_damaged(database))
      return "the format of the schema in its header is none that there is";
    return schema_damage(database);
  } catch (const std::exception&) {
    return {};
  }
}

void note_damage(const std::string& relay_path) noexcept {
  try {
    if (exists(relay_path)) RelayFile{relay_path}.mark_damage(true);
  } catch (const std::exception&) {
    return;
  }
}

void finish_salvage(const std::string& path) {
  if (!exists(new_path(path))) return;
  // While the damaged file has its name the new one may be incomplete; it is made again.
  if (exists(path)) {
    remove_new(path);
  } else {
    put_in_place(path, last_kept(path));
  }
}

Salvage salvage(const std::string& path, const Options& options, const std::string& problem) {
  const std::string kept = kept_path(path);
  remove_new(path);
  Salvage salvaged;
  try {
    mend_schema_format(path, options.vfs);
    salvaged = salvage_into(new_path(path), path, options.page_size, options.vfs);
    if (salvaged.version > kSchemaVersion) {
      throw SchemaTooNew{"open " + path,
                         fmt::format("the file is damaged ({}) and was written by a newer satchel", problem),
                         "update the firmware: the newer one salvages it; the file was not changed"};
    }
  } catch (const SQLite::Exception& failure) {
    remove_new(path);
    throw_error("salvage " + path + ", which is damaged (" + problem + ")", failure);
  } catch (...) {
    remove_new(path);
    throw;
  }
  move(path, kept);
  put_in_place(path, kept);
  salvaged.report.problem = problem;
  // A table that begins at the page of another looks whole, and nothing refers to its own.
  if (problem.find("never used") != std::string::npos || problem.find("2nd reference") != std::string::npos)
    salvaged.report.left_out.push_back("what is on pages that a table has lost: " + problem);
  salvaged.report.kept_as = kept;
  return salvaged;
}

std::string header_damage(SQLite::Database& database) noexcept {
  // Not asked of a sound file: SQLite refuses to write only one on a read-only disk, or from the future.
  if (sqlite3_db_readonly(database.getHandle(), "main") != 1) return {};
  sqlite3_file* file = file_of(database.getHandle(), SQLITE_FCNTL_FILE_POINTER);
  if (file == nullptr) return {};
  unsigned char version = 0;
  if (file->pMethods->xRead(file, &version, 1, kWriteVersionAt) != SQLITE_OK || version <= kWriteVersion)
    return {};
  return "its header says that a newer SQLite has to write it";
}

std::string first_damage(SQLite::Database& database) {
  try {
    if (std::string damage = header_damage(database); !damage.empty()) return damage;
    // Asked about one table, SQLite always looks at the free list; about all of them only when none without
    // pages of its own, such as a view, comes first.
    if (std::string fault = integrity_fault(database); !fault.empty()) return fault;
    Statement free_list{database, "PRAGMA integrity_check(sqlite_master)"};
    if (free_list.step() && free_list.text(0) != "ok") return std::string{free_list.text(0)};
    return schema_damage(database);
  } catch (const SQLite::Exception& failure) {
    if (!is_damage(code_of(failure))) throw;
    return failure.what();
  }
}

}  // namespace satchel::store
