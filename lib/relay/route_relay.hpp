// SPDX-License-Identifier: MIT
#pragma once

#include "relay/inbox.hpp"
#include "relay/isolation.hpp"
#include "relay/ledger.hpp"
#include "relay/limits.hpp"
#include "relay/route.hpp"
#include "relay/shared.hpp"
#include "relay/tiers.hpp"
#include "relay/topics.hpp"
#include "relay/window.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::relay {

/// One route of a relay: what its sink is given, and what becomes of that. It joins the decisions of its
/// parts; what is recorded, and what is noted before a hand-over, is the engine's business.
class RouteRelay {
 public:
  struct Way {
    Sink& sink;
    const RouteOptions& options;
    /// The topics that take this route; empty: all.
    std::function<bool(std::string_view)> accepts;
  };

  RouteRelay(Shared& shared, std::size_t number, const Way& way, std::function<void()> wake);
  RouteRelay(const RouteRelay&) = delete;
  RouteRelay& operator=(const RouteRelay&) = delete;

  // ---- rounds: route_relay.cpp ----

  /// Takes up what the sink has said. True when there was anything.
  bool take_inbox();
  /// The relay leads from now on; `notes` is what it kept the last time.
  void begin(const std::map<std::string, std::string>& notes);
  /// The claim is gone: everything taken up is void.
  void abandon() noexcept;
  /// Nothing in flight is waited for any more.
  void give_up_flights() noexcept { lead_->flights.clear(); }
  /// What is due by time.
  void tick();
  std::optional<BootTime> next_step() const;

  /// More may have been committed.
  void changed() noexcept { lead_->tiers.changed(); }
  /// All rows have to be looked at again.
  void rescan() noexcept { lead_->tiers.rescan(); }
  /// Messages of these keys are not blocked any more.
  void unblocked(const std::vector<std::string>& keys);
  /// A message of this route has become ready.
  void appeared(const Released::Row& row);

  void say_problem(const std::string& problem) { sink_problem_ = problem; }
  /// Tells the sink to give everything up, if it was ever started.
  void cut_off();
  void stop_sink(milliseconds timeout) noexcept;

  /// Thread-safe: nothing more is sent from now on, or it is again, and at once.
  void pause(bool paused) noexcept {
    pause_wanted_.store(paused, std::memory_order_relaxed);
    if (!paused) hurried_.store(true, std::memory_order_relaxed);
  }

  void publish(RouteStatus& status);
  std::size_t in_flight() const noexcept { return lead_ ? lead_->flights.size() : 0; }
  void add_sizes(Snapshot& snapshot) const noexcept;
  std::uint64_t overflowed() const { return inbox_.overflowed(); }

  // ---- hand-over: route_relay_send.cpp ----

  bool may_send() const noexcept;
  /// A message that may end the process has its turn, or is in flight: no other route may send anything.
  bool wants_process() const noexcept;
  bool has_process() const noexcept { return lead_ && lead_->alone && lead_->sole; }
  /// Chooses what goes next; `others`: deliveries of other routes in flight.
  std::vector<Loaded> fill(std::size_t others);
  /// A failure of the storage came between: what was chosen is to be read again.
  void put_back(const std::vector<Loaded>& batch);
  /// Hands over what was chosen, but for the rows of `left_out`, ascending.
  void launch(std::vector<Loaded> batch, const std::vector<std::int64_t>& left_out);
  void add_flights(std::vector<std::int64_t>& rows) const;

  // ---- suspects of a crash: route_relay_end.cpp ----

  /// A message that was in flight when the last relay's process died is sent alone from now on. False: an
  /// older one of its key goes first.
  bool take_suspect(const Loaded& found);
  /// The death of the process counts against it.
  void count_crash(std::int64_t row);

  // ---- recording: route_relay_end.cpp ----

  /// An outcome of this route is recorded.
  void recorded(const Outcome& outcome);
  /// Adds what has to be kept over a restart.
  void add_notes(std::vector<std::pair<std::string, std::string>>& notes);
  void notes_recorded() noexcept { note_due_ = false; }

