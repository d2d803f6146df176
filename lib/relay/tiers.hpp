// SPDX-License-Identifier: MIT
#pragma once

#include "relay/supply.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace satchel::relay {

/// Messages of one priority.
struct Tier {
  Tier(const Options& options, Storage& storage, const DeadKeys& dead_keys, Supply::Scope scope)
      : priority{scope.priority}, supply{options, storage, dead_keys, std::move(scope)} {}

  /// There is something to send.
  bool waits() const { return !again.empty() || supply.front() != nullptr; }

  const Priority priority;
  /// Rows that came back and are to be read and sent again, before the supply.
  std::set<std::int64_t> again{};
  Supply supply;
};

/// The messages of one route by priority, each with a supply of its own, and whose turn it is: urgent ones
/// before all, bulk when nothing else waits, and one of `bulk_share` besides.
class Tiers {
 public:
  Tiers(const Options& options, Storage& storage, const DeadKeys& dead_keys,
        const std::function<bool(std::string_view)>& accepts, Drain drain);

  Tier& of(Priority priority) noexcept;

  /// Whose turn it is; nothing: nobody has anything to send, or urgent ones have to be read first.
  Tier* next();
  /// A message of this tier was taken up.
  void took(const Tier& tier);

  /// As `Supply::refill`, where there are not `room` messages to be sent again.
  bool refill(const Ledger& ledger, std::size_t room, std::size_t wanted, bool may_advance, BootTime now);

  void came_up() noexcept;
  /// More may have been committed.
  void changed() noexcept;
  void look_again() noexcept;
  void rewind(std::int64_t row) noexcept;
  void rescan() noexcept;
  void unblocked(const std::string& key);
  void forget_loaded();
  void release_topic(const std::string& topic);
  bool exhausted() const;
  bool none_again() const noexcept;

  // All together.
  std::size_t keys() const noexcept;
  std::size_t loaded_count() const noexcept;

 private:
  const std::size_t bulk_share_;
  Storage& storage_;
  Tier urgent_;
  Tier normal_;
  Tier bulk_;
  /// The last refill was free to read on.
  bool advanced_ = false;
  /// Whether there are messages with a priority has to be asked.
  bool ask_ = true;
  /// Messages taken up since the last bulk one, while bulk ones waited.
  std::size_t since_bulk_ = 0;
};

}  // namespace satchel::relay
