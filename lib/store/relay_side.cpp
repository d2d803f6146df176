// SPDX-License-Identifier: MIT
#include "store/relay_side.hpp"

#include "store/errors.hpp"
#include "store/log.hpp"

#include <algorithm>
#include <utility>

namespace satchel::store {

RelaySide::RelaySide(const Site& site, std::function<void()> wake)
    : site_{site},
      wake_{std::move(wake)},
      connection_{site.path, site.options, Role::relay},
      claims_{connection_},
      delays_{connection_},
      settler_{connection_},
      enqueuer_{{connection_.handle(), site.path, &site.options, site.file}},
      replayed_statement_{connection_.database(), "SELECT value FROM satchel_state WHERE name = 'replayed'"},
      relaxed_statement_{connection_.database(),
                         "SELECT value FROM satchel_state WHERE name = 'relaxed_writers'"},
      ranges_statement_{connection_.database(), kAllRanges},
      any_priority_{connection_.database(),
                    "SELECT 1 FROM satchel_message INDEXED BY satchel_message_by_priority"
                    " WHERE priority IS NOT NULL LIMIT 1"},
      touch_{connection_.database(), kTouch},
      vacuum_{connection_, site.options.max_free_bytes} {
  connection_.count_frames(site.file);
  // Watching begins before the first claim, so that no commit falls between the two.
  watch_files();
}

RelaySide::~RelaySide() {
  release();
  site_.file->gate.forget(this);
}

void RelaySide::watch_files() noexcept {
  static const std::string nothing;
  watch_.watch(site_.relay_path, site_.options.external_writers ? site_.wal_path : nothing);
}

Present RelaySide::present() {
  // A clock that has just become trusted dates what is read from now on; it is written down with the next
  // outcomes.
  const std::optional<std::int64_t> offset = wall_offset_ ? wall_offset_ : trusted_offset(*site_.clock);
  return Present{site_.boot, to_ms(site_.clock->now()), offset, site_.clock->wall().trusted, site_.opened};
}

bool RelaySide::enter_gate() { return site_.file->gate.enter_or_request(this, wake_); }

bool RelaySide::wants_wall_offset() { return !wall_offset_ && site_.clock->wall().trusted; }

// ---- the claim on the file ----

bool RelaySide::lock_leader() {
  if (relay_file_ && !relay_file_->current()) {
    relay_file_.reset();
    locked_ = false;
  }
  if (!relay_file_) relay_file_.emplace(site_.relay_path);
  watch_files();
  if (!locked_) locked_ = relay_file_->try_lock(RelayByte::leader);
  // Deleted between opening and locking: the lock excludes nobody.
  if (locked_ && !relay_file_->current()) {
    relay_file_.reset();
    locked_ = false;
  }
  return locked_;
}

std::optional<Recovery> RelaySide::acquire() {
  if (leading()) return Recovery{};
  refuse_moved(*site_.file, site_.path, "take over the relay");
  if (!lock_leader()) return std::nullopt;
  // The lock is kept while the gate is waited for: nobody else can become the relay in between.
  if (!enter_gate()) return std::nullopt;
  const Turn turn{site_.file->gate};
  return in_our_terms("take over the relay", [&] { return take_over(); });
}

Recovery RelaySide::take_over() {
  const std::optional<RelayRecord> record = relay_file_->read();
  // The fence has to survive a power cut: otherwise the relay before could find its own epoch again.
  connection_.set_full(true);
  Recovery recovery;
  std::int64_t newest = 0;
  bool restored = false;
  {
    Immediate transaction{connection_};
    epoch_ = settler_.raise_epoch();
    newest = newest_row(connection_.database());
    const std::vector<IdentityRange> ranges = read_ranges(ranges_statement_);
    const std::string reason = reason_for_new_range(
        ranges, newest, site_.origin, ranges.empty() ? site_.machine : ranges.back().machine, record);
    restored = reason == "restored";
    if (restored && site_.options.on_restore == OnRestore::keep) {
      go_on_behind(connection_.database(), record->highest_sent);
      newest = record->highest_sent;
    } else if (!reason.empty()) {
      begin_range(connection_.database(), newest, site_.machine, reason);
    }
    settler_.sweep_attempts();
    vacuum_.freed(site_.clock->now());
    recovery.notes = settler_.notes();
    const Boot boot =
        find_boot(connection_.database(), site_.clock->boot_id()).value_or(Boot{site_.boot, std::nullopt});
    wall_offset_ = boot.wall_offset;
    if (const auto offset = trusted_offset(*site_.clock); offset && !wall_offset_) {
      note_wall_offset(connection_.database(), site_.boot, *offset);
      wall_offset_ = offset;
    }
    transaction.commit();
  }
  connection_.set_full(false);
  record_ = record.value_or(RelayRecord{});
  take_up_record(newest, recovery, restored);
  synced_row_ = newest;  // the commit above synced the log with all that was in it
  ranges_version_ = -1;
  looked_version_ = -1;
  delayed_.reset();
  stale_.store(true);
  unknown_.clear();
  rode_.clear();
  vanished_ = 0;
  static_cast<void>(site_.file->riders.ended());
  lost_ = false;
  lock_ladder_.stop();
  site_.file->flight.lead(record_.in_flight);
  leading_.store(true);
  return recovery;
}

void RelaySide::take_up_record(std::int64_t newest, Recovery& recovery, bool restored) {
  const bool ours = record_.origin == site_.origin && !restored;
  if (ours) {
    for (const std::int64_t row : record_.in_flight) {
      if (settler_.pending(row)) recovery.suspects.push_back(row);
    }
    recovery.alone = record_.alone;
  } else {
    record_.highest_sent = std::min(record_.highest_sent, record_.origin == site_.origin ? newest : 0);
  }
  record_.origin = site_.origin;
  record_.epoch = epoch_;
  // They stay noted until they are settled or something else is sent: a crash before that must find them
  // again.
  record_.in_flight = recovery.suspects;
  write_record();
}

void RelaySide::release() noexcept {
  site_.file->gate.forget(this);
  site_.file->riders.withdraw();
  const bool led = leading_.exchange(false);
  if (led) site_.file->flight.resign();
  if (!locked_) return;
  if (led && relay_file_->current()) {
    try {
      record_.in_flight.clear();
      record_.alone = 0;
      write_record();
    } catch (const std::exception&) {
      // What is noted stays noted; the next relay sends those messages one by one, and nothing is lost by it.
    }
  }
  locked_ = false;
  // Closing frees the lock and is what those who stand by are waiting for.
  relay_file_.reset();
}

void RelaySide::lose(const char* operation) {
  site_.file->riders.withdraw();
  if (leading_.exchange(false)) site_.file->flight.resign();
  locked_ = false;
  relay_file_.reset();
  // What was committed here meanwhile was told to this side only.
  touch_relay_file(site_.relay_path);
  throw ClaimLost{
      operation, "another relay has taken over the file",
      "nothing is lost; this outbox stands by. Do not delete the -relay file of a running outbox"};
}

void RelaySide::write_record() {
  ++record_.sequence;
  relay_file_->write(record_);
}

// ---- reading ----

void RelaySide::refresh() {
  const std::int64_t version = connection_.data_version();
  if (version == ranges_version_) return;
  ranges_ = read_ranges(ranges_statement_);
  {
    Use relaxed{relaxed_statement_};
    relaxed_writers_ = relaxed->step() && relaxed->integer(0) != 0;
  }
  if (leading() && settler_.epoch() != epoch_) lost_ = true;
  ranges_version_ = version;
}

Claimed RelaySide::claim(const ClaimQuery& query) {
  return in_our_terms("claim", [&] {
    const Present at = present();
    const Snapshot snapshot{connection_};
    Claimed found = claims_.read(query, at);
    refuse_gone(found.messages);
    // Of the rows' own snapshot: what a row's writer said about itself was committed before the row.
    refresh();
    claims_.name(found.messages, ranges_);
    return found;
  });
}

void RelaySide::refuse_gone(const std::vector<StoredMessage>& messages) const {
  if (gone_.empty()) return;
  for (const StoredMessage& message : messages) {
    if (gone_.count(message.id.row) == 0) continue;
    // Sent again and again otherwise.
    throw SQLite::Exception{"row " + std::to_string(message.id.row) + " can be read and not deleted",
                            SQLITE_CORRUPT};
  }
}

bool RelaySide::has_priorities() {
  return in_our_terms("claim", [&] {
    Use any{any_priority_};
    return any->step();
  });
}

std::uint64_t RelaySide::rescans() {
  if (!stale_.exchange(false)) return replayed_ + own_rescans_;
  try {
    return in_our_terms("look for replayed messages", [&] {
      Use row{replayed_statement_};
      const auto found = row->step() ? static_cast<std::uint64_t>(row->integer(0)) : replayed_;
      // A replayed row lies below rows that are synced already; it has to be synced itself before it is sent.
      if (found != replayed_) synced_row_ = 0;
      replayed_ = found;
      return replayed_ + own_rescans_;
    });
  } catch (...) {
    stale_.store(true);
    throw;
  }
}

// ---- handing over ----

std::vector<std::int64_t> RelaySide::before_send(const InFlight& in_flight) {
  if (!leading() || lost_ || !relay_file_->current()) lose("send");
  if (!in_flight.rows.empty() && in_flight.highest > synced_row_) sync_log();
  std::vector<std::int64_t> rows = in_flight.rows;
  std::sort(rows.begin(), rows.end());
  const bool same = rows == record_.in_flight;
  std::vector<std::int64_t> left_out =
      same ? std::vector<std::int64_t>{} : take_out_dropped(rows, in_flight.delivered);
  const bool noted = rows == record_.in_flight && in_flight.alone == record_.alone;
  if (noted && in_flight.highest <= record_.highest_sent) return left_out;
  record_.in_flight = std::move(rows);
  record_.alone = in_flight.alone;
  record_.highest_sent = std::max(record_.highest_sent, in_flight.highest);
  write_record();
  return left_out;
}

std::vector<std::int64_t> RelaySide::take_out_dropped(std::vector<std::int64_t>& rows,
                                                      const std::vector<std::int64_t>& delivered) {
  Flight& flight = site_.file->flight;
  // From here on nobody drops what is left of them.
  std::vector<std::int64_t> left_out = flight.depart(rows, delivered);
  if (!flight.dropped()) return left_out;
  // Others may have been dropped since they were read.
  std::vector<std::int64_t> there;
  in_our_terms("look for dropped messages", [&] {
    for (const std::int64_t row : rows) {
      const bool known = std::binary_search(record_.in_flight.begin(), record_.in_flight.end(), row);
      (known || settler_.pending(row) ? there : left_out).push_back(row);
    }
  });
  if (there.size() == rows.size()) return left_out;
  rows = std::move(there);
  flight.depart(rows, delivered);
  std::sort(left_out.begin(), left_out.end());
  return left_out;
}

/// A sync after one that failed says nothing about what that one should have written.
void RelaySide::mend_log_in_doubt() {
  if (!site_.file->log_in_doubt.load()) return;
  if (!enter_gate())
    throw_error("make messages durable", SQLITE_BUSY, "the log has to be written again first");
  const Turn turn{site_.file->gate};
  const Immediate mended{connection_};
}

void RelaySide::sync_log() {
  const bool relaxed =
      site_.options.durability == Durability::relaxed || site_.options.external_writers || relaxed_writers_;
  if (!relaxed) return;
  in_our_terms("make messages durable", [&] {
    mend_log_in_doubt();
    // Read before the sync: what is committed by then is covered by it.
    const std::int64_t newest = newest_row(connection_.database());
    // The log as it is; the database file was synced by the checkpoint that filled it.
    const int result = store::sync_log(connection_.handle(), *site_.file);
    if (result != SQLITE_OK) throw_error("make messages durable", result, "cannot sync the write-ahead log");
    synced_row_ = newest;
  });
}

}  // namespace satchel::store
