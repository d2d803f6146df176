// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/error.hpp>

#include "relay/inbox.hpp"
#include "relay/isolation.hpp"
#include "relay/ledger.hpp"
#include "relay/outcomes.hpp"
#include "relay/policy.hpp"
#include "relay/relay.hpp"
#include "relay/route.hpp"
#include "relay/supply.hpp"
#include "relay/topics.hpp"
#include "relay/trouble.hpp"
#include "relay/window.hpp"

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace satchel::relay {

/// Joins the decisions with the ports. Its parts decide, it does what they say.
class Relay::Engine {
 public:
  Engine(const Options& options, Ports ports, std::function<void()> wake, std::uint64_t seed);
  ~Engine();

  bool step() noexcept;
  std::optional<BootTime> next_step() const;
  void drain() noexcept { draining_ = true; }
  bool drained() const noexcept;
  void finish(milliseconds timeout) noexcept;
  Snapshot snapshot() const;

 private:
  /// Set by the storage from any thread; outlives the engine, because a last call may come late.
  struct Signal {
    std::atomic<bool> changed{true};
    std::function<void()> wake;
  };

  /// What a relay remembers while it leads; all of it ends with the claim.
  struct Lead {
    Lead(const Options& options, Storage& storage) : supply{options, storage}, window{options.window} {}

    Supply supply;
    Ledger ledger{};
    /// By claim, which is the order of hand-over.
    std::map<std::uint64_t, Flight> flights{};
    std::size_t flight_bytes = 0;
    bool alone = false;
    std::set<std::int64_t> again{};
    std::set<std::pair<BootTime, std::int64_t>> backoff{};
    Outcomes outcomes{};
    Topics topics{};
    Isolation isolation{};
    Window window;
    std::uint64_t rescans = 0;
    /// The sink was told to give up what is out for too long.
    std::optional<BootTime> reset_at{};
    /// Before that no message is sent that may end the process.
    BootTime quiet_until{};
    /// In flight when the last relay's process died, and not cleared of that yet.
    std::set<std::int64_t> crash_suspects{};
    /// A batch is divided by it: more than 1 after the storage had no room for all at once.
    std::size_t settle_share = 1;
    /// The storage was occupied at the last try.
    bool occupied = false;
    /// The storage's note of what is in flight names messages that came back and are still pending.
    bool note_is_stale = false;
  };

  // engine.cpp: rounds
  void round();
  bool take_inbox();
  void tick();
  void watch_sink();
  void take_back_overdue();
  void correct_note();
  void publish();
  void forget_changes() noexcept;
  template <typename Call>
  void guarded(const Call& call) noexcept;

  // engine_claim.cpp: becoming and ceasing to be the relay
  bool lead();
  void examine_suspects(const Recovery& recovery);
  InFlight suspects_to_note() const;
  void lose_claim(const std::string& problem) noexcept;
  void start_over() noexcept;

  // engine_send.cpp: hand-over
  bool hand_over();
  std::vector<Loaded> fill();
  bool fill_alone(std::vector<Loaded>& batch);
  bool try_topic(std::vector<Loaded>& batch);
  bool add_again(std::vector<Loaded>& batch, std::size_t& bytes);
  bool add_next(std::vector<Loaded>& batch, std::size_t& bytes);
  bool admit(Loaded message, std::vector<Loaded>& batch);
  void put_back(const std::vector<Loaded>& batch);
  void launch(std::vector<Loaded> batch);
  bool fits(std::size_t bytes, std::size_t batch_bytes, bool first) const noexcept;
  std::optional<Loaded> read(std::int64_t row);
  void vanish(std::int64_t row);

  // engine_receipts.cpp: what came back
  void on_receipt(const Receipt& receipt);
  void on_down(const Receipt& receipt, const Flight& flight, Entry& entry);
  void on_blocked(const Receipt& receipt, const Flight& flight, Entry& entry);
  void fell(const Receipt& cause);
  void rose();
  void conclude(const Isolation::Verdict& verdict);
  void release_topic(const std::string& topic);
  void release_all_topics();
  void hold_back(std::int64_t row);
  void send_again(Entry& entry);
  milliseconds age(const Entry& entry) const noexcept;

  // engine_settle.cpp: recording
  void end(Entry& entry, Outcome outcome);
  void end_delivered(Entry& entry);
  void end_expired(Entry& entry);
  void end_dead(Entry& entry, DeadReason reason, int attempts, std::string error);
  void end_failed(Entry& entry, int attempts, const std::string& error, milliseconds backoff,
                  bool silent = false);
  void settle();
  bool settle_due() const;
  bool settle_once();
  void note(const Outcome& outcome);

  // Constant after construction:
  const Options options_;
  const Ports ports_;
  const std::shared_ptr<Signal> signal_;

  // Synchronises itself:
  Inbox inbox_;

  // The relay's thread only:
  Jitter jitter_;
  Route route_;
  Trouble trouble_;
  std::unique_ptr<Lead> lead_;
  BootTime now_{};
  std::optional<BootTime> look_next_;
  std::optional<BootTime> acquire_at_;
  /// What the storage told at the acquisition, until it is taken up: it tells it only once.
  std::optional<Recovery> recovery_;
  std::string sink_name_;
  std::string sink_problem_;
  std::uint64_t claims_ = 0;
  std::uint64_t deliveries_ = 0;
  bool sink_started_ = false;
  bool draining_ = false;
  bool finished_ = false;
  bool progress_ = false;
  Snapshot counters_{};

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Snapshot published_{};
};

/// Runs a part of a round. A failure of the storage becomes the sticky failure. After anything else, such as
/// a lack of memory, nobody knows what the state in memory is worth: it is dropped.
template <typename Call>
void Relay::Engine::guarded(const Call& call) noexcept {
  try {
    try {
      call();
    } catch (const ClaimLost& lost) {
      lose_claim(lost.problem());
    } catch (const Error& error) {
      trouble_.failed(error.operation() + ": " + error.problem(), error.hint(), now_);
    } catch (const std::exception& error) {
      start_over();
      trouble_.failed(std::string{"relay: "} + error.what(), "the relay starts over by itself", now_);
    }
  } catch (...) {
    start_over();
  }
}

}  // namespace satchel::relay
