// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <SQLiteCpp/Statement.h>

#include <stdexcept>
#include <utility>

namespace power {

namespace {

using satchel::Delivery;
using satchel::Receipt;
using satchel::Verdict;

constexpr std::size_t kKiB = 1024;

}  // namespace

Plan::Plan(std::uint64_t plan_seed, satchel::Durability durability, Sabotage plan_sabotage)
    : seed{plan_seed}, sabotage{plan_sabotage} {
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
  if (dice.one_in(3)) options.max_file_bytes = (options.page_size == 4096 ? 88 : 64) * kKiB;
  characteristics = dice.one_in(4) ? 0 : SQLITE_IOCAP_POWERSAFE_OVERWRITE;
  sector = dice.one_in(2) ? 512 : 4096;
}

/// Tells the oracle what the relay tells.
class World::Ear final : public satchel::Observer {
 public:
  explicit Ear(History& history) : history_{history} {}
  void delivered(const satchel::MessageId& id, int) noexcept override { history_.told_delivered(id); }
  void retrying(const satchel::MessageId& id, int attempts, const std::string&,
                std::chrono::milliseconds) noexcept override {
    history_.told_retrying(id, attempts);
  }
  void died(const satchel::MessageId& id, satchel::DeadReason reason, const std::string&) noexcept override {
    history_.told_dead(id, reason);
  }
  void failing(const std::string& problem, const std::string&) noexcept override {
    history_.defect(Flaw::damaged, "the relay fails: " + problem);
  }

 private:
  History& history_;
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
  options_.observer = std::make_shared<Ear>(history_);
  device.vfs().set_characteristics(plan.characteristics, plan.sector);
  device.vfs().disk().lie(plan.sabotage == Sabotage::lying_disk ? 48 : 0);
  if (before != nullptr) reboot();
}

World::~World() = default;

void World::reboot() { clock_->reboot("boot-" + std::to_string(++boots_)); }

void World::open() {
  outbox_.emplace(device_.path(), options_);
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink_ = sink.get();
  sink_->answer([this](const Delivery& delivery) { return hand_over(delivery); });
  outbox_->attach(std::move(sink));
  if (sabotage_ != Sabotage::synchronous_off) return;
  SQLite::Database& database = connection();
  database.exec("PRAGMA synchronous = OFF");
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
  outbox_.reset();
  sink_ = nullptr;
}

// ---- the application ----

void World::create_table() {
  Content after = history_.head();
  after.table = true;
  satchel::Transaction transaction = outbox_->begin();
  transaction.execute(
      "CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY, messages INTEGER, note TEXT)");
  history_.begin_commit(std::move(after));
  transaction.commit();
  history_.end_commit();
}

bool World::transact(std::size_t messages, bool commit) {
  Content after = history_.head();
  const std::int64_t number = history_.next_transaction();
  satchel::Transaction transaction = outbox_->begin();
  try {
    transaction.execute("INSERT INTO business(number, messages, note) VALUES (?, ?, ?)", number,
                        static_cast<std::int64_t>(messages), "transaction " + std::to_string(number));
    after.business[number] = static_cast<std::int64_t>(messages);
    for (std::size_t i = 0; i < messages; ++i) {
      const Serial serial = history_.next_serial();
      const satchel::MessageId id = transaction.enqueue(message_of(serial));
      history_.enqueued(serial, id);
      after.pending[id.row] = serial;
    }
    if (!commit) {
      transaction.rollback();
      return false;
    }
    history_.begin_commit(std::move(after));
    transaction.commit();
    history_.end_commit();
    return true;
  } catch (const satchel::FullError&) {
    history_.no_commit();
    return false;
  }
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
  history_.begin_commit(std::move(after));
  try {
    if (!outbox_->replay(id)) throw std::logic_error{"a listed dead letter cannot be replayed"};
    history_.end_commit();
  } catch (const satchel::FullError&) {
    history_.no_commit();
  }
}

void World::replay_all() {
  Content after = history_.head();
  if (after.dead.empty()) return;
  for (const auto& [row, letter] : after.dead) after.pending[row] = letter.first;
  const std::size_t letters = std::exchange(after.dead, {}).size();
  history_.begin_commit(std::move(after));
  try {
    if (outbox_->replay_all() != letters) throw std::logic_error{"not all dead letters were replayed"};
    history_.end_commit();
  } catch (const satchel::FullError&) {
    history_.no_commit();
  }
}

void World::discard(std::size_t which) {
  const std::vector<satchel::DeadLetter> letters = outbox_->dead_letters();
  if (letters.empty()) return;
  const satchel::MessageId id = letters[which % letters.size()].id;
  Content after = history_.head();
  after.dead.erase(id.row);
  ++after.counters["discarded"];
  history_.begin_commit(std::move(after));
  try {
    if (!outbox_->discard(id)) throw std::logic_error{"a listed dead letter cannot be discarded"};
    history_.end_commit();
  } catch (const satchel::FullError&) {
    history_.no_commit();
  }
}

void World::look() {
  if (outbox_->status().pending != history_.head().pending.size())
    history_.defect(Flaw::unexpected, "the status counts other messages than are pending");
}

// ---- the relay and its sink ----

bool World::round(std::chrono::milliseconds later) {
  clock_->advance(later);
  history_.begin_round();
  return outbox_->run_once();
}

std::optional<Receipt> World::hand_over(const Delivery& delivery) {
  const std::optional<Serial> serial = serial_of(delivery.topic, delivery.payload, delivery.key);
  if (!serial) {
    history_.defect(Flaw::unexpected, "a message is sent that nobody wrote: " + delivery.id.to_string());
    return satchel::delivered();
  }
  history_.handed(*serial, delivery.id, delivery.attempts);
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
      if (rows.getColumn(2).getString() != "transaction " + std::to_string(number))
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
