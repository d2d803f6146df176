// SPDX-License-Identifier: MIT
#include "store/connection.hpp"

#include "base/fork.hpp"
#include "store/errors.hpp"
#include "store/log.hpp"
#include "store/reserve.hpp"
#include "store/sqlite_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace satchel::store {
namespace {

// A read that meets the log's header while it is being written takes SQLite's write lock for a moment,
// outside of the gate. So even a writer that is not to wait for other processes waits that long.
constexpr std::chrono::milliseconds kLeastPatience{50};
// The relay does not sit out a foreign writer inside SQLite: it has to stay able to stop.
constexpr std::chrono::milliseconds kRelayPatience{100};
// SQLite's own limit, less one.
constexpr std::uint64_t kMostPages = 1'073'741'823;
constexpr std::size_t kReaderCacheBytes = 64U << 10U;

std::string ask(SQLite::Database& database, const std::string& pragma) {
  Statement statement{database, pragma.c_str()};
  return statement.step() ? std::string{statement.text(0)} : std::string{};
}

/// Sets a pragma and reads it back: an SQLite built without the feature ignores it silently.
void set(SQLite::Database& database, const std::string& name, const std::string& value,
         const std::string& expected) {
  ask(database, "PRAGMA " + name + " = " + value);
  const std::string got = ask(database, "PRAGMA " + name);
  if (got == expected) return;
  throw OpenError{"open " + database.getFilename(),
                  fmt::format("this SQLite does not take PRAGMA {} = {} (it says '{}')", name, value, got),
                  "use an SQLite built with its usual features"};
}

void set(SQLite::Database& database, const std::string& name, std::int64_t value) {
  set(database, name, std::to_string(value), std::to_string(value));
}

/// On a file system that is read-only for a while SQLite falls back to reading, for as long as the file is
/// open: such a connection would never write again.
void refuse_read_only(const std::string& path) {
  for (const char* suffix : {"", "-wal"}) {
    if (::access((path + suffix).c_str(), W_OK) == 0 || errno != EROFS) continue;
    throw OpenError{"open " + path, "the file can only be read", "make the file system writable", EROFS};
  }
}

}  // namespace

struct Connection::Handles {
  Handles(const std::string& path, const Options& options, int timeout_ms)
      : database{path, SQLite::OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, timeout_ms, options.vfs} {}

  SQLite::Database database;
  Statement begin{database, "BEGIN IMMEDIATE"};
  Statement begin_reading{database, "BEGIN"};
  Statement commit{database, "COMMIT"};
  Statement rollback{database, "ROLLBACK"};
  Statement data_version{database, "PRAGMA data_version"};
  std::optional<Statement> limit;
};

Connection::Connection(const std::string& path, const Options& options, Role role, bool fresh)
    : generation_{fork_generation()} {
  const auto timeout = role == Role::writer ? std::max(options.busy_timeout, kLeastPatience) : kRelayPatience;
  handles_ = std::make_unique<Handles>(path, options, static_cast<int>(timeout.count()));
  set_up(options, role, fresh);
}

Connection::~Connection() {
  if (fork_generation() != generation_) {
    static_cast<void>(handles_.release());
  } else if (file_) {
    const std::lock_guard lock{file_->unended_mutex};
    if (file_->unended == this) file_->unended = nullptr;
  }
}

SQLite::Database& Connection::database() noexcept { return handles_->database; }
sqlite3* Connection::handle() noexcept { return handles_->database.getHandle(); }

void Connection::set_up(const Options& options, Role role, bool fresh) {
  SQLite::Database& db = handles_->database;
  sqlite3_extended_result_codes(handle(), 1);
  // The kept log is what lets outcomes be recorded on a full disk, also after a restart.
  keep_log(handle());
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (role != Role::writer) {
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  }
  if (fresh) {
    set(db, "page_size", static_cast<std::int64_t>(options.page_size));
    constexpr std::int64_t kIncremental = 2;
    set(db, "auto_vacuum", options.max_free_bytes != 0 ? kIncremental : 0);
  }
  if (ask(db, "PRAGMA journal_mode = WAL") != "wal") {
    throw OpenError{
        "open " + db.getFilename(), "the file cannot be put into WAL mode",
        "close other programs that use it, and keep it on a local file system with shared memory"};
  }
  if (role != Role::reader) refuse_read_only(db.getFilename());
  const auto cache =
      role == Role::reader ? std::min(options.cache_bytes, kReaderCacheBytes) : options.cache_bytes;
  const bool full = role == Role::writer && options.durability == Durability::full;
  set_full(full);
  set(db, "wal_autocheckpoint", 0);
  set(db, "cache_size", -static_cast<std::int64_t>(std::max<std::size_t>(cache / 1024, 16)));
  set(db, "cache_spill", "OFF", "0");
  set(db, "mmap_size", "0", ask(db, "PRAGMA mmap_size").empty() ? "" : "0");
  set(db, "secure_delete", "FAST", "2");
  set(db, "trusted_schema", "OFF", "0");
  set(db, "temp_store", "MEMORY", "2");
  page_size_ = static_cast<std::size_t>(std::stoull(ask(db, "PRAGMA page_size")));
  const Reserve reserve = reserve_of(options, page_size_);
  set(db, "journal_size_limit",
      reserve ? static_cast<std::int64_t>(reserve.log)
              : static_cast<std::int64_t>(options.checkpoint_bytes) * 2);
  keep_reserved_size(handle(), reserve);
  limit_pages(options, role, reserve);
}

