// SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace bench {

/// SQLite as an application without satchel uses it: WAL, prepared statements, its C interface.
class BareDatabase {
 public:
  struct Setup {
    bool full = true;  ///< synchronous=FULL, otherwise NORMAL
    std::string vfs{};
    int checkpoint_pages = 1000;
  };

  BareDatabase(const std::string& path, const Setup& setup) {
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int result =
        sqlite3_open_v2(path.c_str(), &handle, flags, setup.vfs.empty() ? nullptr : setup.vfs.c_str());
    database_.reset(handle);
    check(result);
    sqlite3_busy_timeout(handle, 60'000);
    run("PRAGMA journal_mode=WAL");
    run(setup.full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    run("PRAGMA secure_delete=FAST");
    run("PRAGMA wal_autocheckpoint=" + std::to_string(setup.checkpoint_pages));
  }

  void run(const std::string& sql) {
    check(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr));
  }
  sqlite3* handle() const noexcept { return database_.get(); }

  void check(int result) const {
    if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
      throw std::runtime_error{sqlite3_errmsg(database_.get())};
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

/// A prepared statement of it.
class BareStatement {
 public:
  BareStatement(BareDatabase& database, const char* sql) : database_{database} {
    database.check(
        sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  }
  ~BareStatement() { sqlite3_finalize(statement_); }
  BareStatement(const BareStatement&) = delete;
  BareStatement& operator=(const BareStatement&) = delete;

  BareStatement& text(int index, const std::string& value) {
    sqlite3_bind_text(statement_, index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    return *this;
  }
  BareStatement& real(int index, double value) {
    sqlite3_bind_double(statement_, index, value);
    return *this;
  }
  BareStatement& integer(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_, index, value);
    return *this;
  }
  /// True: there is a row.
  bool step() {
    const int result = sqlite3_step(statement_);
    database_.check(result);
    return result == SQLITE_ROW;
  }
  std::string column(int index) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, index));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, index))};
  }
  void reset() { sqlite3_reset(statement_); }
  void run() {
    step();
    reset();
  }

 private:
  BareDatabase& database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace bench
