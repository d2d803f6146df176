// SPDX-License-Identifier: MIT
#include "relay/trouble.hpp"

#include <algorithm>

namespace satchel::relay {

namespace {

constexpr Backoff kStorageBackoff{milliseconds{100}, 2.0, milliseconds{30'000}};

}  // namespace

void Trouble::failed(const std::string& problem, const std::string& hint, BootTime now) {
  times_ = std::min(times_ + 1, 1'000'000);
  // Half of it fixed: a draw near zero would try a full disk in a hot loop.
  const milliseconds most = ceiling(kStorageBackoff, times_);
  until_ = now + std::max(milliseconds{100}, most / 2 + jitter_.draw(most / 2));
  const bool news = !failure_;
  failure_ = BackgroundFailure{problem, hint, news ? now : failure_->since};
  if (news) observer_.failing(problem, hint);
}

void Trouble::passed() {
  times_ = 0;
  until_.reset();
  if (!failure_) return;
  failure_.reset();
  observer_.healed();
}

}  // namespace satchel::relay