void Connection::limit_pages(const Options& options, Role role, const Reserve& reserve) {
  if (role == Role::reader || options.max_file_bytes == 0) return;
  // Recording outcomes must go on when the quota is used up: the relay has what is reserved, or no limit.
  const std::uint64_t bytes = role == Role::writer ? options.max_file_bytes : reserve.database;
  if (bytes == 0) return;
  const std::uint64_t pages = std::min<std::uint64_t>((bytes + page_size_ - 1) / page_size_, kMostPages);
  limit_sql_ = fmt::format("PRAGMA max_page_count = {}", pages);
  handles_->limit.emplace(handles_->database, limit_sql_.c_str());
  handles_->limit->run();
}

void Connection::count_frames(std::shared_ptr<SharedFile> file) {
  file_ = std::move(file);
  // The hook has one slot a connection. This one is our own connection, and nothing else tells the size of
  // the log without a checkpoint; the application's own connections get no hook.
  // What was written so far, by making the file, is not counted.
  int pages = 0;
  int most = 0;
  sqlite3_db_status(handle(), SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 1);
  sqlite3_wal_hook(handle(), on_commit, this);
}

int Connection::on_commit(void* self, sqlite3* handle, const char* schema, int frames) noexcept {
  // The application may have attached files with logs of their own.
  if (std::string_view{schema} != "main") return SQLITE_OK;
  const auto& connection = *static_cast<const Connection*>(self);
  connection.file_->wal_frames.store(frames);
  note_written(handle, connection.page_size_, connection.full_, frames, *connection.file_);
  if (connection.full_) note_commit(handle, frames, *connection.file_);
  return SQLITE_OK;
}

void Connection::set_full(bool full) {
  rollback();  // an earlier one may have failed
  set(handles_->database, "synchronous", full ? 2 : 1);
  full_ = full;
}

std::int64_t Connection::data_version() {
  Use version{handles_->data_version};
  return version->step() ? version->integer(0) : 0;
}

bool Connection::in_transaction() noexcept { return sqlite3_get_autocommit(handle()) == 0; }

void Connection::begin() {
  // Compiled while nothing is open yet: the end of a transaction must not fail for want of memory, it would
  // keep the write lock.
  handles_->commit.prepare();
  handles_->rollback.prepare();
  if (file_) {
    const std::lock_guard lock{file_->unended_mutex};
    if (file_->unended != nullptr && file_->unended->try_rollback()) file_->unended = nullptr;
  }
  handles_->begin.run();
  if (file_ && file_->log_in_doubt.load()) mend();
  // SQLite never goes below the present size. The relay may have made the file longer than the writer's
  // quota, and of that part the writer has to be able to use what is free again.
  if (!handles_->limit) return;
  try {
    handles_->limit->run();
  } catch (...) {
    rollback();
    throw;
  }
}

void Connection::begin_reading() {
  handles_->commit.prepare();
  handles_->rollback.prepare();
  handles_->begin_reading.run();
}

void Connection::end_reading() noexcept {
  // An error may have ended it.
  if (!in_transaction()) return;
  try {
    handles_->commit.run();
  } catch (const std::exception&) {
    rollback();
  }
}

void Connection::mend() {
  const int result = mend_log(handle(), *file_);
  if (result == SQLITE_OK) return;
  rollback();
  throw SQLite::Exception{"a sync of the write-ahead log failed, and what it covers cannot be written again",
                          result};
}

void Connection::commit() {
  try {
    handles_->commit.run();
  } catch (const SQLite::Exception& failure) {
    if (file_ && primary(code_of(failure)) == SQLITE_IOERR) doubt_log(*file_);
    throw;
  }
  if (!full_ || !file_ || !file_->log_in_doubt.load()) return;
  // A sync in another thread has failed meanwhile, and may have taken what this commit stands on.
  try {
    begin();
    rollback();
  } catch (const SQLite::Exception& failure) {
    throw SQLite::Exception{failure.what(), SQLITE_IOERR_FSYNC};
  }
}

bool Connection::try_rollback() noexcept {
  if (!in_transaction()) return true;
  try {
    handles_->rollback.run();
  } catch (const std::exception&) {
    handles_->rollback.reset();
  }
  return !in_transaction();
}

void Connection::rollback() noexcept {
  if (fork_generation() != generation_ || try_rollback() || !file_) return;
  const std::lock_guard lock{file_->unended_mutex};
  file_->unended = this;
}

}  // namespace satchel::store
