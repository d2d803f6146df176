// SPDX-License-Identifier: MIT
#include "store/errors.hpp"
#include "store/relay_side.hpp"

#include <algorithm>
#include <iterator>

namespace satchel::store {
namespace {

constexpr std::size_t kMostGone = 10'000;

/// After this long a foreign writer that keeps the lock is a failure worth a report. Until then it is just
/// another turn to wait for.
constexpr std::chrono::milliseconds kBusyPause{50};
/// Between two tries of a checkpoint that others keep up.
constexpr std::chrono::milliseconds kCheckpointPause{100};

bool contains(const std::vector<std::int64_t>& sorted, std::int64_t row) {
  return std::binary_search(sorted.begin(), sorted.end(), row);
}

std::vector<std::int64_t> rows_of(const Settlement& settlement) {
  std::vector<std::int64_t> rows = settlement.delivered;
  rows.insert(rows.end(), settlement.expired.begin(), settlement.expired.end());
  for (const Failure& failure : settlement.failures) rows.push_back(failure.row);
  for (const Death& death : settlement.deaths) rows.push_back(death.row);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

bool RelaySide::settle(const Settlement& settlement) {
  if (!leading() || lost_) lose("settle");
  if (settlement.size() == 0 && settlement.notes.empty()) return true;
  if (!enter_gate()) return false;
  Turn turn{site_.file->gate};
  if (gives_way()) return false;
  // Behind the gate nothing is on its way.
  site_.file->riders.withdraw();
  take_up_rides();
  // Taken before the commit: the frames of this commit are what protects the checkpoint.
  std::optional<CheckpointRight> right;
  if (!checkpoint_at_ && checkpoint_due(*site_.file, site_.checkpoint_frames))
    right.emplace(site_.file, site_.relay_path);
  bool committing = false;
  std::int64_t announced = 0;
  enqueuer_.begin();
  unburied_ = false;
  try {
    Immediate transaction{connection_};
    if (settler_.epoch() != epoch_) lose("settle");
    record_outcomes(settlement);
    announced = enqueuer_.announce({site_.boot, to_ms(site_.clock->now())});
    committing = true;
    transaction.commit();
  } catch (const SQLite::Exception& failure) {
    const int code = code_of(failure);
    if (primary(code) == SQLITE_BUSY && give_way()) return false;
    if (committing && primary(code) == SQLITE_IOERR) {
      unknown_ = rows_of(settlement);
      throw OutcomeUnknown{"settle", std::string{"I/O error in the commit: "} + failure.what(),
                           "the same outcomes are recorded again; check the storage device", code};
    }
    throw_error("settle", failure);
  }
  busy_since_.reset();
  busy_retry_.reset();
  unknown_.clear();
  vanished_ = 0;
  if (unburied_) ++own_rescans_;
  if (settlement.size() > 0) claims_.swept(rows_of(settlement).back());
  forget_settled(settlement);
  vacuum_.freed(site_.clock->now());
  if (announced > 0) take_up_announcement(announced);
  if (right && *right) checkpoint_after_commit(*right, turn, false);
  return true;
}

void RelaySide::take_up_announcement(std::int64_t row) {
  try {
    relay_file_->note_newest(site_.origin, row);
  } catch (const StorageError&) {
    static_cast<void>(row);  // a loss would be noticed up to an earlier row
  }
  wake_();
}

void RelaySide::record_outcomes(const Settlement& settlement) {
  const Present now = present();
  const std::int64_t removed = settler_.delivered(settlement.delivered);
  count_vanished(settlement, removed);
  settler_.count("vanished", vanished_);
  std::vector<DroppedRow> expired = settler_.expired(settlement.expired);
  for (DroppedRow& row : expired) row.unconfirmed = contains(record_.in_flight, row.row);
  if (!expired.empty()) enqueuer_.record(DropReason::expired, expired);
  settler_.leave_out_texts(short_of_room(settlement));
  for (const Failure& failure : settlement.failures) settler_.failed(failure, now);
  if (!settlement.deaths.empty()) {
    const std::vector<IdentityRange> ranges = read_ranges(ranges_statement_);
    for (const Death& death : settlement.deaths) {
      // Without a dead letter nothing blocks its key.
      if (!settler_.died(death, identity_of(ranges, death.row), now)) unburied_ = true;
    }
  }
  settler_.sweep(claims_.tombstones());
  for (const auto& [name, value] : settlement.notes) settler_.note(name, value);
  if (const auto offset = wants_wall_offset() ? trusted_offset(*site_.clock) : std::nullopt) {
    note_wall_offset(connection_.database(), site_.boot, *offset);
  }
}

/// True when the texts of errors would take up what is reserved for the outcomes themselves.
bool RelaySide::short_of_room(const Settlement& settlement) {
  if (!site_.options.reserve || (settlement.failures.empty() && settlement.deaths.empty())) return false;
  const auto number = [](Statement& statement) {
    Use use{statement};
    return use->step() ? use->integer(0) : 0;
  };
  const std::int64_t used = number(pages_) - number(free_pages_);
  const auto quota = static_cast<std::int64_t>(site_.options.max_file_bytes / connection_.page_size());
  return used > quota + quota / 16;
}

void RelaySide::count_vanished(const Settlement& settlement, std::int64_t removed) {
  if (removed == static_cast<std::int64_t>(settlement.delivered.size())) return;
  if (gone_.size() > kMostGone) gone_.clear();
  gone_.insert(settlement.delivered.begin(), settlement.delivered.end());
  // Only rows that were noted as in flight and not settled since can have been taken by somebody else; a row
  // that is settled twice, or again after an unknown outcome, was our own doing.
  std::int64_t expected = 0;
  for (const std::int64_t row : settlement.delivered) {
    if (contains(record_.in_flight, row) && !contains(unknown_, row)) ++expected;
  }
  settler_.count("vanished", expected - removed);
}

Ride RelaySide::ride(const std::vector<std::int64_t>& delivered) {
  take_up_rides();
  const BootTime now = site_.clock->now();
  Riders& riders = site_.file->riders;
  if (leading() && !lost_ && !delivered.empty()) {
    riders.offer(epoch_, delivered, now);
  } else {
    riders.withdraw();
  }
  return {std::exchange(rode_, {}), riders.commit_is_near(now)};
}

void RelaySide::take_up_rides() {
  Riders::Ended ended = site_.file->riders.ended();
  if (!ended.unknown.empty()) {
    unknown_.insert(unknown_.end(), ended.unknown.begin(), ended.unknown.end());
    std::sort(unknown_.begin(), unknown_.end());
  }
  if (ended.recorded.empty()) return;
  vanished_ += static_cast<std::int64_t>(ended.recorded.size()) - ended.removed;
  rode_.insert(rode_.end(), ended.recorded.begin(), ended.recorded.end());
  std::sort(ended.recorded.begin(), ended.recorded.end());
  forget_rows(ended.recorded);
  vacuum_.freed(site_.clock->now());
}

/// Rows that are recorded, ascending. True when some of them were noted as in flight.
bool RelaySide::forget_rows(const std::vector<std::int64_t>& settled) {
  site_.file->flight.settled(settled);
  std::vector<std::int64_t> left;
  std::set_difference(record_.in_flight.begin(), record_.in_flight.end(), settled.begin(), settled.end(),
                      std::back_inserter(left));
  if (left.size() == record_.in_flight.size()) return false;
  record_.in_flight = std::move(left);
  return true;
}

void RelaySide::forget_settled(const Settlement& settlement) {
  if (!forget_rows(rows_of(settlement)) || settlement.failures.empty()) return;
  // A failed message stays in the file and is not in flight any more: it must not be blamed for a later
  // crash. For rows that are gone the note need not be written anew.
  try {
    write_record();
  } catch (const StorageError&) {
    // The outcomes are committed; the note is only a hint for the next relay.
  }
}

bool RelaySide::give_way() {
  const BootTime now = site_.clock->now();
  if (!busy_since_) busy_since_ = now;
  if (now - *busy_since_ >= site_.options.busy_timeout) {
    busy_since_.reset();
    return false;
  }
  // The look of this round has been: the next one tells when it is worth another try.
  if (!busy_retry_) wake_();
  busy_retry_ = now + kBusyPause;
  return true;
}

/// A try waits for the lock for longer than the pause, with the gate in hand: without this the tries would
/// follow each other.
bool RelaySide::gives_way() const { return busy_retry_ && site_.clock->now() < *busy_retry_; }

void RelaySide::checkpoint_after_commit(CheckpointRight& right, Turn& turn, bool report) {
  // Writers go on beside the checkpoint. When they keep it from reaching the end of the log for too long, it
  // is done while they wait.
  if (site_.file->wal_frames.load() < 2 * site_.checkpoint_frames) turn.leave();
  const int result = right.checkpoint(connection_.handle(), site_.checkpoint_frames);
  if (!report || result == SQLITE_OK || primary(result) == SQLITE_BUSY) return;
  throw_error("checkpoint", result, "the write-ahead log cannot be copied into the file");
}

void RelaySide::maintain() {
  if (!leading()) return;
  checkpoint_when_due();
  give_back();
}

void RelaySide::give_back() {
  const BootTime now = site_.clock->now();
  if (!vacuum_.due(now) || !enter_gate()) return;
  Turn turn{site_.file->gate};
  CheckpointRight right{site_.file, site_.relay_path};
  Vacuum::Step step = Vacuum::Step::nothing;
  try {
    Immediate transaction{connection_};
    step = vacuum_.step(now);
    transaction.commit();
  } catch (const SQLite::Exception& failure) {
    const int code = primary(code_of(failure));
    vacuum_.put_off();
    if (code == SQLITE_BUSY || code == SQLITE_FULL) return;
    if (code == SQLITE_CORRUPT) vacuum_.give_up();
    throw_error("give free space back", failure);
  }
  // Only then is the file cut.
  if (step == Vacuum::Step::last && right) checkpoint_after_commit(right, turn, true);
}

/// To ask for the right is an event for whoever watches the relay file, this relay as well: it would ask
/// again at once.
void RelaySide::put_checkpoint_off() {
  checkpoint_at_ = site_.clock->now() + kCheckpointPause;
  // The look of this round has been: the next one tells the time.
  wake_();
}

void RelaySide::checkpoint_when_due() {
  if (checkpoint_at_) return;
  const bool due = checkpoint_due(*site_.file, site_.checkpoint_frames);
  if (!due && !wants_wall_offset()) return;
  if (!enter_gate()) return;
  Turn turn{site_.file->gate};
  std::optional<CheckpointRight> right;
  if (due) right.emplace(site_.file, site_.relay_path);
  if (due && !*right) put_checkpoint_off();
  if (due && !*right && !wants_wall_offset()) return;
  try {
    Immediate transaction{connection_};
    const auto offset = wants_wall_offset() ? trusted_offset(*site_.clock) : std::nullopt;
    if (offset) note_wall_offset(connection_.database(), site_.boot, *offset);
    touch_.run();
    transaction.commit();
    if (offset) {
      wall_offset_ = offset;
      delayed_.reset();
    }
  } catch (const SQLite::Exception& failure) {
    // Without a frame of our own there is no checkpoint.
    if (primary(code_of(failure)) == SQLITE_BUSY) return put_checkpoint_off();
    throw_error("maintain", failure);
  }
  if (right && *right) checkpoint_after_commit(*right, turn, true);
}

}  // namespace satchel::store
