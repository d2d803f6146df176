// SPDX-License-Identifier: MIT
#include "store/errors.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>

namespace satchel::store {
namespace {

const char* hint_for(int code) {
  if (code == SQLITE_IOERR_WRITE) return "check the disk quota, the storage device and the kernel log";
  switch (primary(code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process holds the write lock; try again, or raise Options::busy_timeout";
    case SQLITE_FULL:
      return "free space on the file system or in the disk quota, or raise Options::max_file_bytes";
    case SQLITE_NOMEM:
      return "free memory; nothing was changed";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged: open it anew, which keeps it under another name and carries over what can "
             "be "
             "read (Options::on_damage)";
    case SQLITE_READONLY:
      return "make the file and its directory writable for this user";
    case SQLITE_CONSTRAINT:
      return "the values break a rule of the table; the statement had no effect";
    case SQLITE_IOERR:
      return "check the storage device and the kernel log";
    case SQLITE_CANTOPEN:
      return "check that the directory exists and that this user may write there";
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
      return "check the SQL text and its parameters";
    case SQLITE_TOOBIG:
      return "the value is larger than SQLite's limit";
    default:
      return "see the SQLite result code";
  }
}

std::string described(int code, const std::string& message) {
  return fmt::format("{} (SQLite {}: {})", message, code, sqlite3_errstr(code));
}

}  // namespace

int code_of(const SQLite::Exception& failure) noexcept {
  // SQLiteCpp leaves -1 where it has made the exception up itself.
  const int extended = failure.getExtendedErrorCode();
  const int plain = failure.getErrorCode();
  if (extended > 0 && primary(extended) == primary(plain)) return extended;
  return plain > 0 ? plain : SQLITE_ERROR;
}

void throw_error(const std::string& operation, int code, const std::string& message) {
  const std::string problem = described(code, message);
  switch (primary(code)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw BusyError{operation, problem, hint_for(code), code};
    case SQLITE_FULL:
      throw FullError{operation, problem, hint_for(code), code};
    default:
      throw StorageError{operation, problem, hint_for(code), code};
  }
}

void throw_error(const std::string& operation, const SQLite::Exception& failure) {
  throw_error(operation, code_of(failure), failure.what());
}

void throw_open_error(const std::string& operation, const SQLite::Exception& failure) {
  const int code = code_of(failure);
  switch (primary(code)) {
    case SQLITE_NOTADB:
      throw OpenError{operation, described(code, failure.what()),
                      "the file is not an SQLite database (or is encrypted); name another file", code};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
      throw OpenError{operation, described(code, failure.what()), hint_for(code), code};
    default:
      throw_error(operation, failure);
  }
}

void throw_system_error(const std::string& operation, const std::string& what, int error) {
  const std::string problem = fmt::format("{}: {}", what, std::generic_category().message(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    throw FullError{operation, problem, "free space on the file system or in the disk quota", error};
  }
  throw StorageError{operation, problem, "check the storage device and the rights on the directory", error};
}

}  // namespace satchel::store
