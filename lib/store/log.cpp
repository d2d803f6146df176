// SPDX-License-Identifier: MIT
#include "store/log.hpp"

#include "store/sqlite_files.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <vector>

namespace satchel::store {
namespace {

// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
constexpr sqlite3_int64 kLogHeader = 32;
constexpr sqlite3_int64 kFrameHeader = 24;
constexpr sqlite3_int64 kStep = 16'384;

// https://www.sqlite.org/walformat.html#the_wal_index_file_format
constexpr int kIndexRegion = 32'768;
constexpr std::size_t kIndexHeader = 48;
constexpr std::size_t kInitialisedAt = 12;
constexpr std::size_t kPageSizeAt = 14;
constexpr std::size_t kFramesAt = 16;
constexpr std::size_t kSaltAt = 32;

using IndexHeader = std::array<unsigned char, kIndexHeader>;

sqlite3_file* log_of(sqlite3* connection) noexcept {
  return file_of(connection, SQLITE_FCNTL_JOURNAL_POINTER);
}

template <class Number>
Number number_at(const IndexHeader& header, std::size_t at) noexcept {
  Number number = 0;
  std::memcpy(&number, header.data() + at, sizeof number);
  return number;
}

IndexHeader copy_of(const volatile unsigned char* from) noexcept {
  IndexHeader header;
  for (std::size_t i = 0; i < header.size(); ++i) header[i] = from[i];
  return header;
}

/// The header of the index stands there twice, and is written from the second to the first.
std::optional<IndexHeader> index_header(sqlite3* connection) noexcept {
  sqlite3_file* database = file_of(connection, SQLITE_FCNTL_FILE_POINTER);
  // Without an open log SQLite has not mapped the index, and would never unmap it.
  if (database == nullptr || database->pMethods->iVersion < 2 || log_of(connection) == nullptr)
    return std::nullopt;
  volatile void* region = nullptr;
  const int result = database->pMethods->xShmMap(database, 0, kIndexRegion, 0, &region);
  if ((result != SQLITE_OK && result != SQLITE_READONLY) || region == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const volatile unsigned char*>(region);
  // Who writes it holds the write lock for a moment only.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const IndexHeader first = copy_of(bytes);
    database->pMethods->xShmBarrier(database);
    if (first == copy_of(bytes + kIndexHeader) && first[kInitialisedAt] != 0) return first;
  }
  return std::nullopt;
}

std::int64_t page_size_of(const IndexHeader& header) noexcept {
  const auto size = number_at<std::uint16_t>(header, kPageSizeAt);
  return size == 1 ? 65'536 : size;
}

LogExtent extent_of(const IndexHeader& header) noexcept {
  return {number_at<std::uint64_t>(header, kSaltAt), number_at<std::uint32_t>(header, kFramesAt)};
}

int write_again(sqlite3_file* file, sqlite3_int64 from, sqlite3_int64 end) noexcept {
  std::array<char, kStep> bytes;
  int result = SQLITE_OK;
  for (sqlite3_int64 at = from; result == SQLITE_OK && at < end; at += kStep) {
    const auto step = static_cast<int>(std::min(kStep, end - at));
    result = file->pMethods->xRead(file, bytes.data(), step, at);
    if (result == SQLITE_OK) result = file->pMethods->xWrite(file, bytes.data(), step, at);
  }
  return result;
}

int sync(sqlite3_file* file) noexcept { return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL); }

/// Best effort: it is for a process that ends before the log is written again. Under extent_mutex.
void note_doubt(const SharedFile& file, const std::optional<LogExtent>& synced) noexcept {
  try {
    if (!file.relay_path.empty()) RelayFile{file.relay_path}.note_doubt(synced, file.boot_id);
  } catch (const std::exception&) {
    return;
  }
}

/// The numbers of the pages of which the log has a copy. Throws `std::bad_alloc`.
int pages_in(sqlite3_file* log, const IndexHeader& header, std::set<std::uint32_t>& pages) {
  const std::int64_t frames = extent_of(header).frames;
  const std::int64_t step = kFrameHeader + page_size_of(header);
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    std::array<unsigned char, 4> number{};
    const int result = log->pMethods->xRead(log, number.data(), 4, kLogHeader + frame * step);
    if (result != SQLITE_OK) return result;
    std::uint32_t page = 0;
    for (const unsigned char byte : number) page = page << 8U | byte;
    pages.insert(page);
  }
  return SQLITE_OK;
}

/// Throws `std::bad_alloc`.
int write_pages_again(sqlite3* connection, const IndexHeader& header) {
  sqlite3_file* log = log_of(connection);
  sqlite3_file* database = file_of(connection, SQLITE_FCNTL_FILE_POINTER);
  if (log == nullptr || database == nullptr) return SQLITE_IOERR;
  std::set<std::uint32_t> pages;
  int result = pages_in(log, header, pages);
  sqlite3_int64 size = 0;
  if (result == SQLITE_OK) result = database->pMethods->xFileSize(database, &size);
  const std::int64_t page_size = page_size_of(header);
  for (const std::uint32_t page : pages) {
    const std::int64_t end = page * page_size;
    // The file has not grown so far yet: that page will be copied by the checkpoint.
    if (result != SQLITE_OK || page == 0 || end > size) break;
    result = write_again(database, end - page_size, end);
  }
  return result == SQLITE_OK ? sync(database) : result;
}

}  // namespace

