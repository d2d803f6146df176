// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/error.hpp>

#include <SQLiteCpp/Exception.h>

#include <exception>
#include <string>
#include <utility>

struct sqlite3;

namespace satchel::store {

/// Throws the member of our error family that fits an SQLite result code (extended or not): `BusyError`,
/// `FullError` or `StorageError`, with a hint.
[[noreturn]] void throw_error(const std::string& operation, int code, const std::string& message);

/// The same for an exception of SQLiteCpp.
[[noreturn]] void throw_error(const std::string& operation, const SQLite::Exception& failure);

/// The same while a file is being opened: what makes the file unusable becomes an `OpenError`.
[[noreturn]] void throw_open_error(const std::string& operation, const SQLite::Exception& failure);

/// The same for an errno.
[[noreturn]] void throw_system_error(const std::string& operation, const std::string& what, int error);

/// The result code of a failure, extended where SQLite has one.
int code_of(const SQLite::Exception& failure) noexcept;
/// The primary result code of any result code.
constexpr int primary(int code) noexcept { return code & 0xff; }

/// Runs `action`; what SQLite throws in it leaves as our own error.
template <class Action>
decltype(auto) in_our_terms(const std::string& operation, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const SQLite::Exception& failure) {
    throw_error(operation, failure);
  }
}

}  // namespace satchel::store
