// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "packaging/version_1.hpp"

#include <satchel/error.hpp>

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace power {

namespace {

using satchel::Delivery;
using satchel::Receipt;
using satchel::Verdict;

constexpr std::size_t kKiB = 1024;

/// Rows of `satchel_dropped`, by reason, among the counters.
constexpr const char* kByQuota = "dropped:2";
constexpr const char* kCoalesced = "dropped:3";

/// What stands in a business row: now and then much, so that a small file gets full.
std::string note_of(std::int64_t transaction) {
  const std::size_t size = transaction % 5 == 0 ? 2 * kKiB : 0;
  return "transaction " + std::to_string(transaction) + std::string(size, '.');
}

}  // namespace

Plan::Plan(std::uint64_t plan_seed, satchel::Durability durability, Sabotage plan_sabotage)
    : seed{plan_seed}, opened_as{durability}, sabotage{plan_sabotage} {
  Dice dice{plan_seed * 977 + 5};
  options.durability = durability;
  options.window = 1 + dice.below(8);
  options.max_unsettled = 1 + dice.below(12);
  options.batch_size = 1 + dice.below(8);
  options.settle_linger = std::chrono::milliseconds{dice.one_in(2) ? 0 : 30};
  options.max_attempts = 3;
  // Times are too short to matter, so that their jitter changes nothing.
  options.retry_backoff = {std::chrono::milliseconds{1}, 1.0, std::chrono::milliseconds{1}};
  options.probe_backoff = {std::chrono::milliseconds{1}, 1.0, std::chrono::milliseconds{1}};
  static constexpr std::array<std::size_t, 4> pages{512, 1024, 4096, 4096};
  options.page_size = pages[dice.below(pages.size())];
  options.checkpoint_bytes = 32 * kKiB;
  options.max_wal_bytes = 32 * kKiB * (1 + dice.below(3));
  options.cache_bytes = 64 * kKiB;
  if (dice.one_in(3)) {
    // Little more than the empty tables take.
    options.page_size = 4 * kKiB;
    options.max_file_bytes = 72 * kKiB;
  } else if (dice.one_in(2)) {
    static constexpr std::array<satchel::WhenFull, 4> ways{
        satchel::WhenFull::drop_oldest, satchel::WhenFull::drop_oldest, satchel::WhenFull::drop_newest,
        satchel::WhenFull::reject};
    options.quota.messages = 12 + dice.below(20);
    options.quota.when_full = ways[dice.below(ways.size())];
    options.quota.exact = dice.one_in(2);
  }
  version_1 = sabotage == Sabotage::none && dice.one_in(4);
  if (durability == satchel::Durability::relaxed) {
    company = static_cast<Company>(dice.below(3));
    options.external_writers = company == Company::program;
    changes_durability = dice.one_in(3);
    // The relay's own outbox is full, and only the others are not.
    if (company != Company::none && dice.one_in(2)) opened_as = satchel::Durability::full;
  }
  characteristics = dice.one_in(4) ? 0 : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
  sector = dice.one_in(2) ? 512 : 4096;
  // The dice before it fall as they always did.
  if (dice.one_in(2)) options.max_free_bytes = 4 * kKiB;
}

/// Tells the oracle what the relay tells.
class World::Ear final : public satchel::Observer {
 public:
  Ear(History& history, bool may_fail) : history_{history}, may_fail_{may_fail} {}
  void delivered(const satchel::MessageId& id, int) noexcept override { history_.told_delivered(id); }
  void retrying(const satchel::MessageId& id, int attempts, const std::string&,
                std::chrono::milliseconds) noexcept override {
    history_.told_retrying(id, attempts);
  }
  void died(const satchel::MessageId& id, satchel::DeadReason reason, const std::string&) noexcept override {
    history_.told_dead(id, reason);
  }
  void expired(const satchel::MessageId& id) noexcept override { history_.told_expired(id); }
  void failing(const std::string& problem, const std::string&) noexcept override {
    if (!may_fail_) history_.defect(Flaw::damaged, "the relay fails: " + problem);
  }

 private:
  History& history_;
  const bool may_fail_;
};

World::World(const Plan& plan, Device& device, const History* before, Tick cut)
    : device_{device},
      options_{plan.options},
      sabotage_{plan.sabotage},
      history_{device, plan.options, before, cut},
      clock_{std::make_shared<satchel::testing::ManualClock>()},
      boots_{1000 * history_.generation()} {
  options_.vfs = device.vfs().name();
  options_.clock = clock_;
  options_.observer = std::make_shared<Ear>(history_, plan.sabotage == Sabotage::lossy_sync);
  device.vfs().set_characteristics(plan.characteristics, plan.sector);
  device.vfs().disk().lie(plan.sabotage == Sabotage::lying_disk ? 48 : 0);
  if (before != nullptr) reboot();
}

World::~World() = default;

void World::reboot() {
  not_before_.clear();
  clock_->reboot("boot-" + std::to_string(++boots_));
}

void World::open(satchel::Durability durability) {
  options_.durability = durability;
  outbox_.emplace(device_.path(), options_);
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink_ = sink.get();
  sink_->answer([this](const Delivery& delivery) { return hand_over(delivery); });
  outbox_->attach(std::move(sink));
  if (sabotage_ == Sabotage::synchronous_off) connection().exec("PRAGMA synchronous = OFF");
}

void World::invite(Company company) {
  if (company == Company::outbox) {
    satchel::Options options = options_;
    options.durability = durable() ? satchel::Durability::relaxed : satchel::Durability::full;
    other_.emplace(device_.path(), options);
  } else if (company == Company::program) {
    program_.emplace(device_.path(), SQLite::OPEN_READWRITE, 0, options_.vfs);
    sqlite3_db_config(program_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    program_->exec("PRAGMA synchronous = NORMAL");
    program_->exec("PRAGMA wal_autocheckpoint = 0");
  }
}

/// The connection of the application's transactions, outside of one: nothing but sabotage needs that.
SQLite::Database& World::connection() {
  satchel::Transaction transaction = outbox_->begin();
  return transaction.database();
}

void World::close(bool orderly) {
  if (!outbox_) return;
  history_.begin_round();
  // They come back to the relay, which may not record anything of it.
  for (const Delivery& delivery : sink_->under_way()) {
    history_.returned(serial_of(delivery.topic, delivery.payload, delivery.key).value_or(0), true);
  }
  if (orderly) outbox_->stop(std::chrono::milliseconds{0});
  reader_.reset();
  program_.reset();
  other_.reset();
  outbox_.reset();
  sink_ = nullptr;
}

void World::bequeath() {
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  version_1::Library library{path};
  library.database().exec("CREATE TABLE business(number INTEGER PRIMARY KEY, messages INTEGER, note TEXT)");
  Content content;
  content.table = true;
  for (std::int64_t number = 1; number <= 6; ++number) {
    SQLite::Transaction transaction{library.database(), SQLite::TransactionBehavior::IMMEDIATE};
    SQLite::Statement row{library.database(),
                          "INSERT INTO business(number, messages, note) VALUES (?, 1, ?)"};
    row.bind(1, number);
    row.bind(2, note_of(number));
    row.exec();
    const auto serial = static_cast<Serial>(number);
    const satchel::Message message = message_of(serial);
    content.business[number] = 1;
    content.pending[library.enqueue(message.topic, message.payload, message.key)] = serial;
    transaction.commit();
    // The rest is in the log alone.
    if (number == 3) library.database().exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
  SQLite::Statement range{library.database(), "SELECT identity FROM satchel_identity"};
  if (!range.executeStep()) throw std::logic_error{"version 1 gave no identity"};
  satchel::Identity identity{};
  const std::string bytes = range.getColumn(0).getString();
  std::copy_n(bytes.begin(), identity.size(), identity.begin());
  range.reset();
  Wreck left;
  for (const char* name : {"device.db", "device.db-wal"}) {
    std::ifstream file{directory.path() + '/' + name, std::ios::binary};
    left.files[name] = {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
  }
  device_.boot(left);
  history_.inherit(std::move(content), identity);
}

// ---- the application ----

template <class Commit>
World::End World::commit(Content after, bool durable, const Commit& commit) {
  history_.begin_commit(std::move(after), durable);
  try {
    commit();
    history_.end_commit();
    return End::committed;
  } catch (const satchel::FullError&) {
    history_.no_commit();
    return End::full;
  } catch (const satchel::OutcomeUnknown&) {
    history_.unknown_commit();
    return End::unknown;
  }
}

void World::create_table() {
  Content after = history_.head();
  after.table = true;
  satchel::Transaction transaction = outbox_->begin();
  transaction.execute(
      "CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY, messages INTEGER, note TEXT)");
  commit(std::move(after), durable(), [&] { transaction.commit(); });
}

World::End World::transact(std::size_t messages, const Manner& manner) {
  Content after = history_.head();
  const std::int64_t number = history_.next_transaction();
  after.business[number] = static_cast<std::int64_t>(messages);
  if (manner.by_company && program_) return transact_outside(number, messages, std::move(after));
  const bool other = manner.by_company && other_;
  satchel::Transaction transaction = (other ? other_ : outbox_)->begin();
  try {
    transaction.execute("INSERT INTO business(number, messages, note) VALUES (?, ?, ?)", number,
                        static_cast<std::int64_t>(messages), note_of(number));
    for (std::size_t i = 0; i < messages; ++i) {
      const Serial serial = history_.next_serial();
      const satchel::Message message = message_of(serial);
      const satchel::MessageId id = transaction.enqueue(message);
      if (id.row != 0) {
        history_.enqueued(serial, id);
        after.pending[id.row] = serial;
        if (message.not_before) not_before_[serial] = clock_->now() + *message.not_before;
      } else {
        ++after.counters[kByQuota];
      }
      if (message.coalesce.value_or(false) || options_.quota.messages > 0) drop(transaction, serial, after);
    }
  } catch (const satchel::FullError&) {
    return End::full;
  }
  if (manner.rollback) return End::rolled_back;
  device_.vfs().disk().fail_next_sync(manner.failing_sync, manner.syncs_before);
  const Content before = history_.head();
  const auto more = [&](const char* name) {
    const auto was = before.counters.find(name);
    const auto is = after.counters.find(name);
    return is == after.counters.end() ? 0 : is->second - (was == before.counters.end() ? 0 : was->second);
  };
  const std::int64_t by_quota = more(kByQuota);
  const std::int64_t coalesced = more(kCoalesced);
  const End end = commit(std::move(after), durable() != other, [&] { transaction.commit(); });
  device_.vfs().disk().fail_next_sync(support::SyncFailure::none);
  if (end == End::committed) {
    drops_.quota += static_cast<std::uint64_t>(by_quota);
    drops_.coalesced += static_cast<std::uint64_t>(coalesced);
  }
  return end;
}

void World::drop(satchel::Transaction& transaction, Serial serial, Content& after) {
  const satchel::Message newer = message_of(serial);
  std::int64_t for_room = 0;
  std::int64_t may_expire = 0;
  SQLite::Statement there{transaction.database(),
                          "SELECT 1 FROM satchel_message WHERE id = ? AND topic <> ''"};
  for (auto row = after.pending.begin(); row != after.pending.end();) {
    there.reset();
    there.bind(1, row->first);
    if (there.executeStep()) {
      ++row;
      continue;
    }
    const satchel::Message gone = message_of(row->second);
    const bool coalesced = newer.coalesce.value_or(false) && gone.key == newer.key &&
                           gone.topic == newer.topic && after.attempts.count(row->first) == 0;
    for (const Delivery& delivery : sink_->under_way()) {
      if (delivery.id.row == row->first)
        history_.defect(Flaw::lost, "a message is dropped that the sink has");
    }
    if (coalesced) {
      ++after.counters[kCoalesced];
    } else {
      ++for_room;
      may_expire += gone.expires_after ? 1 : 0;
    }
    after.attempts.erase(row->first);
    row = after.pending.erase(row);
  }
  if (for_room == 0) return;
  // The file says how many of them had expired.
  SQLite::Statement counted{transaction.database(),
                            "SELECT value FROM satchel_counter WHERE name = 'expired'"};
  const auto known = after.counters.find("expired");
  const std::int64_t expired = (counted.executeStep() ? counted.getColumn(0).getInt64() : 0) -
                               (known == after.counters.end() ? 0 : known->second);
  const bool by_quota =
      options_.quota.messages > 0 && options_.quota.when_full == satchel::WhenFull::drop_oldest;
  if (expired < 0 || expired > may_expire || (expired < for_room && !by_quota))
    history_.defect(Flaw::lost, "a message is dropped for nothing");
  if (expired > 0) after.counters["expired"] += expired;
  if (expired < for_room) after.counters[kByQuota] += for_room - expired;
}

/// What another program does: plain SQL.
World::End World::transact_outside(std::int64_t number, std::size_t messages, Content after) {
  SQLite::Transaction transaction{*program_, SQLite::TransactionBehavior::IMMEDIATE};
  SQLite::Statement row{*program_, "INSERT INTO business(number, messages, note) VALUES (?, ?, ?)"};
  row.bind(1, number);
  row.bind(2, static_cast<std::int64_t>(messages));
  row.bind(3, note_of(number));
  row.exec();
  SQLite::Statement message{*program_, "INSERT INTO satchel_message(topic, payload, key) VALUES (?, ?, ?)"};
  for (std::size_t i = 0; i < messages; ++i) {
    const Serial serial = history_.next_serial();
    const satchel::Message written = message_of(serial);
    message.bind(1, written.topic);
    message.bind(2, written.payload);
    message.bind(3);
    if (!written.key.empty()) message.bind(3, written.key);
    message.exec();
    message.reset();
    const std::int64_t id = program_->getLastInsertRowid();
    history_.enqueued(serial, {outbox_->identity(), id});
    after.pending[id] = serial;
  }
  return commit(std::move(after), false, [&] { transaction.commit(); });
}

void World::replay(std::size_t which) {
  const std::vector<satchel::DeadLetter> letters = outbox_->dead_letters();
  if (letters.empty()) return;
  const satchel::MessageId id = letters[which % letters.size()].id;
  Content after = history_.head();
  const auto letter = after.dead.find(id.row);
  if (letter == after.dead.end())
    return history_.defect(Flaw::unexpected, "an unknown dead letter is listed");
  after.pending[id.row] = letter->second.first;
  after.dead.erase(letter);
  commit(std::move(after), durable(), [&] {
    if (!outbox_->replay(id)) throw std::logic_error{"a listed dead letter cannot be replayed"};
  });
}

void World::replay_all() {
  Content after = history_.head();
  if (after.dead.empty()) return;
  for (const auto& [row, letter] : after.dead) after.pending[row] = letter.first;
  const std::size_t letters = std::exchange(after.dead, {}).size();
  commit(std::move(after), durable(), [&] {
    if (outbox_->replay_all() != letters) throw std::logic_error{"not all dead letters were replayed"};
  });
}

void World::discard(std::size_t which) {
  const std::vector<satchel::DeadLetter> letters = outbox_->dead_letters();
  if (letters.empty()) return;
  const satchel::MessageId id = letters[which % letters.size()].id;
  Content after = history_.head();
  after.dead.erase(id.row);
  ++after.counters["discarded"];
  commit(std::move(after), durable(), [&] {
    if (!outbox_->discard(id)) throw std::logic_error{"a listed dead letter cannot be discarded"};
  });
}

void World::look() {
  if (outbox_->status().pending != history_.head().pending.size())
    history_.defect(Flaw::unexpected, "the status counts other messages than are pending");
}

// ---- the relay and its sink ----

bool World::round(std::chrono::milliseconds later, std::optional<std::uint64_t> failing) {
  clock_->advance(later);
  history_.begin_round();
  if (failing) device_.vfs().disk().fail_next_sync(support::SyncFailure::lossy, *failing);
  const bool done = outbox_->run_once();
  device_.vfs().disk().fail_next_sync(support::SyncFailure::none);
  return done;
}

void World::linger() {
  if (reader_) return reader_.reset();
  reader_.emplace(device_.path(), SQLite::OPEN_READWRITE, 0, options_.vfs);
  sqlite3_db_config(reader_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  reader_->exec("BEGIN; SELECT count(*) FROM business");
}

std::optional<Receipt> World::hand_over(const Delivery& delivery) {
  const std::optional<Serial> serial = serial_of(delivery.topic, delivery.payload, delivery.key);
  if (!serial) {
    history_.defect(Flaw::unexpected, "a message is sent that nobody wrote: " + delivery.id.to_string());
    return satchel::delivered();
  }
  history_.handed(*serial, delivery.id, delivery.attempts);
  if (const auto earliest = not_before_.find(*serial); earliest != not_before_.end()) {
    if (clock_->now() < earliest->second)
      history_.defect(Flaw::unexpected, "a message is sent before its time");
    ++awaited_;
    not_before_.erase(earliest);
  }
  const std::optional<Receipt> receipt = answer_(*serial, delivery);
  if (receipt) note(*serial, *receipt);
  return receipt;
}

void World::note(Serial serial, const Receipt& receipt) {
  if (receipt.verdict == Verdict::delivered) {
    history_.accepted(serial);
  } else {
    history_.returned(serial, receipt.verdict == Verdict::down);
  }
}

std::vector<Delivery> World::under_way() const { return sink_->under_way(); }

void World::reply(const Delivery& delivery, const Receipt& receipt) {
  note(serial_of(delivery.topic, delivery.payload, delivery.key).value_or(0), receipt);
  sink_->reply(delivery.claim, receipt);
}

void World::break_connection() {
  if (!sink_->is_up()) return;
  for (const Delivery& delivery : sink_->under_way()) {
    history_.returned(serial_of(delivery.topic, delivery.payload, delivery.key).value_or(0), true);
  }
  sink_->fall();
}

// ---- what is there ----

Content World::read() {
  Content content;
  satchel::Transaction transaction = outbox_->begin();
  SQLite::Database& database = transaction.database();
  content.table = database.tableExists("business");
  if (content.table) {
    SQLite::Statement rows{database, "SELECT number, messages, note FROM business"};
    while (rows.executeStep()) {
      const std::int64_t number = rows.getColumn(0).getInt64();
      content.business[number] = rows.getColumn(1).getInt64();
      if (rows.getColumn(2).getString() != note_of(number))
        history_.defect(Flaw::damaged, "a business row reads otherwise than it was written");
    }
  }
  const auto serial = [&](const SQLite::Statement& row) {
    const auto found =
        serial_of(row.getColumn(1).getString(), row.getColumn(2).getString(), row.getColumn(3).getString());
    if (!found) history_.defect(Flaw::damaged, "a message reads otherwise than it was written");
    return found.value_or(0);
  };
  SQLite::Statement pending{database,
                            "SELECT id, topic, payload, key FROM satchel_message WHERE topic <> ''"};
  while (pending.executeStep()) content.pending[pending.getColumn(0).getInt64()] = serial(pending);
  SQLite::Statement dead{database, "SELECT id, topic, payload, key, reason FROM satchel_dead"};
  while (dead.executeStep()) {
    content.dead[dead.getColumn(0).getInt64()] = {serial(dead), dead.getColumn(4).getInt()};
  }
  SQLite::Statement counters{database, "SELECT name, value FROM satchel_counter"};
  while (counters.executeStep())
    content.counters[counters.getColumn(0).getString()] = counters.getColumn(1).getInt64();
  SQLite::Statement dropped{database,
                            "SELECT 'dropped:' || reason, sum(messages) FROM satchel_dropped"
                            " WHERE reason IN (2, 3) GROUP BY reason"};
  while (dropped.executeStep())
    content.counters[dropped.getColumn(0).getString()] = dropped.getColumn(1).getInt64();
  SQLite::Statement attempts{database, "SELECT id, attempts FROM satchel_attempt"};
  while (attempts.executeStep())
    content.attempts[attempts.getColumn(0).getInt64()] = attempts.getColumn(1).getInt();
  return content;
}

std::string World::integrity() {
  satchel::Transaction transaction = outbox_->begin();
  SQLite::Statement check{transaction.database(), "PRAGMA integrity_check"};
  return check.executeStep() ? check.getColumn(0).getString() : "no answer";
}

}  // namespace power
