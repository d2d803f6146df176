// SPDX-License-Identifier: MIT
#pragma once

#include "store/quota_meter.hpp"
#include "store/statement.hpp"

#include <satchel/message.hpp>
#include <satchel/quota.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace satchel::store {

/// A message that may have to go.
struct Victim {
  std::int64_t row = 0;
  std::string topic;
  Priority priority = Priority::normal;
  std::optional<std::int64_t> sequence;
};

/// Finds the messages that make room, at a cost that does not depend on the backlog. On one connection,
/// inside a write transaction.
///
/// Normal messages have no index, so that the oldest one among others is found by going through the rows.
/// Where the search has come to is kept in the file: it goes when the transaction is rolled back, and a dead
/// letter that is replayed sets it back. What comes back below it in any other way is found when the exact
/// counts say that there are more.
class Victims {
 public:
  Victims(sqlite3* database, WhenFull when_full);

  /// An enqueue begins.
  void begin() noexcept;

  /// The next message to go for one of priority `for_whom`; nothing: there is none. The caller removes it, or
  /// says that he leaves it.
  std::optional<Victim> next(const Shortage& shortage, Priority for_whom);
  void leave(const Victim& victim) noexcept;

 private:
  std::optional<Victim> oldest_of(Priority priority);
  std::optional<Victim> oldest_normal();
  std::optional<Victim> first(Statement& rows, std::int64_t& after);
  std::int64_t normal_messages();
  std::int64_t place();

  const WhenFull when_full_;
  Statement by_row_;
  Statement by_priority_;
  Statement normal_;
  Statement normal_messages_;
  Statement place_;
  Statement keep_place_;
  std::int64_t after_ = 0;                  ///< where the search goes on for those of any priority
  std::array<std::int64_t, 3> after_of_{};  ///< and for those of one
  std::int64_t left_ = 0;                   ///< normal ones that this enqueue leaves
  bool from_first_ = false;                 ///< the search for them has begun anew
};

}  // namespace satchel::store
