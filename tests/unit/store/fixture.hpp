// SPDX-License-Identifier: MIT
#pragma once

#include "store/store.hpp"
#include "support/temp_dir.hpp"

#include <satchel/testing/manual_clock.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace store_test {

using satchel::Message;
using satchel::MessageId;
using satchel::Options;
using satchel::StoredMessage;
using satchel::store::Store;

/// Keeps what a store tells.
class Notes final : public satchel::Observer {
 public:
  void notice(const std::string& text) noexcept override { add("notice " + text); }
  void gate_held(std::chrono::milliseconds held) noexcept override {
    add("held " + std::to_string(held.count()));
  }
  void dropped(satchel::DropReason reason, const std::string& topic,
               std::uint64_t messages) noexcept override {
    add("dropped " + std::string{satchel::to_string(reason)} + " " + topic + " " + std::to_string(messages));
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return texts_;
  }
  bool any_with(const std::string& part) const {
    for (const std::string& text : all()) {
      if (text.find(part) != std::string::npos) return true;
    }
    return false;
  }

 private:
  void add(std::string text) {
    const std::lock_guard lock{mutex_};
    texts_.push_back(std::move(text));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

/// A database file in a directory of its own, with a clock that stands still.
struct File {
  support::TempDir directory{support::TempDir::Where::memory};
  std::string path = directory.path() + "/device.db";
  std::shared_ptr<satchel::testing::ManualClock> clock = std::make_shared<satchel::testing::ManualClock>();
  std::shared_ptr<Notes> notes = std::make_shared<Notes>();
  Options options = plain_options();

  std::shared_ptr<Store> open() const { return Store::open(path, options); }

 private:
  Options plain_options() const {
    Options made;
    made.clock = clock;
    made.observer = notes;
    return made;
  }
};

/// A program that uses the file by plain SQL, as the sqlite3 shell would.
class Foreign {
 public:
  explicit Foreign(const std::string& path)
      : database{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 1000} {
    database.exec("PRAGMA wal_autocheckpoint = 0");
  }
  void exec(const std::string& sql) { database.exec(sql); }
  std::int64_t number(const std::string& sql) { return database.execAndGet(sql).getInt64(); }
  std::string text(const std::string& sql) { return database.execAndGet(sql).getString(); }

  SQLite::Database database;
};

inline Message message(const std::string& payload = "x", const std::string& key = {}) {
  Message made;
  made.topic = "test/topic";
  made.payload = payload;
  made.key = key;
  return made;
}

inline std::vector<std::int64_t> rows_of(const std::vector<StoredMessage>& messages) {
  std::vector<std::int64_t> rows;
  for (const StoredMessage& one : messages) rows.push_back(one.id.row);
  return rows;
}

inline std::vector<std::int64_t> pending(Store& store) {
  satchel::ClaimQuery query;
  query.max_count = 100'000;
  query.max_rows = 1'000'000;
  return rows_of(store.claim(query).messages);
}

/// What was dropped, as `reason topic messages/unconfirmed` each.
inline std::vector<std::string> drops(const Store& store) {
  std::vector<std::string> texts;
  for (const satchel::Dropped& one : store.dropped()) {
    texts.push_back(std::string{satchel::to_string(one.reason)} + " " + one.topic + " " +
                    std::to_string(one.messages) + "/" + std::to_string(one.unconfirmed));
  }
  return texts;
}

inline satchel::Settlement delivered(std::vector<std::int64_t> rows) {
  satchel::Settlement settlement;
  settlement.delivered = std::move(rows);
  return settlement;
}

/// The error that `action` throws, or a failure of the test.
template <class Error, class Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  FAIL("the expected error was not thrown");
  throw std::logic_error{"unreachable"};
}

/// Runs `work` in a forked child without exec; its exit status, or -1 when a signal ended it. Nothing of the
/// parent's is cleaned up in the child.
inline int in_child(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int status = 99;
    try {
      status = work();
    } catch (...) {
      status = 98;
    }
    ::_exit(status);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A process that is forked now and does its work when it is told to: in a child that is forked later it
/// could not open what this one has open then.
class Later {
 public:
  explicit Later(const std::function<int()>& work) {
    std::array<int, 2> go{};
    REQUIRE(::pipe2(go.data(), O_CLOEXEC) == 0);
    go_ = go[1];
    pid_ = ::fork();
    if (pid_ != 0) {
      ::close(go[0]);
      return;
    }
    ::close(go[1]);
    char byte = 0;
    int status = 97;
    try {
      if (::read(go[0], &byte, 1) == 1) status = work();
    } catch (...) {
      status = 98;
    }
    ::_exit(status);
  }
  ~Later() { end(); }
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  void begin() const { REQUIRE(::write(go_, "x", 1) == 1); }
  /// Waits for its end: its exit status, or -1.
  int end() {
    if (pid_ == -1) return -1;
    ::close(go_);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int go_ = -1;
  pid_t pid_ = -1;
};

/// Copies the file with its log and relay file, as they are at this moment: what a crash right now would
/// leave. Done by another process, because closing descriptors of a database here would drop SQLite's locks.
inline void copy_as_crashed(const std::string& from, const std::string& to) {
  const int status = in_child([&] {
    for (const char* suffix : {"", "-wal", "-relay"}) {
      std::error_code error;
      std::filesystem::copy_file(from + suffix, to + suffix,
                                 std::filesystem::copy_options::overwrite_existing, error);
    }
    return 0;
  });
  REQUIRE(status == 0);
}

}  // namespace store_test