std::optional<LogExtent> log_extent(sqlite3* connection) noexcept {
  const std::optional<IndexHeader> header = index_header(connection);
  if (!header) return std::nullopt;
  return extent_of(*header);
}

void doubt_log(SharedFile& file) noexcept {
  const std::lock_guard lock{file.extent_mutex};
  file.log_in_doubt.store(true);
  note_doubt(file, file.synced);
}

void take_up_log(sqlite3* connection, const RelayFile& relay_file, const std::string& boot_id,
                 SharedFile& file) noexcept {
  try {
    const std::optional<LogExtent> left = relay_file.doubt(boot_id);
    const std::lock_guard lock{file.extent_mutex};
    file.relay_path = relay_file.path();
    file.boot_id = boot_id;
    if (left && !file.log_in_doubt.load()) file.synced = *left;
    if (left) file.log_in_doubt.store(true);
  } catch (const std::exception&) {
    file.log_in_doubt.store(true);
  }
  if (file.log_in_doubt.load()) return;
  const std::optional<LogExtent> extent = log_extent(connection);
  if (extent && extent->frames > 0) static_cast<void>(sync_log(connection, file));
}

void note_written(sqlite3* connection, std::size_t page_size, bool full, int frames,
                  SharedFile& file) noexcept {
  int pages = 0;
  int most = 0;
  const int result = sqlite3_db_status(connection, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 1);
  if (result != SQLITE_OK || pages <= 0) return;
  file.bytes_written += static_cast<std::uint64_t>(pages) * (page_size + kFrameHeader);
  // The header of a log that is begun anew has a sync of its own.
  file.syncs += (full ? 1U : 0U) + (frames == pages ? 1U : 0U);
}

void note_commit(sqlite3* connection, std::int64_t frames, SharedFile& file) noexcept {
  const std::optional<IndexHeader> header = index_header(connection);
  sqlite3_file* log = log_of(connection);
  sqlite3_file* database = file_of(connection, SQLITE_FCNTL_FILE_POINTER);
  if (!header || log == nullptr || database == nullptr) return;
  const int traits = database->pMethods->xDeviceCharacteristics(database);
  // SQLite fills the sector in which such a commit ends with copies of its last frame, and syncs no more than
  // that sector: the last copy, or a part of it, is left to the next sync, wherever it ends.
  if ((traits & SQLITE_IOCAP_POWERSAFE_OVERWRITE) == 0) frames = std::max<std::int64_t>(frames - 1, 0);
  note_synced({extent_of(*header).salt, frames}, file);
}

void note_synced(const LogExtent& extent, SharedFile& file) noexcept {
  const std::lock_guard lock{file.extent_mutex};
  if (file.log_in_doubt.load()) return;
  const bool same = extent.salt == file.synced.salt;
  file.synced = {extent.salt, same ? std::max(extent.frames, file.synced.frames) : extent.frames};
}

bool is_synced(const LogExtent& extent, SharedFile& file) noexcept {
  const std::lock_guard lock{file.extent_mutex};
  return extent.salt == file.synced.salt && extent.frames <= file.synced.frames;
}

int sync_log(sqlite3* connection, SharedFile& file) noexcept {
  sqlite3_file* log = log_of(connection);
  if (log == nullptr) return SQLITE_OK;
  // Read before the sync: what is committed by then is covered by it.
  const std::optional<LogExtent> extent = log_extent(connection);
  const int result = sync(log);
  ++file.syncs;
  if (result != SQLITE_OK) {
    doubt_log(file);
  } else if (extent) {
    note_synced(*extent, file);
  }
  return result;
}

int mend_log(sqlite3* connection, SharedFile& file) noexcept {
  sqlite3_file* log = log_of(connection);
  const std::optional<IndexHeader> header = index_header(connection);
  if (log == nullptr || !header) return SQLITE_IOERR;
  const LogExtent extent = extent_of(*header);
  const std::lock_guard lock{file.extent_mutex};
  const std::int64_t step = kFrameHeader + page_size_of(*header);
  sqlite3_int64 from = kLogHeader;
  int result = SQLITE_OK;
  if (extent.salt == file.synced.salt) {
    from += file.synced.frames * step;
  } else if (extent.frames > 0) {
    // The log was begun anew since. Its header first, as SQLite does it: with the one before, a part of the
    // frames before would count again.
    result = write_again(log, 0, kLogHeader);
    if (result == SQLITE_OK) result = sync(log);
  }
  if (result == SQLITE_OK) result = write_again(log, from, kLogHeader + extent.frames * step);
  if (result == SQLITE_OK) result = sync(log);
  if (result != SQLITE_OK) return result;
  file.synced = extent;
  note_doubt(file, std::nullopt);
  file.log_in_doubt.store(false);
  return result;
}

int mend_database(sqlite3* connection, SharedFile& file) noexcept {
  const std::optional<IndexHeader> header = index_header(connection);
  if (!header) return SQLITE_IOERR;
  int result = sync_log(connection, file);
  try {
    if (result == SQLITE_OK) result = write_pages_again(connection, *header);
  } catch (const std::exception&) {
    return SQLITE_NOMEM;
  }
  if (result == SQLITE_OK) file.database_in_doubt.store(false);
  return result;
}

}  // namespace satchel::store
