// SPDX-License-Identifier: MIT
#pragma once

#include "store/relay_file.hpp"
#include "store/salvage.hpp"

#include <satchel/options.hpp>

#include <SQLiteCpp/Database.h>

#include <string>

namespace satchel::store {

/// True for a result code that says: what is in the file is not what SQLite wrote.
bool is_damage(int code) noexcept;

/// Damage that SQLite takes for something else, and reports as an error in the SQL: a definition of one of
/// satchel's tables, or the format of the schema in the header (SQLite's file format, section 1.3.10). Empty:
/// none.
std::string hidden_damage(const std::string& path, const std::string& vfs) noexcept;

/// Notes in `<file>-relay` that SQLite has met damage, so that the next opening reads the whole file. Best
/// effort: what is damaged stays so, and is met again. Thread-safe.
void note_damage(const std::string& relay_path) noexcept;

/// Brings to its end what a crash left of an earlier salvage: the new file is in place afterwards, or gone.
/// Under the opening lock.
void finish_salvage(const std::string& path);

/// Salvages `path` and puts the new file in its place; the damaged one gets a name of its own. A crash at any
/// moment leaves the damaged file as it was, or with `finish_salvage` the new one; only a damaged format of
/// the schema is mended in it, as nothing could be read otherwise. Under the opening lock and with nobody
/// else using the file. Throws `OpenError`, `FullError`, `StorageError`; the damaged file is then untouched.
Salvage salvage(const std::string& path, const Options& options, const std::string& problem);

/// Says what keeps SQLite from writing a file that is not on a read-only disk; empty: nothing does. Costs
/// nothing for a sound file.
std::string header_damage(SQLite::Database& database) noexcept;

/// Reads the whole file; empty when SQLite finds it sound, or the first thing that it finds.
std::string first_damage(SQLite::Database& database);

}  // namespace satchel::store
