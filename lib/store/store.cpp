// SPDX-License-Identifier: MIT
#include "store/store.hpp"

#include "base/fork.hpp"
#include "store/damage.hpp"
#include "store/errors.hpp"
#include "store/figures.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

#include <algorithm>
#include <utility>

namespace satchel::store {

Store::Store(Site site, std::unique_ptr<Connection> connection, RelayFile in_use)
    : generation_{fork_generation()},
      site_{std::move(site)},
      opened_at_{site_.clock->now()},
      written_before_{site_.file->written()},
      in_use_{std::move(in_use)},
      writer_{
          std::make_unique<Writer>(std::move(connection), site_.path, site_.options, site_.file, in_use_)} {}

template <class Action>
decltype(auto) Store::minding_damage(Action&& action) const {
  try {
    return std::forward<Action>(action)();
  } catch (const StorageError& failure) {
    if (is_damage(failure.code())) note_damage(site_.relay_path);
    throw;
  }
}

Store::~Store() {
  side_.store(nullptr);
  relay_.reset();
}

void Store::check_process(const char* operation) const { refuse_in_child(generation_, operation); }

RelaySide& Store::relay_side() {
  if (!relay_) {
    std::weak_ptr<Store> self = weak_from_this();
    relay_ = in_our_terms("open " + site_.path, [&] {
      return std::make_unique<RelaySide>(site_, [self] {
        if (const std::shared_ptr<Store> store = self.lock()) store->wake();
      });
    });
    side_.store(relay_.get());
  }
  return *relay_;
}

std::optional<Recovery> Store::acquire() {
  check_process("acquire");
  return minding_damage([&] { return relay_side().acquire(); });
}

void Store::release() noexcept {
  if (relay_ && fork_generation() == generation_) relay_->release();
}

Claimed Store::claim(const ClaimQuery& query) {
  check_process("claim");
  return minding_damage([&] { return relay_side().claim(query); });
}

bool Store::has_priorities() {
  check_process("claim");
  return minding_damage([&] { return relay_side().has_priorities(); });
}

Released Store::release_due(std::size_t max_count) {
  check_process("release");
  return minding_damage([&] { return relay_side().release_due(max_count); });
}

std::vector<std::string> Store::dead_keys(std::size_t limit) {
  check_process("look for dead keys");
  return minding_damage([&] { return relay_side().dead_keys(limit); });
}

std::vector<std::int64_t> Store::before_send(const InFlight& in_flight) {
  check_process("send");
  return minding_damage([&] { return relay_side().before_send(in_flight); });
}

bool Store::settle(const Settlement& settlement) {
  check_process("settle");
  return minding_damage([&] { return relay_side().settle(settlement); });
}

Ride Store::ride(const std::vector<std::int64_t>& delivered) {
  check_process("settle");
  return relay_side().ride(delivered);
}

void Store::maintain() {
  check_process("maintain");
  minding_damage([&] { relay_side().maintain(); });
}

Look Store::look() {
  check_process("look");
  return minding_damage([&] { return relay_side().look(); });
}

int Store::watch_descriptor() const noexcept { return relay_ ? relay_->watch_descriptor() : -1; }

std::uint64_t Store::rescans() {
  check_process("look");
  return relay_side().rescans();
}

void Store::on_change(std::function<void()> wake) {
  auto shared = wake ? std::make_shared<const std::function<void()>>(std::move(wake)) : nullptr;
  const std::lock_guard lock{mutex_};
  wake_.swap(shared);
}

void Store::wake() const noexcept {
  std::shared_ptr<const std::function<void()>> call;
  {
    const std::lock_guard lock{mutex_};
    call = wake_;
  }
  if (call) (*call)();
}

bool Store::leading() const noexcept {
  const RelaySide* side = side_.load();
  return side != nullptr && side->leading();
}

void Store::announce() noexcept {
  wake();
  // A relay that is still to come reads what is there.
  if (!leading() && !in_use_.surely_without_leader()) touch_relay_file(site_.relay_path);
}

void Store::note_newest(std::int64_t row) const noexcept {
  try {
    in_use_.note_newest(site_.origin, row);
  } catch (const std::exception&) {
    return;  // a loss would be noticed up to an earlier row
  }
}

Writing* Store::current_on_this_thread() const noexcept {
  // Only the holder of the gate sets it, so on the holder's thread it is its own.
  return site_.file->gate.held_by_this_thread() ? current_.load() : nullptr;
}

std::unique_ptr<Writing> Store::begin() {
  check_process("begin");
  if (site_.file->gate.held_by_this_thread()) {
    throw UsageError{"begin", "this thread has a transaction of the same file open",
                     "use that one, or commit it first: a second one would wait for itself"};
  }
  site_.file->gate.enter();
  try {
    refuse_moved(*site_.file, site_.path, "begin");
    minding_damage([&] { in_our_terms("begin", [&] { writer_->connection->begin(); }); });
    std::unique_ptr<Writing> writing{new Writing{shared_from_this()}};
    current_.store(writing.get());
    return writing;
  } catch (...) {
    writer_->connection->rollback();
    site_.file->gate.leave();
    throw;
  }
}

MessageId Store::save(const Message& message) {
  const std::unique_ptr<Writing> writing = begin();
  const MessageId id = writing->enqueue(message);
  writing->commit();
  return id;
}

bool Store::fence() noexcept {
  Connection& connection = *writer_->connection;
  try {
    connection.set_full(true);
    {
      Immediate transaction{connection};
      writer_->touch.run();
      transaction.commit();
    }
    connection.set_full(site_.options.durability == Durability::full);
    return true;
  } catch (const std::exception&) {
    // The next commit that succeeds is the fence; until then the outcome stays unknown.
    try {
      connection.set_full(site_.options.durability == Durability::full);
    } catch (const std::exception&) {
      return false;  // full stays on, which costs time and nothing else
    }
  }
  return false;
}

void Store::limit_log() noexcept {
  if (!checkpoint_due(*site_.file, site_.max_wal_frames)) return;
  CheckpointRight right{site_.file, site_.relay_path};
  if (!right) return;
  try {
    Immediate transaction{*writer_->connection};
    writer_->touch.run();
    transaction.commit();
  } catch (const std::exception&) {
    return;  // without a frame of our own right before it a checkpoint is not safe
  }
  right.checkpoint(writer_->connection->handle(), site_.max_wal_frames);
}

template <class Action>
auto Store::with_reader(const char* operation, Action&& action) const {
  check_process(operation);
  // A connection is lent out, so that no lock is held while SQLite works; one that comes back to a taken
  // place is closed.
  std::unique_ptr<Connection> reader;
  {
    const std::lock_guard lock{mutex_};
    reader = std::move(idle_reader_);
  }
  return minding_damage([&] {
    return in_our_terms(operation, [&] {
      if (!reader) reader = std::make_unique<Connection>(site_.path, site_.options, Role::reader);
      auto result = std::forward<Action>(action)(*reader);
      const std::lock_guard lock{mutex_};
      if (!idle_reader_) idle_reader_ = std::move(reader);
      return result;
    });
  });
}

Counts Store::counts() const {
  return with_reader("status", [](Connection& reader) { return count(reader.database()); });
}

Figures Store::figures() const {
  return with_reader("status", [this](Connection& reader) {
    return measure(reader, site_.path, site_.options.quota, *site_.clock);
  });
}

void Store::visit_topics(std::size_t limit, const std::function<void(std::string_view)>& visit) const {
  with_reader("status", [&](Connection& reader) {
    store::visit_topics(reader, limit, visit);
    return true;
  });
}

Wear Store::wear() const {
  const Written now = site_.file->written();
  Wear wear;
  wear.bytes = now.bytes - written_before_.bytes;
  wear.syncs = now.syncs - written_before_.syncs;
  wear.over = std::chrono::duration_cast<std::chrono::milliseconds>(site_.clock->now() - opened_at_);
  if (wear.over < std::chrono::seconds{1}) return wear;
  const double days = std::chrono::duration<double, std::ratio<86'400>>(wear.over).count();
  wear.bytes_per_day = static_cast<std::uint64_t>(static_cast<double>(wear.bytes) / days);
  wear.syncs_per_day = static_cast<std::uint64_t>(static_cast<double>(wear.syncs) / days);
  return wear;
}

Identity Store::identity() const {
  return with_reader("identity", [](Connection& reader) {
    const std::vector<IdentityRange> ranges = read_ranges(reader.database());
    return ranges.empty() ? Identity{} : ranges.back().identity;
  });
}

Identity Store::renew_identity() {
  const std::unique_ptr<Writing> writing = begin();
  const Identity fresh = in_our_terms("renew the identity", [&] {
    SQLite::Database& database = writing->database();
    // Known again only from the file: this transaction may still be rolled back.
    writer_->ranges.clear();
    begin_range(database, newest_row(database), site_.machine, "renewed");
    return read_ranges(database).back().identity;
  });
  writing->commit();
  return fresh;
}

std::vector<Dropped> Store::dropped() const {
  return with_reader("list what was dropped", [](Connection& reader) { return list_dropped(reader); });
}

void Store::sequence_routes(std::vector<RouteOptions> routes) {
  check_process("attach");
  const bool any =
      std::any_of(routes.begin(), routes.end(), [](const RouteOptions& r) { return r.sequence; });
  auto shared = std::make_shared<const std::vector<RouteOptions>>(std::move(routes));
  {
    const std::lock_guard lock{site_.file->routes_mutex};
    site_.file->routes.swap(shared);
  }
  site_.file->sequenced.store(any);
}

std::int64_t Store::newest_dead() const {
  return with_reader("replay", [](Connection& reader) {
    Statement newest{reader.database(), "SELECT max(id) FROM satchel_dead"};
    return newest.step() ? newest.integer(0) : std::int64_t{0};
  });
}

std::vector<DeadLetter> Store::dead_letters(std::size_t limit, std::int64_t after) const {
  return with_reader("list dead letters",
                     [&](Connection& reader) { return list_dead(reader, limit, after); });
}

}  // namespace satchel::store
