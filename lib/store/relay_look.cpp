// SPDX-License-Identifier: MIT
#include "store/errors.hpp"
#include "store/relay_side.hpp"

#include <algorithm>

namespace satchel::store {
namespace {

/// A standby looks for the lock this often even if nothing announces its end.
constexpr std::chrono::seconds kSafetyLook{5};
/// The longest time between two looks when inotify is not to be had.
constexpr std::chrono::milliseconds kBlindLook{1000};

std::optional<BootTime> earlier(std::optional<BootTime> a, std::optional<BootTime> b) {
  if (!a) return b;
  return b ? std::min(*a, *b) : a;
}

}  // namespace

Look RelaySide::look() {
  const BootTime now = site_.clock->now();
  const Watch::Seen seen = watch_.drain();
  Look look;
  look.next = leading() ? look_as_leader(seen, now, look.changed) : look_as_standby(seen, now, look.changed);
  if (busy_retry_ && now >= *busy_retry_) {
    busy_retry_.reset();
    look.changed = true;
  }
  look.next = earlier(look.next, busy_retry_);
  return look;
}

std::optional<BootTime> RelaySide::look_as_leader(const Watch::Seen& seen, BootTime now, bool& changed) {
  if (seen.touched || seen.gone) changed = true;
  std::optional<BootTime> next;
  if (site_.options.external_writers) {
    if (seen.written) {
      wal_ladder_.start(now);
      watch_files();
    }
    wal_ladder_.take(now);
    // The log is written before the commit can be seen, and a commit may follow the one that is seen now: the
    // ladder is always climbed to its end.
    const std::int64_t version = in_our_terms("look at the file", [&] { return connection_.data_version(); });
    if (version != looked_version_) changed = true;
    looked_version_ = version;
    next = earlier(wal_ladder_.next(), now + site_.options.polling_interval);
  }
  if (!watch_.works()) {
    changed = true;
    next = earlier(next, now + std::min(site_.options.polling_interval, kBlindLook));
  }
  if (changed) stale_.store(true);
  return next;
}

std::optional<BootTime> RelaySide::look_as_standby(const Watch::Seen& seen, BootTime now, bool& changed) {
  // The event comes a little before the kernel frees the lock.
  if (seen.released || seen.gone) {
    lock_ladder_.start(now);
    changed = true;
  }
  if (lock_ladder_.take(now)) changed = true;
  if (!polled_ || now >= *polled_) {
    changed = true;
    polled_ = now + (watch_.works() ? std::chrono::milliseconds{kSafetyLook} : kBlindLook);
  }
  return earlier(lock_ladder_.next(), polled_);
}

}  // namespace satchel::store
