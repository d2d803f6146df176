// SPDX-License-Identifier: MIT
#include "store/reserve.hpp"

#include "store/sqlite_files.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>

namespace satchel::store {
namespace {

// SQLite's index of the log lies in shared memory in pieces of this size, one for so many frames.
constexpr int kIndexBytes = 32'768;
constexpr std::uint64_t kPiece = 32'768;
constexpr std::uint64_t kIndexFrames = 4096;
constexpr std::uint64_t kFrameHeader = 24;
// The frames that an opening writes, or a fence, when the log is as long as it may be.
constexpr std::uint64_t kSlack = 1U << 20U;

[[noreturn]] void refuse(const std::string& path, std::uint64_t bytes, const char* what, int code) {
  throw FullError{"open " + path, fmt::format("no room for the reserve: {} of {} bytes", what, bytes),
                  "free space on the file system, or lower Options::max_file_bytes or max_wal_bytes", code};
}

/// Makes a file as long as it is to be, with blocks behind all of it. The file is SQLite's own: a descriptor
/// of ours on it would drop its locks when closed.
int allocate(sqlite3_file* file, std::uint64_t bytes, int chunk) noexcept {
  file->pMethods->xFileControl(file, SQLITE_FCNTL_CHUNK_SIZE, &chunk);
  auto size = static_cast<sqlite3_int64>(bytes);
  const int result = file->pMethods->xFileControl(file, SQLITE_FCNTL_SIZE_HINT, &size);
  if (result != SQLITE_OK && result != SQLITE_NOTFOUND) return result;
  sqlite3_int64 now = 0;
  const int looked = file->pMethods->xFileSize(file, &now);
  if (looked != SQLITE_OK) return looked;
  return now >= static_cast<sqlite3_int64>(bytes) ? SQLITE_OK : SQLITE_FULL;
}

}  // namespace

Reserve reserve_of(const Options& options, std::size_t page_size) noexcept {
  if (!options.reserve) return {};
  const std::uint64_t pages = (options.max_file_bytes + page_size - 1) / page_size;
  const std::uint64_t frames = (2 * options.max_wal_bytes + kSlack) / page_size + 1;
  // The relay records attempts and dead letters beside the messages. The smallest messages need most: when
  // each of them dies, the dead letters come to twice the quota. Whole pieces, as the file grows by: SQLite
  // cuts the log to the exact size when it has become longer.
  const std::uint64_t log = (32 + frames * (page_size + kFrameHeader) + kPiece - 1) / kPiece * kPiece;
  return Reserve{(2 * pages + pages / 2) * page_size, log};
}

void keep_reserved_size(sqlite3* connection, const Reserve& reserve) noexcept {
  if (!reserve) return;
  auto chunk = static_cast<int>(reserve.database);
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
}

void take_reserve(sqlite3* connection, const std::string& path, std::size_t page_size,
                  const Reserve& reserve) {
  if (!reserve) return;
  sqlite3_file* database = file_of(connection, SQLITE_FCNTL_FILE_POINTER);
  sqlite3_file* log = file_of(connection, SQLITE_FCNTL_JOURNAL_POINTER);
  if (database == nullptr || log == nullptr || database->pMethods->iVersion < 2) {
    throw OpenError{"open " + path, "the VFS gives no access to its files, which the reserve needs",
                    "use another VFS, or do without Options::reserve"};
  }
  const int chunk = static_cast<int>(reserve.database);
  if (const int failed = allocate(database, reserve.database, chunk))
    refuse(path, reserve.database, "the database", failed);
  if (const int failed = allocate(log, reserve.log, static_cast<int>(kPiece)))
    refuse(path, reserve.log, "the write-ahead log", failed);
  const std::uint64_t pieces = reserve.log / (page_size + kFrameHeader) / kIndexFrames + 1;
  for (std::uint64_t piece = 0; piece < pieces; ++piece) {
    void volatile* ignored = nullptr;
    const int failed =
        database->pMethods->xShmMap(database, static_cast<int>(piece), kIndexBytes, 1, &ignored);
    if (failed != SQLITE_OK) refuse(path, pieces * kIndexBytes, "the index of the log", failed);
  }
}

}  // namespace satchel::store
