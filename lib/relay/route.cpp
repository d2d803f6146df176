// SPDX-License-Identifier: MIT
#include "relay/route.hpp"

#include <algorithm>

namespace satchel::relay {

void Route::want(BootTime now) noexcept {
  if (state_ != State::off) return;
  state_ = State::down;
  since_ = until_ = now;
}

void Route::leave(BootTime now) noexcept {
  end_of_up(now);
  state_ = State::off;
  since_ = now;
}

void Route::hurry(BootTime now) noexcept { until_ = std::min(until_, now); }

bool Route::probe_due(BootTime now) const noexcept {
  return (state_ == State::down || state_ == State::blocked) && now >= until_;
}

void Route::probing(BootTime now) noexcept {
  state_ = State::connecting;
  since_ = now;
}

std::optional<BootTime> Route::asked() const noexcept {
  return state_ == State::connecting ? std::optional{since_} : std::nullopt;
}

bool Route::rise(BootTime now) noexcept {
  // An `up` that nobody asked for must not cut a pause short that the peer asked for.
  if (state_ != State::connecting) return false;
  state_ = State::up;
  since_ = now;
  ++session_;
  return true;
}

std::optional<milliseconds> Route::fall(const Receipt& cause, BootTime now, Jitter& jitter) noexcept {
  const bool blocks = cause.verdict == Verdict::blocked;
  const bool first = state_ == State::up || state_ == State::connecting;
  if (state_ == State::off) return std::nullopt;
  if (!first && (state_ == State::blocked || !blocks)) {
    until_ = std::max<BootTime>(until_, now + capped_wish(probe_, cause.after));
    return std::nullopt;
  }
  if (first) {
    if (state_ == State::up && now - since_ >= stable_after_) failures_ = 0;
    failures_ = std::min(failures_ + 1, 1'000'000);
    end_of_up(now);
  }
  milliseconds pause{0};
  if (blocks) {
    pause = std::max<milliseconds>(blocked_probe_ + jitter.draw(blocked_probe_ / 10),
                                   capped_wish(probe_, cause.after));
  } else {
    pause = pause_after(probe_, failures_, cause.after, jitter);
  }
  state_ = blocks ? State::blocked : State::down;
  since_ = now;
  until_ = now + pause;
  return pause;
}

milliseconds Route::up_total(BootTime now) const noexcept {
  const auto all = up() ? up_before_ + (now - since_) : up_before_;
  return std::chrono::duration_cast<milliseconds>(all);
}

std::optional<BootTime> Route::next() const noexcept {
  return state_ == State::down || state_ == State::blocked ? std::optional{until_} : std::nullopt;
}

void Route::end_of_up(BootTime now) noexcept {
  if (up()) up_before_ += now - since_;
}

}  // namespace satchel::relay
