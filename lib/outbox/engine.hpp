// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"
#include "outbox/health.hpp"
#include "outbox/wake.hpp"
#include "relay/relay.hpp"
#include "store/store.hpp"

#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/sink.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace satchel::outbox {

/// A route as it was attached, its name filled in.
struct Way {
  std::unique_ptr<Sink> sink;
  RouteOptions options{};
};

/// A relay with all that it needs, and the thread that drives it. Shared by the outbox and by that thread, so
/// that a thread which hangs in somebody's code can be left behind: it ends, and frees everything, when it
/// gets out.
///
/// Thread-safe, except that `step` must not be called while the thread runs.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  /// Takes the sinks only when it returns: after an exception the caller still has them.
  Engine(std::shared_ptr<store::Store> store, std::vector<Way>& ways, Options options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Starts the thread. Call once.
  void start();

  /// Asks the thread to take up nothing new and to end when all in flight is answered or `drain` is over, and
  /// waits for that until `patience` is over; a thread that is still not out then is left to itself. True
  /// when everything came to its end. May be called again. On the relay thread itself: asks only, false.
  bool stop(std::chrono::milliseconds drain, std::chrono::milliseconds patience);

  /// One round on the calling thread.
  bool step();

  /// Ends a relay that `step` drove: what `stop` does, without a thread.
  bool finish(std::chrono::milliseconds timeout);

  /// Nothing more is sent on the route of this number, or it is again. Thread-safe.
  void pause(std::size_t route, bool paused) noexcept { relay_.pause(route, paused); }

  relay::Snapshot snapshot() const { return relay_.snapshot(); }

  /// How the rounds come. Thread-safe.
  struct Pulse {
    std::optional<BootTime> last;  ///< the last round began
    std::optional<BootTime> due;   ///< it should have ended, or the next one should begin; nothing: no time
  };
  Pulse pulse() const noexcept;

 private:
  void run() noexcept;
  bool drive_to_end(BootTime deadline);
  bool round();
  void tell(bool last) noexcept;
  std::optional<BootTime> stop_deadline() const;
  void wait(std::optional<BootTime> limit);

  // Constant after construction, each with its own synchronisation or confined to the relay thread.
  const std::shared_ptr<store::Store> store_;
  const std::shared_ptr<Health> health_;
  const Options options_;
  std::vector<Way> ways_;                                        // set at the end of construction
  const std::shared_ptr<Wake> wake_ = std::make_shared<Wake>();  // a last call may come late
  relay::Relay relay_;
  std::thread thread_;
  // Boot clock in nanoseconds; kNever: nothing.
  static constexpr BootTime::rep kNever = std::numeric_limits<BootTime::rep>::min();
  std::atomic<BootTime::rep> last_round_{kNever};
  std::atomic<BootTime::rep> due_{kNever};
  // relay thread only
  std::chrono::milliseconds beat_every_{0};  // 0: nobody wants to be told
  BootTime next_beat_{};
  BootTime next_tell_{};
  std::uint64_t told_states_ = 0;  // of the relay's routes
  bool untold_ = false;            // there were rounds since

  mutable Mutex mutex_;
  std::condition_variable ended_changed_;
  std::optional<BootTime> stop_at_ SATCHEL_GUARDED_BY(mutex_);
  std::thread::id runner_ SATCHEL_GUARDED_BY(mutex_);
  bool ended_ SATCHEL_GUARDED_BY(mutex_) = false;
  bool ended_clean_ SATCHEL_GUARDED_BY(mutex_) = false;
};

}  // namespace satchel::outbox
