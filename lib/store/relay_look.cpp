// SPDX-License-Identifier: MIT
#include "store/errors.hpp"
#include "store/log.hpp"
#include "store/relay_side.hpp"

#include <algorithm>
#include <utility>

namespace satchel::store {
namespace {

/// A standby looks for the lock this often even if nothing announces its end.
constexpr std::chrono::seconds kSafetyLook{5};
/// What waits for its time by the wall clock may be due when that can be trusted.
constexpr std::chrono::minutes kTrustLook{1};
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
  look.next = leading() ? look_as_leader(seen, now, changed_) : look_as_standby(seen, now, changed_);
  if (busy_retry_ && now >= *busy_retry_) {
    busy_retry_.reset();
    changed_ = true;
  }
  look.next = earlier(look.next, busy_retry_);
  if (leading()) {
    look.next = earlier(look.next, vacuum_.next(now));
    if (checkpoint_at_ && now >= *checkpoint_at_) checkpoint_at_.reset();
    look.next = earlier(look.next, checkpoint_at_);
    look_for_due(look, now);
  }
  look.changed = std::exchange(changed_, false);
  return look;
}

void RelaySide::look_for_due(Look& look, BootTime now) {
  const std::uint64_t seen = site_.file->delayed.load();
  // Asked only where it matters: it costs two system calls, and `look` comes at every round.
  const bool trusted = delayed_ && delayed_->by_wall ? site_.clock->wall().trusted : delayed_trusted_;
  if (changed_ || seen != delayed_seen_ || trusted != delayed_trusted_) delayed_.reset();
  // The message that was waited for may be gone: dropped, or replaced.
  if (delayed_ && delayed_->next && now >= *delayed_->next) delayed_.reset();
  if (!delayed_) {
    const Present at = present();
    delayed_ = in_our_terms("look for messages that are due", [&] { return delays_.look(at); });
    delayed_seen_ = seen;
    delayed_trusted_ = at.trusted;
  }
  look.due = delayed_->due;
  look.next = earlier(look.next, delayed_->next);
  // Nobody tells when the wall clock begins to be trusted.
  if (delayed_->by_wall && !delayed_trusted_) look.next = earlier(look.next, now + kTrustLook);
}

Released RelaySide::release_due(std::size_t max_count) {
  if (!leading() || lost_) lose("release messages that are due");
  Released released;
  if (!enter_gate()) {
    released.occupied = true;
    return released;
  }
  const Turn turn{site_.file->gate};
  if (gives_way()) return Released{{}, true};
  try {
    Immediate transaction{connection_};
    if (settler_.epoch() != epoch_) lose("release messages that are due");
    released.rows = delays_.release(max_count, present());
    transaction.commit();
  } catch (const SQLite::Exception& failure) {
    const int code = code_of(failure);
    if (primary(code) != SQLITE_BUSY || !give_way()) throw_error("release messages that are due", failure);
    return Released{{}, true};
  }
  busy_since_.reset();
  busy_retry_.reset();
  delayed_.reset();
  return released;
}

std::vector<std::string> RelaySide::dead_keys(std::size_t limit) {
  return in_our_terms("look for keys of dead letters", [&] {
    std::vector<std::string> keys;
    Statement next{connection_.database(),
                   "SELECT key FROM satchel_dead INDEXED BY satchel_dead_by_key"
                   " WHERE key IS NOT NULL AND key > ?1 ORDER BY key LIMIT 1"};
    std::string last;  // no key is empty
    while (keys.size() < limit) {
      const Use row{next};
      next.bind_text(1, last);
      if (!next.step()) break;
      keys.emplace_back(next.text(0));
      last = keys.back();
    }
    return keys;
  });
}

std::optional<BootTime> RelaySide::look_as_leader(const Watch::Seen& seen, BootTime now, bool& changed) {
  // Others may have made it anew, and nobody would hear them.
  if (seen.gone && !relay_file_->current()) lose("look");
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
  if (changed) {
    stale_.store(true);
    count_log();
  }
  return next;
}

/// Commits that are not satchel's own are counted by nobody else, and a sink that is down makes no commit.
void RelaySide::count_log() noexcept {
  const std::optional<LogExtent> log = log_extent(connection_.handle());
  if (log && log->mark() != site_.file->copied_mark.load()) site_.file->wal_frames.store(log->frames);
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
