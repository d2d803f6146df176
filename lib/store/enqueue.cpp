// SPDX-License-Identifier: MIT
#include "store/enqueue.hpp"

#include "store/errors.hpp"
#include "store/priorities.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <utility>

namespace satchel::store {
namespace {

/// Messages that one enqueue drops at most.
constexpr std::size_t kMostVictims = 1000;
/// Rows of a key that it looks at for those that the message replaces.
constexpr std::size_t kMostOfKey = 10'000;
/// Room for an announcement alone.
constexpr Need kNothing{Priority::normal, 0, 0, false};

void run(sqlite3* database, const char* sql) { Statement{database, sql}.run(); }

[[noreturn]] void throw_full(const Shortage& shortage) {
  throw QuotaExceeded{
      "enqueue", shortage.problem,
      "roll back, or commit what the transaction holds without this message; see Options::quota"};
}

}  // namespace

/// What one enqueue does: undone unless it comes to its end.
struct Enqueuer::Attempt {
  explicit Attempt(Enqueuer& owner) : enqueuer{owner} {
    run(enqueuer.desk_.database, "SAVEPOINT satchel_enqueue");
    open = true;
  }
  ~Attempt() {
    if (open) undo();
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void finish() {
    run(enqueuer.desk_.database, "RELEASE satchel_enqueue");
    open = false;
  }
  void undo() noexcept {
    open = false;
    // When SQLite has rolled everything back there is no savepoint any more.
    sqlite3_exec(enqueuer.desk_.database, "ROLLBACK TO satchel_enqueue; RELEASE satchel_enqueue", nullptr,
                 nullptr, nullptr);
    for (const auto& [reason, row] : staged) enqueuer.desk_.file->flight.pardon(row.row);
    staged.clear();
  }

  Enqueuer& enqueuer;
  Staged staged;
  bool open = false;
};

Enqueuer::Enqueuer(Desk desk)
    : desk_{std::move(desk)},
      announces_{!desk_.options->announce_topic.empty()},
      inserter_{desk_.database, desk_.as_select},
      sequencer_{desk_.database},
      drops_{desk_.database, announces_},
      meter_{desk_.database, desk_.options->quota, desk_.path},
      victims_{desk_.database, desk_.options->quota.when_full},
      expiry_{desk_.database},
      same_key_{desk_.database,
                "SELECT id, topic, priority, sequence FROM main.satchel_message"
                " INDEXED BY satchel_message_by_key WHERE key = ?1 ORDER BY id"},
      attempted_{desk_.database, "SELECT 1 FROM main.satchel_attempt WHERE id = ?1"},
      payload_{desk_.database, "SELECT payload FROM main.satchel_message WHERE id = ?1"},
      remove_{desk_.database, "DELETE FROM main.satchel_message WHERE id = ?1 AND topic <> ''"},
      remove_tombstone_{desk_.database,
                        "DELETE FROM main.satchel_message WHERE id = ?1 AND topic = ''"
                        " AND EXISTS (SELECT 1 FROM main.satchel_message WHERE id > ?1)"},
      count_expired_{desk_.database,
                     "INSERT INTO main.satchel_counter(name, value) VALUES ('expired', ?1)"
                     " ON CONFLICT(name) DO UPDATE SET value = value + excluded.value"} {}

void Enqueuer::begin() noexcept {
  drops_.clear();
  meter_.begin();
}

std::int64_t Enqueuer::add(const Message& message, const EnqueueTime& at) {
  if (!meter_.limits() && !message.coalesce.value_or(false)) return insert(message, at);
  return add_by_policy(message, at);
}

std::int64_t Enqueuer::insert(const Message& message, const EnqueueTime& at) {
  const std::optional<std::int64_t> number = sequencer_.next(message.topic, *desk_.file);
  if (!number) return inserter_.insert(message, number, at);
  try {
    return inserter_.insert(message, number, at);
  } catch (...) {
    // Otherwise the receiver would miss it, unless all of the transaction is gone anyway.
    if (sqlite3_get_autocommit(desk_.database) == 0) sequencer_.take_back(message.topic, *desk_.file);
    throw;
  }
}

std::int64_t Enqueuer::add_by_policy(const Message& message, const EnqueueTime& at) {
  const Need need = need_of(message);
  const WhenFull when_full = desk_.options->quota.when_full;
  const bool drops_new = when_full == WhenFull::drop_newest || when_full == WhenFull::drop_lowest;
  if (const auto shortage = meter_.short_of_disk(need)) {
    if (!drops_new) throw_full(*shortage);
    return give_up(message);
  }
  look_anew();
  const std::vector<Victim> replaced = replaceable(message);
  if (replaced.empty()) {
    const auto fits = [&] { return !short_of(reserving(need, false)); };
    if (fits()) return insert(message, at);
    if (const std::int64_t expired = drop_expired(at); expired != 0 && fits()) {
      const std::int64_t row = insert(message, at);
      remove_tombstone_.bind(1, expired).run();
      return row;
    }
  }
  if (replaced.empty() && when_full == WhenFull::drop_newest) return give_up(message);
  Attempt attempt{*this};
  // What a relay that died had with a sink may have been sent.
  for (const Victim& victim : replaced) drop(DropReason::coalesced, victim, false, attempt.staged);
  if (const auto shortage = make_room(need, !attempt.staged.empty(), attempt.staged)) {
    attempt.undo();
    if (!drops_new) throw_full(*shortage);
    return give_up(message);
  }
  const std::int64_t row = insert(message, at);
  remove_tombstones(attempt.staged);
  record(attempt.staged);
  if (drops_.full()) announce(at);
  attempt.finish();
  return row;
}

std::int64_t Enqueuer::drop_expired(const EnqueueTime& at) {
  const std::vector<Victim> expired = expiry_.look(at);
  if (expired.empty()) return 0;
  // They go whatever becomes of the new message.
  Attempt attempt{*this};
  for (const Victim& victim : expired) drop(DropReason::expired, victim, false, attempt.staged);
  if (attempt.staged.empty() || (announces_ && short_of(reserving(kNothing, true)))) return 0;
  count_expired_.bind(1, static_cast<std::int64_t>(attempt.staged.size())).run();
  record(attempt.staged);
  const std::int64_t newest = attempt.staged.back().second.row;
  attempt.finish();
  return newest;
}

std::int64_t Enqueuer::give_up(const Message& message) {
  drops_.record(DropReason::quota, {{0, message.topic, std::nullopt, false}});
  return 0;
}

void Enqueuer::dropped(DropReason reason, const std::vector<DroppedRow>& rows, const EnqueueTime& at) {
  Attempt attempt{*this};
  if (announces_ && meter_.limits()) {
    look_anew();
    if (const auto shortage = make_room(kNothing, true, attempt.staged))
      throw QuotaExceeded{"announce", shortage->problem,
                          "nothing is discarded; wait until something is delivered, or raise Options::quota"};
  }
  record(attempt.staged);
  drops_.record(reason, rows);
  if (drops_.full()) announce(at);
  attempt.finish();
}

std::int64_t Enqueuer::announce(const EnqueueTime& at) {
  if (!drops_.announces()) return 0;
  Message message;
  message.topic = desk_.options->announce_topic;
  message.content_type = "application/json";
  std::int64_t row = 0;
  for (std::string& payload : drops_.take_announcements(read_ranges(desk_.database))) {
    message.payload = std::move(payload);
    row = insert(message, at);
  }
  return row;
}

std::map<Drops::Group, std::uint64_t> Enqueuer::end(bool committed) noexcept {
  if (std::exchange(condemned_, false)) desk_.file->flight.end(committed);
  std::map<Drops::Group, std::uint64_t> told;
  if (committed) told = drops_.take_told();
  drops_.clear();
  return told;
}

Need Enqueuer::reserving(Need need, bool drops) const {
  // From the first drop to the commit there has to be room for the announcement.
  if (!announces_ || !(drops || drops_.announces())) return need;
  ++need.messages;
  need.bytes += Drops::kAnnouncementBytes;
  return need;
}

void Enqueuer::record(const Staged& staged) {
  std::map<DropReason, std::vector<DroppedRow>> rows;
  for (const auto& [reason, row] : staged) rows[reason].push_back(row);
  for (const auto& [reason, dropped] : rows) drops_.record(reason, dropped);
}

// ---- what may be dropped ----

void Enqueuer::look_anew() noexcept {
  note_.reset();
  note_read_ = false;
  victims_.begin();
}

void Enqueuer::read_note() {
  if (std::exchange(note_read_, true)) return;
  note_readable_ = false;
  if (desk_.relay_file == nullptr) return;
  try {
    note_ = desk_.relay_file->read();
    note_readable_ = true;
  } catch (const StorageError&) {
    note_.reset();  // then nothing is confirmed
  }
}

Enqueuer::Standing Enqueuer::standing(std::int64_t row) {
  const Flight& flight = desk_.file->flight;
  if (flight.led_here()) return flight.with_sink(row) ? Standing::with_sink : Standing::free;
  read_note();
  if (!note_readable_) return Standing::unconfirmed;
  if (!note_ || !std::binary_search(note_->in_flight.begin(), note_->in_flight.end(), row))
    return Standing::free;
  // Noted by a relay that is at work elsewhere, or by one that has died.
  return desk_.relay_file->taken(RelayByte::leader) ? Standing::with_sink : Standing::unconfirmed;
}

std::optional<Shortage> Enqueuer::short_of(const Need& need) {
  return meter_.shortage(need, [this](std::int64_t row) { return standing(row) == Standing::with_sink; });
}

bool Enqueuer::drop(DropReason reason, const Victim& victim, bool even_unconfirmed, Staged& staged) {
  const Standing found = standing(victim.row);
  if (found == Standing::with_sink || (found == Standing::unconfirmed && note_readable_ && !even_unconfirmed))
    return false;
  Flight& flight = desk_.file->flight;
  if (desk_.visitor) {
    flight.note_drop();
  } else {
    if (!flight.condemn(victim.row)) return false;
    condemned_ = true;
  }
  DroppedRow dropped{victim.row, victim.topic, victim.sequence, found == Standing::unconfirmed};
  if (announces_ && victim.topic == desk_.options->announce_topic)
    dropped.announcement = payload_of(victim.row);
  staged.push_back({reason, std::move(dropped)});
  if (remove_.bind(1, victim.row).run_and_count() == 0)
    throw SQLite::Exception{"a message can be read and not deleted", SQLITE_CORRUPT};
  return true;
}

std::string Enqueuer::payload_of(std::int64_t row) {
  Use payload{payload_};
  return payload->bind(1, row).step() ? std::string{payload->text(0)} : std::string{};
}

std::vector<Victim> Enqueuer::replaceable(const Message& message) {
  std::vector<Victim> found;
  if (!message.coalesce.value_or(false) || message.key.empty()) return found;
  Use rows{same_key_};
  rows->bind_text(1, message.key);
  std::size_t looked_at = 0;
  while (found.size() < kMostVictims && ++looked_at <= kMostOfKey && rows->step()) {
    if (rows->text(1) != message.topic) continue;
    Use attempted{attempted_};
    attempted->bind(1, rows->integer(0));
    if (attempted->step()) continue;
    found.push_back(
        {rows->integer(0), message.topic, priority_of(rows->optional_integer(2)), rows->optional_integer(3)});
  }
  return found;
}

std::optional<Shortage> Enqueuer::make_room(const Need& need, bool drops, Staged& staged) {
  const WhenFull when_full = desk_.options->quota.when_full;
  std::optional<Shortage> shortage = short_of(reserving(need, drops));
  if (!shortage) return std::nullopt;
  if (when_full == WhenFull::reject || when_full == WhenFull::drop_newest) return shortage;
  const Need all = reserving(need, true);
  for (std::size_t victims = 0; shortage && victims < kMostVictims;) {
    const std::optional<Victim> victim = victims_.next(*shortage, need.priority);
    if (!victim) break;
    if (!drop(DropReason::quota, *victim, true, staged)) {
      victims_.leave(*victim);
      continue;
    }
    ++victims;
    shortage = short_of(all);
  }
  return shortage;
}

void Enqueuer::remove_tombstones(const Staged& staged) {
  // Dropping the newest message has left one, and with a sink that is down nobody would come by and sweep it.
  for (const auto& [reason, row] : staged) remove_tombstone_.bind(1, row.row).run();
}

}  // namespace satchel::store
