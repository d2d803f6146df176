// SPDX-License-Identifier: MIT
#pragma once

#include "store/shared_file.hpp"
#include "store/statement.hpp"

#include <satchel/options.hpp>

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace satchel::store {

struct Reserve;

/// What a connection is for.
enum class Role : std::uint8_t {
  writer,  ///< the application's transactions
  relay,   ///< claims and settles
  reader,  ///< status and lists
};

/// One connection to the file, set up by the rules of the store: every pragma is read back. One thread at a
/// time.
class Connection {
 public:
  /// Opens an existing file. `fresh`: it has no table yet, so that page size and vacuum mode can still be
  /// chosen. Puts the file into WAL mode. Throws `SQLite::Exception`, `OpenError`.
  Connection(const std::string& path, const Options& options, Role role, bool fresh = false);
  /// In a forked child the handle is abandoned, not closed: closing would work on the parent's files.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  SQLite::Database& database() noexcept;
  sqlite3* handle() noexcept;
  std::size_t page_size() const noexcept { return page_size_; }

  /// Counts the frames of the write-ahead log into `file` at every commit from now on.
  void count_frames(std::shared_ptr<SharedFile> file);
  /// One sync at every commit (true), or only at checkpoints.
  void set_full(bool full);
  /// Changes whenever another connection has committed. Reads nothing but the file's header.
  std::int64_t data_version();
  /// True when a transaction is open.
  bool in_transaction() noexcept;

  /// After a failed sync first writes again what that should have made durable.
  void begin();
  void commit();
  /// When it cannot be done for want of memory, the next `begin` on any connection of the process does it.
  void rollback() noexcept;

  /// For `Snapshot`.
  void begin_reading();
  void end_reading() noexcept;

 private:
  struct Handles;
  void set_up(const Options& options, Role role, bool fresh);
  void limit_pages(const Options& options, Role role, const Reserve& reserve);
  bool try_rollback() noexcept;
  static int on_commit(void* self, sqlite3* handle, const char* schema, int frames) noexcept;
  void mend();

  const unsigned generation_;
  std::unique_ptr<Handles> handles_;
  std::size_t page_size_ = 0;
  bool full_ = false;
  std::string limit_sql_;
  std::shared_ptr<SharedFile> file_;
};

/// One snapshot for several reads: every one by itself would take and free SQLite's locks. Begin no use of a
/// statement before it that ends after it.
class Snapshot {
 public:
  /// Throws `SQLite::Exception` as a read does.
  explicit Snapshot(Connection& connection) : connection_{connection} { connection_.begin_reading(); }
  ~Snapshot() { connection_.end_reading(); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Connection& connection_;
};

/// Makes a commit write a frame. SQLite writes no page whose bytes stay the same, so that the value has to
/// change.
inline constexpr const char* kTouch = "UPDATE main.satchel_state SET value = value + 1 WHERE name = 'frames'";

/// A write transaction of the store itself: rolled back unless it was committed.
class Immediate {
 public:
  explicit Immediate(Connection& connection) : connection_{connection} { connection_.begin(); }
  ~Immediate() { connection_.rollback(); }
  Immediate(const Immediate&) = delete;
  Immediate& operator=(const Immediate&) = delete;
  void commit() { connection_.commit(); }

 private:
  Connection& connection_;
};

}  // namespace satchel::store
