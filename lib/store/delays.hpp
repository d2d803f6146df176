// SPDX-License-Identifier: MIT
#pragma once

#include "store/ages.hpp"
#include "store/boots.hpp"
#include "store/connection.hpp"
#include "store/statement.hpp"

#include <satchel/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace satchel::store {

/// Knows which messages wait for the end of their `not_before`. Relay thread only.
///
/// Within one boot they become due in the order of the index, so that the first one of each boot tells about
/// all of them. Of an earlier boot whose end is unknown a message may so come later than its own time, never
/// earlier.
class Delays {
 public:
  /// What there is to wait for.
  struct Found {
    bool due = false;
    std::optional<BootTime> next{};  ///< when the first of those becomes due that are not
    bool by_wall = false;            ///< what is found depends on the wall clock
  };

  explicit Delays(Connection& connection);

  Found look(const Present& present);

  /// Makes at most `max_count` messages ready that are due, inside the caller's transaction. Those of plain
  /// SQL get the time from which they wait, as it has no time of its own.
  std::vector<Released::Row> release(std::size_t max_count, const Present& present);

  /// The SQL of the look at the first message of a boot, for the tests of its query plan.
  static const char* head_sql() noexcept;

 private:
  struct Head {
    std::int64_t boot = 0;
    std::optional<std::int64_t> created{};
    std::int64_t delay = 0;
  };
  /// There are messages of plain SQL whose time has not begun.
  bool any_undated();
  std::optional<Head> next_head(std::int64_t from_boot);
  /// Time that is left; zero or less: due.
  std::int64_t left(const Head& head, const Present& present);
  void release_boot(std::int64_t boot, std::size_t max_count, const Present& present,
                    std::vector<Released::Row>& released);

  Connection& connection_;
  Statement undated_;
  Statement head_;
  Statement of_boot_;
  Statement date_undated_;
  Statement date_;
  Statement release_;
  Offsets offsets_;
};

}  // namespace satchel::store
