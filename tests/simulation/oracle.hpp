// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/observer.hpp>
#include <satchel/options.hpp>
#include <satchel/sink.hpp>

#include "receiver.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

using Row = std::int64_t;

/// A rule was broken.
class Broken : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Within a lane the order of the commits is kept; empty: in none.
std::string lane_of(const satchel::Message& message);

/// There is a limit to how much may wait.
bool limits(const satchel::Quota& quota);

/// What happens to a message when it is sent.
enum class Nature { good, flaky, reject, poison, killer, forbidden };

/// Everything that the outside world knows about a message.
struct Fate {
  satchel::MessageId id;
  satchel::Message message;
  Nature nature = Nature::good;
  satchel::BootTime created{};

  int sent = 0;
  int arrived = 0;       ///< copies that reached the receiver
  int causes = 0;        ///< reasons for another copy
  int countable = 0;     ///< events that may count as an attempt
  int excused = 0;       ///< attempts before the last replay
  int delivered_in = 0;  ///< incarnation of the relay that got a delivered receipt, 0: none
  bool in_flight = false;
  bool noted = false;   ///< the relay's note may still say that it is in flight
  bool erased = false;  ///< by somebody else, or discarded
  bool discarded = false;
  /// The first event that may count as an attempt since the last replay.
  std::optional<satchel::BootTime> first_failed{};
  std::optional<std::int64_t> number{};  ///< on its route, as it was sent
  bool announcement = false;
  bool dropped = false;
  bool expired = false;
  bool replayed = false;
  bool told_dead = false;
  bool unlucky = false;
};

/// Stands outside: sees what is enqueued, sent, answered and told, and judges. Throws `Broken`.
class Oracle final : public satchel::Observer {
 public:
  Oracle(const satchel::Clock& clock, const satchel::Options& options) : clock_{clock}, options_{options} {}

  void enqueued(const satchel::MessageId& id, const satchel::Message& message, Nature nature);
  void sent(const satchel::Delivery& delivery);
  /// The peer has the message.
  void arrived(Row row);
  /// The receipt that the sink gives for it.
  void answered(Row row, const satchel::Receipt& receipt, bool was_alone);
  /// The relay's process ended.
  void crashed(bool alone_counts);
  /// Somebody else takes the claim, and finds the note of what is in flight.
  void claim_void(bool alone_counts);
  /// The relay has nothing in flight and nothing to record: its note says so.
  void note_is_corrected();
  void erased(Row row);
  void replayed(Row row);
  void discarded(Row row);
  /// The relay that lives knows that it was delivered.
  bool has_arrived(Row row) const { return fates_.at(row).delivered_in == incarnation_; }
  bool knows(Row row) const { return fates_.contains(row); }
  /// Keeps what is wrong about a message, for `check`: what a sink throws is the relay's to handle.
  void demand(bool holds, Row row, const std::string& what);
  /// It was pending before another message was enqueued, and is not any more.
  void given_up(Row row, const satchel::Message& by);

  /// Messages are numbered on the route that takes `far/#`, or the other one; `alone`: that takes all.
  void numbers(bool far, bool alone) {
    numbered_.insert(far);
    alone_ = alone;
  }
  /// How many of these messages have this priority, with their bytes; `nullopt`: any. Without announcements.
  std::pair<std::uint64_t, std::uint64_t> load(const std::set<Row>& pending,
                                               std::optional<satchel::Priority> priority) const;

  /// Everything has come to rest.
  void at_end(const std::set<Row>& pending, const std::set<Row>& dead);

  Fate& fate(Row row) { return fates_.at(row); }
  const std::map<Row, Fate>& fates() const noexcept { return fates_; }
  const std::vector<std::string>& defects() const noexcept { return defects_; }
  void check() const;
  /// Called when outcomes were recorded, and everything with them that the relay has to remember.
  void on_recorded(std::function<void()> recorded) { recorded_ = std::move(recorded); }
  /// Says what happens, for people who look at one seed.
  void trace(bool on) { trace_ = on; }
  void say(const std::string& what) const;

  // Observer
  void delivered(const satchel::MessageId& id, int attempts) noexcept override;
  void retrying(const satchel::MessageId& id, int attempts, const std::string& error,
                std::chrono::milliseconds backoff) noexcept override;
  void sink_up(const std::string&) noexcept override { say("sink up"); }
  void sink_down(const std::string&, const std::string& reason, bool,
                 std::chrono::milliseconds pause) noexcept override {
    say("sink down for " + std::to_string(pause.count()) + " ms: " + reason);
  }
  void leading(bool leads) noexcept override;
  void failing(const std::string& problem, const std::string&) noexcept override {
    say("failing: " + problem);
  }
  void healed() noexcept override { say("healed"); }
  void died(const satchel::MessageId& id, satchel::DeadReason reason,
            const std::string& error) noexcept override;
  void expired(const satchel::MessageId& id) noexcept override;

 private:
  /// What the relay knew and had not recorded is void.
  void forgot();
  void demand_order(const Fate& fate);
  void demand_no_dead(const Fate& fate);
  void demand_number(Fate& fate, const std::optional<std::int64_t>& number);
  bool takes_far(const satchel::Message& message) const;
  Fate& fate_of(const satchel::Delivery& delivery);
  bool may_be_given_up(const Fate& fate) const;
  bool has_aged(const Fate& fate) const;
  static void may_count(Fate& fate, satchel::BootTime now);
  bool may_be_missed(const Fate& fate, const std::set<Row>& dead) const;
  void demand_no_gaps(const std::set<Row>& dead);
  void demand_no_missing_number(bool far, const std::set<Row>& dead);
  int attempts_of(const Fate& fate) const;

  const satchel::Clock& clock_;
  const satchel::Options options_;
  std::map<Row, Fate> fates_;
  /// By lane: not at its end as far as anybody outside knows.
  std::map<std::string, std::set<Row>> waiting_;
  /// By key: the dead letters that were told.
  std::map<std::string, std::set<Row>> dead_;
  std::function<void()> recorded_;
  std::set<bool> numbered_;
  /// By route: the numbers that were sent.
  std::map<bool, std::map<Row, std::int64_t>> numbers_;
  bool alone_ = false;
  Receiver receiver_;
  std::vector<std::string> defects_;
  int incarnation_ = 1;
  bool trace_ = false;
};

}  // namespace simulation