 private:
  /// What is remembered while the relay leads.
  struct Lead {
    Lead(const Options& options, Storage& storage, const DeadKeys& dead_keys,
         const std::function<bool(std::string_view)>& accepts, Drain drain)
        : tiers{options, storage, dead_keys, accepts, drain}, window{options.window} {}

    Tiers tiers;
    Ledger ledger{};
    /// By claim, which is the order of hand-over.
    std::map<std::uint64_t, Flight> flights{};
    std::size_t flight_bytes = 0;
    /// A message is sent, or in flight, alone.
    bool alone = false;
    /// It has the whole process to itself.
    bool sole = false;
    std::set<std::pair<BootTime, std::int64_t>> backoff{};
    Topics topics{};
    Isolation isolation{};
    Window window;
    /// The sink was told to give up what is out for too long.
    std::optional<BootTime> reset_at{};
  };

  // route_relay.cpp
  void follow_pause();
  void watch_sink();
  void probe();
  void take_back_overdue();

  // route_relay_send.cpp
  bool fill_alone(std::vector<Loaded>& batch, std::size_t others);
  bool next_suspect(std::vector<Loaded>& batch, std::size_t others);
  bool try_topic(std::vector<Loaded>& batch);
  bool add_from(Tier& tier, std::vector<Loaded>& batch, std::size_t& bytes);
  bool fits(std::size_t bytes, std::size_t batch_bytes, bool first) const noexcept;
  bool admit(Loaded message, std::vector<Loaded>& batch);
  void take_up(Entry& entry, const Loaded& message) const;
  void withhold(std::vector<Loaded>& batch, const std::vector<std::int64_t>& rows);
  std::optional<Loaded> read(std::int64_t row);
  void vanish(std::int64_t row);
  void plan();
  bool admitted(std::size_t bytes, Priority priority);
  void spend(const std::vector<Loaded>& batch);

  // route_relay_receipts.cpp: what came back
  void on_receipt(const Receipt& receipt);
  void on_down(const Receipt& receipt, const Flight& flight, Entry& entry);
  bool ends_trial(Entry& entry);
  void on_blocked(const Receipt& receipt, const Flight& flight, Entry& entry);
  void fell(const Receipt& cause);
  void rose();
  void conclude(const Isolation::Verdict& verdict);
  void release_topic(const std::string& topic);
  void forget_topic(const std::string& topic);
  void release_all_topics();
  void hold_back(std::int64_t row);
  void let_go(std::int64_t row);
  void send_again(Entry& entry);
  milliseconds age(const Entry& entry) const noexcept;

  // route_relay_end.cpp
  void end(Entry& entry, Outcome outcome);
  void end_delivered(Entry& entry, BootTime sent_at);
  void end_expired(Entry& entry);
  void end_dead(Entry& entry, DeadReason reason, int attempts, std::string error);
  void end_failed(Entry& entry, int attempts, const std::string& error, milliseconds backoff,
                  bool silent = false);
  void block(const Entry& entry);
  RetryLimits limits_for(const Entry& entry) const;

  // Constant after construction:
  Shared& shared_;
  const std::size_t number_;
  Sink& sink_;
  const std::string name_;
  const std::function<bool(std::string_view)> accepts_;
  const Drain drain_;
  /// The relay's, with the window of this route.
  const Options options_;

  // Synchronises itself:
  Inbox inbox_;
  std::atomic<bool> pause_wanted_;
  std::atomic<bool> hurried_ = false;

  // The relay's thread only:
  Route route_;
  Limits limits_;
  /// What is left of `limits_` while a batch is being chosen; nothing: there are none.
  std::optional<Limits> plan_{};
  WallReading wall_{};
  std::unique_ptr<Lead> lead_{};
  bool paused_ = false;
  /// A suspect that may end the process has its turn.
  bool wants_process_ = false;
  bool outage_ = false;
  HeldBy held_by_ = HeldBy::nothing;
  bool note_due_ = false;
  /// After an outage nothing is sent before.
  BootTime send_from_{};
  /// When the limits allow more; nothing: they are not in the way.
  std::optional<BootTime> limited_until_{};
  std::string sink_name_{};
  std::string sink_problem_{};
  std::uint64_t deliveries_ = 0;
  std::uint64_t delivered_ = 0;
  bool sink_started_ = false;
};

}  // namespace satchel::relay
