// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"

#include <satchel/sink.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace satchel {

/// What a sink with a thread of its own still owes the relay: lets exactly one receipt through for each
/// delivery, and nothing after `close`. Any thread.
class Outlet {
 public:
  explicit Outlet(SinkEvents& events) : events_{&events} {}

  /// Receipts are owed for these from now on.
  void expect(const std::vector<Delivery>& batch);
  /// They may have reached the receiver from now on.
  void on_the_wire(const std::vector<std::uint64_t>& claims);

  /// Passes on those that are still owed.
  void answer(std::vector<Receipt> receipts) noexcept;
  void up() noexcept;
  void down(Receipt cause) noexcept;

  /// Answers everything that is still owed with `down`; later answers for them are swallowed.
  void give_up(const std::string& reason) noexcept;
  /// The same for `Sink::reset`, which takes everything as exposed.
  void give_up_exposed(const std::string& reason) noexcept;
  /// Waits until nothing is owed; false: the time is over.
  bool wait_answered(std::chrono::steady_clock::time_point until) noexcept;
  /// No event gets through after it returns; waits for one that is on its way, unless this is the thread that
  /// sends it.
  void close() noexcept;

 private:
  void give_up(const std::string& reason, bool all_exposed) noexcept;
  template <typename Call>
  void pass_on(Call call) noexcept;

  // Constant after construction.
  SinkEvents* const events_;
  // Own synchronisation.
  Mutex mutex_;
  std::condition_variable quiet_;
  /// True: on the wire.
  std::unordered_map<std::uint64_t, bool> owed_ SATCHEL_GUARDED_BY(mutex_);
  std::vector<std::thread::id> calls_ SATCHEL_GUARDED_BY(mutex_);
  bool closed_ SATCHEL_GUARDED_BY(mutex_) = false;
};

}  // namespace satchel
