// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/observer.hpp>
#include <satchel/storage.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::relay {

/// How a message's hand-over ended, until that is recorded.
struct Outcome {
  enum class Kind : std::uint8_t { delivered, expired, failed, died };

  Kind kind = Kind::delivered;
  /// Number of its route.
  std::size_t route = 0;
  MessageId id{};
  int attempts = 0;
  /// With failed and died.
  std::string error{};
  /// With died.
  DeadReason reason = DeadReason::rejected;
  /// With failed.
  bool suspect = false;
  BootTime due{};
  std::chrono::milliseconds backoff{0};
  std::chrono::milliseconds aged{0};
  /// With failed: not an attempt of its own but a correction, so the observer is not told.
  bool silent = false;
};

/// Outcomes that wait to be recorded, oldest first. They are forgotten only when the storage said that they
/// are.
class Outcomes {
 public:
  bool empty() const noexcept { return waiting_.empty(); }
  std::size_t size() const noexcept { return waiting_.size(); }
  /// Since when the oldest waits; only while there is one.
  BootTime oldest() const { return waiting_.front().first; }
  /// All are deliveries: it costs nobody anything but a second copy when they are not recorded for a while.
  bool only_delivered() const noexcept { return others_ == 0; }

  void add(Outcome outcome, BootTime now);
  /// The rows that nothing may drop before their outcome is recorded, ascending: deliveries, as they have
  /// arrived, and deaths, whose keys are blocked by a dead letter that has to be there.
  std::vector<std::int64_t> kept() const;

  /// Deliveries that a commit of the application may record, the oldest first, at most `most`. None while the
  /// last settlement's result is not known.
  std::vector<std::int64_t> riders(std::size_t most) const;
  /// These were recorded by such a commit: takes out those that still wait, unless their settlement's result
  /// is not known.
  std::vector<Outcome> rode(const std::vector<std::int64_t>& rows);

  /// The oldest ones, at most `most`. After a call whose result is not known the same set again.
  Settlement settlement(std::size_t most);
  /// The last settlement is recorded: takes its outcomes out.
  std::vector<Outcome> recorded();
  /// The last settlement was certainly not recorded.
  void refused() noexcept { offered_ = 0; }

 private:
  std::deque<std::pair<BootTime, Outcome>> waiting_;
  std::size_t offered_ = 0;
  /// How many are not deliveries.
  std::size_t others_ = 0;
};

/// Tells the observer of one recorded outcome.
void report(Observer& observer, const Outcome& outcome);

}  // namespace satchel::relay
