// SPDX-License-Identifier: MIT
#pragma once

#include "store/statement.hpp"

#include <satchel/message.hpp>
#include <satchel/quota.hpp>

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace satchel::store {

/// What is to be added.
struct Need {
  Priority priority = Priority::normal;
  std::uint64_t messages = 1;
  std::uint64_t bytes = 0;  ///< of topic, payload, key, content type and headers
  bool indexed = false;     ///< it has an entry in an index
};

/// What has no room.
struct Shortage {
  std::string problem;
  std::optional<Priority> of{};  ///< only the share of this priority is used up
};

Need need_of(const Message& message);

/// Compares what is in the file with the quota, at a cost that does not depend on it. On one connection,
/// inside a write transaction.
class QuotaMeter {
 public:
  using WithSink = std::function<bool(std::int64_t row)>;

  QuotaMeter(sqlite3* database, const Quota& quota, std::string path);

  /// There is a limit.
  bool limits() const noexcept { return limits_; }

  /// What would have no room; nothing: it fits. `with_sink` says which rows stay whatever happens: those at
  /// the beginning are counted one by one, so that they do not make the span long.
  std::optional<Shortage> shortage(const Need& need, const WithSink& with_sink);
  /// Whether the file system would have less free than is to be kept. Asked of it once a transaction, and
  /// then for each MiB.
  std::optional<Shortage> short_of_disk(const Need& need);
  /// A transaction begins.
  void begin() noexcept { disk_left_.reset(); }

 private:
  struct Used {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  std::optional<Shortage> by_bounds(const Need& need, const WithSink& with_sink);
  std::optional<Shortage> by_counts(const Need& need);
  std::uint64_t span(const WithSink& with_sink);

  const Quota quota_;
  const std::string path_;
  const bool limits_;
  std::uint64_t page_size_ = 0;
  Statement newest_;
  Statement oldest_;
  Statement pages_;
  Statement free_pages_;
  Statement counts_;
  std::optional<std::uint64_t> disk_left_;  ///< what may be written before the file system is asked again
  std::uint64_t since_ask_ = 0;
};

/// The triggers that count exactly, and their table: makes them and counts what is there, or takes them away.
/// Inside the caller's transaction.
void set_exact_counts(SQLite::Database& database, bool wanted);
/// True when they are there as they are wanted.
bool exact_counts_are(SQLite::Database& database, bool wanted);

}  // namespace satchel::store
