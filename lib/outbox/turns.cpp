// SPDX-License-Identifier: MIT
#include "outbox/turns.hpp"

#include <satchel/error.hpp>

#include <algorithm>

namespace satchel::outbox {

using std::chrono::milliseconds;

bool Turns::stop(Engine& engine, milliseconds timeout) {
  // Steady time, not the clock port, as for a relay thread that hangs.
  const auto until = std::chrono::steady_clock::now() + timeout;
  {
    std::unique_lock lock{mutex_};
    if (mine()) {
      asked_ = asked_ ? std::min(*asked_, timeout) : timeout;
      return false;
    }
    if (!freed_.wait_until(lock, until, [this] { return is_free(); })) {
      asked_ = milliseconds{0};
      return false;
    }
    holder_ = std::this_thread::get_id();
  }
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  const bool clean = engine.finish(std::max(left, milliseconds{0}));
  const std::lock_guard lock{mutex_};
  give_back();
  return clean;
}

void Turns::give_back() noexcept {
  holder_ = {};
  freed_.notify_one();
}

Turns::Turn::Turn(Turns& turns, const char* operation) : turns_{turns} {
  std::unique_lock lock{turns.mutex_};
  if (turns.mine()) {
    throw UsageError{operation, "this thread is in a callback of run_once",
                     "call it after run_once has returned"};
  }
  turns.freed_.wait(lock, [&turns] { return turns.is_free(); });
  turns.holder_ = std::this_thread::get_id();
}

Turns::Turn::~Turn() {
  if (over_) return;
  const std::lock_guard lock{turns_.mutex_};
  turns_.give_back();
}

bool Turns::Turn::step(Engine& engine) {
  const bool worked = engine.step();
  milliseconds timeout{0};
  {
    const std::lock_guard lock{turns_.mutex_};
    // Looked at and given back in one: nobody can ask in between.
    over_ = !turns_.asked_;
    if (over_) {
      turns_.give_back();
      return worked;
    }
    timeout = *turns_.asked_;
  }
  engine.finish(timeout);
  return false;
}

}  // namespace satchel::outbox
