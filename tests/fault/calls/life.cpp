// SPDX-License-Identifier: MIT
#include "life.hpp"

#include <SQLiteCpp/Statement.h>

#include <filesystem>
#include <new>
#include <set>
#include <utility>

namespace calls {

using satchel::Delivery;
using satchel::Message;
using satchel::Receipt;
using std::chrono::milliseconds;

namespace {

constexpr int kRoundsToRecover = 400;

bool at_rest(const satchel::Status& status) { return status.pending == 0 && !status.failure; }

/// Topic of the announcements of what was dropped.
constexpr const char* kAnnouncements = "announcements";
/// More than wait at any time without those of low priority.
constexpr std::uint64_t kQuota = 10;
constexpr int kBulk = 8;
constexpr milliseconds kShortLife{100};

/// Counts what the relay could not do and told nobody else, and what was dropped.
class Troubles final : public satchel::Observer {
 public:
  Troubles(int& count, int& dropped) : count_{count}, dropped_{dropped} {}
  void failing(const std::string&, const std::string&) noexcept override { ++count_; }
  void expired(const satchel::MessageId&) noexcept override { ++dropped_; }
  void dropped(satchel::DropReason, const std::string&, std::uint64_t messages) noexcept override {
    dropped_ += static_cast<int>(messages);
  }

 private:
  int& count_;
  int& dropped_;
};

std::string padded(const std::string& text, std::size_t size) {
  return text + std::string(size > text.size() ? size - text.size() : 0, '.');
}

Message message(const char* topic, const std::string& payload, const char* key = "") {
  Message made;
  made.topic = topic;
  made.payload = payload;
  made.key = key;
  return made;
}

/// The latest state of something: it takes the place of the one before.
Message state(const std::string& payload) {
  Message made = message("state", payload, "state");
  made.coalesce = true;
  return made;
}

/// What an opening may leave when it fails late: an outbox that is complete, and empty.
bool complete(const std::string& path) {
  try {
    const SQLite::Database database{path, SQLite::OPEN_READONLY};
    SQLite::Statement schema{database, "SELECT value FROM satchel_state WHERE name = 'schema'"};
    return schema.executeStep() && schema.getColumn(0).getInt() > 0;
  } catch (const SQLite::Exception&) {
    return false;
  }
}

bool anything_there(const std::string& path) {
  const std::filesystem::path file{path};
  for (const auto& entry : std::filesystem::directory_iterator{file.parent_path()}) {
    if (entry.path().filename().string().starts_with(file.filename().string())) return true;
  }
  return false;
}

}  // namespace

struct Life::Note {
  explicit Note(const Hooks& hooks) : hooks_{hooks} {
    if (hooks_.spare) hooks_.spare();
  }
  ~Note() {
    if (hooks_.unspare) hooks_.unspare();
  }
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;

 private:
  const Hooks& hooks_;
};

Life::Life(std::string path, const std::string& vfs, Hooks hooks, Manner manner)
    : path_{std::move(path)},
      hooks_{std::move(hooks)},
      manner_{manner},
      clock_{std::make_shared<satchel::testing::ManualClock>()} {
  options_.clock = clock_;
  options_.vfs = vfs;
  options_.observer = std::make_shared<Troubles>(background_, dropped_);
  options_.checkpoint_bytes = 32U << 10U;
  options_.max_wal_bytes = 64U << 10U;
  options_.busy_timeout = milliseconds{0};
  options_.retry_backoff = {milliseconds{1000}, 1.0, milliseconds{1000}};
  options_.probe_backoff = {milliseconds{10}, 1.0, milliseconds{10}};
  options_.settle_linger = milliseconds{0};
  // A limit that is not reached: the way of the INSERT differs with one.
  options_.max_file_bytes = 64U << 20U;
  plan_[1] = {message("ok", "1a", "k"), message("flaky", "1b", "k"), message("ok", "1c", "k")};
  plan_[2] = {message("ok", "rolled back")};
  plan_[3] = {message("bad", "3a"), message("bad", "3b"), message("flaky", padded("3c", 9000))};
  plan_[4] = {};
  for (int number = 5; number < 9; ++number) {
    plan_[number] = {message("ok", padded(std::to_string(number) + "a", 5000), "k2")};
  }
  plan_[9] = {message("ok", "9a"), message("ok", "9b", "k")};
  if (manner_ == Manner::plain) return;
  options_.durability = satchel::Durability::relaxed;
  options_.quota.messages = kQuota;
  options_.quota.when_full = satchel::WhenFull::drop_lowest;
  options_.quota.exact = true;
  options_.announce_topic = kAnnouncements;
  for (int i = 0; i < kBulk; ++i) {
    plan_[21].push_back(message("ok", "21" + std::string(1, static_cast<char>('a' + i))));
    plan_[21].back().priority = satchel::Priority::bulk;
  }
  plan_[22] = {state("22a")};
  plan_[23] = {state("23a"), message("ok", "23b")};
  plan_[23].back().expires_after = kShortLife;
  plan_[24] = {message("ok", "24a"), message("flaky", "24b"), message("ok", "24c"), message("ok", "24d")};
  plan_[25] = {state("25a")};
}

Life::~Life() = default;

void Life::breach(const char* where, const char* what) {
  const Note note{hooks_};
  breaches_.push_back(std::string{where} + ": " + what);
}

/// Runs one step. Whatever leaves the library has to be one of its own errors, or the lack of memory itself.
template <class Action>
Fate Life::attempt(const char* name, Action&& action) {
  if (hooks_.before) hooks_.before(name);
  const auto told = [&](const satchel::Error& error) {
    ++errors_;
    if (error.problem().empty() || error.hint().empty()) breach(name, "an error without words");
  };
  try {
    std::forward<Action>(action)();
    return Fate::committed;
  } catch (const satchel::OutcomeUnknown& error) {
    told(error);
    ++unknowns_;
    return Fate::unknown;
  } catch (const satchel::StorageError& error) {
    told(error);
  } catch (const satchel::OpenError& error) {
    told(error);
  } catch (const std::bad_alloc&) {
    ++errors_;
  } catch (const std::exception& error) {
    breach(name, error.what());
  }
  return Fate::failed;
}

void Life::make_outbox() {
  auto sink = std::make_unique<satchel::testing::ScriptedSink>();
  sink->answer([this](const Delivery& delivery) { return answer(delivery); });
  auto outbox = std::make_unique<satchel::Outbox>(path_, options_);
  outbox->attach(std::move(sink));
  outbox_ = std::move(outbox);
}

bool Life::have_outbox() {
  if (outbox_) return true;
  const Fate fate = attempt("open", [this] { make_outbox(); });
  if (fate == Fate::committed) {
    opened_once_ = true;
    return true;
  }
  const Note note{hooks_};
  if (!opened_once_ && !left_behind_ && anything_there(path_)) {
    left_behind_ = true;
    if (!complete(path_) && !hooks_.nothing_can_be_removed) breach("open", "failed and left a file behind");
  }
  return false;
}

std::optional<Receipt> Life::answer(const Delivery& delivery) {
  const Note note{hooks_};
  if (delivery.topic == kAnnouncements) return satchel::delivered();
  if (delivery.topic == "bad" && !accept_bad_) return satchel::reject("no");
  if (delivery.topic == "flaky" && delivery.attempts == 0) return satchel::retry("not yet");
  ++received_[delivery.payload.substr(0, delivery.payload.find('.'))];
  return satchel::delivered();
}

/// A business row and messages; what becomes of them is written down.
void Life::transact(int number, bool commit) {
  const std::vector<Message>& messages = plan_.at(number);
  Entry* entry = nullptr;
  {
    const Note note{hooks_};
    entry = &entries_[number];
    for (const Message& one : messages) {
      entry->payloads.push_back(one.payload.substr(0, one.payload.find('.')));
    }
  }
  if (!have_outbox()) return;
  const Fate fate = attempt("transaction", [&] {
    satchel::Transaction tx = outbox_->begin();
    tx.execute("CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY)");
    tx.execute("INSERT INTO business(number) VALUES (?)", number);
    for (const Message& one : messages) {
      // A new message that the quota has no room for gets no row.
      if (tx.enqueue(one).row != 0) continue;
      const Note note{hooks_};
      droppable_.insert(one.payload);
    }
    if (commit) tx.commit();
  });
  if (commit) entry->fate = fate;
  if (commit && fate != Fate::failed) note_droppable(messages);
}

/// By a quota, by time, or because another one took its place.
void Life::note_droppable(const std::vector<Message>& messages) {
  const Note note{hooks_};
  for (const Message& one : messages) {
    if (one.priority == satchel::Priority::bulk || one.expires_after) droppable_.insert(one.payload);
    if (!one.coalesce.value_or(false)) continue;
    if (!latest_.empty()) droppable_.insert(latest_);
    latest_ = one.payload;
  }
}

void Life::relay(int rounds, milliseconds pace) {
  for (int round = 0; round < rounds && have_outbox(); ++round) {
    attempt("relay", [this] { outbox_->run_once(); });
    const Note note{hooks_};
    clock_->advance(pace);
  }
}

/// One dead letter is taken back, one is given up for good.
void Life::repair_dead() {
  if (!have_outbox()) return;
  std::vector<satchel::DeadLetter> dead;
  attempt("list dead letters", [&] { dead = outbox_->dead_letters(); });
  if (dead.size() < 2) return;
  accept_bad_ = true;
  attempt("replay", [&] { outbox_->replay(dead[0].id); });
  bool gone = false;
  const Fate fate = attempt("discard", [&] { gone = outbox_->discard(dead[1].id); });
  const Note note{hooks_};
  if (fate == Fate::unknown || gone) discarded_[dead[1].message.payload] = fate;
}

void Life::run() {
  if (manner_ == Manner::plain) {
    run_plain();
  } else {
    run_policies();
  }
}

void Life::run_policies() {
  for (const int number : {21, 22, 23}) transact(number);
  if (have_outbox()) {
    const Note note{hooks_};
    clock_->advance(2 * kShortLife);
  }
  transact(24);
  if (have_outbox()) attempt("status", [this] { outbox_->status(); });
  relay(4, milliseconds{200});
  close_unless_hit();
  transact(25);
  relay(3, milliseconds{200});
}

void Life::run_plain() {
  transact(1);
  transact(2, false);
  transact(3);
  relay(4, milliseconds{200});
  if (have_outbox()) {
    const Note note{hooks_};
    clock_->set_wall(satchel::WallTime{milliseconds{1'790'000'000'000}}, true);
  }
  transact(4);
  relay(3, milliseconds{1000});
  if (have_outbox()) attempt("status", [this] { outbox_->status(); });
  repair_dead();
  relay(2, milliseconds{1000});
  if (have_outbox()) attempt("replay all", [this] { outbox_->replay_all(); });
  for (int number = 5; number < 9; ++number) transact(number);
  relay(4, milliseconds{200});
  close_unless_hit();
  transact(9);
  relay(3, milliseconds{200});
}

/// A fault that has hit is to be got over by the outbox that met it.
void Life::close_unless_hit() {
  if (hooks_.hit() || !outbox_) return;
  attempt("stop", [this] { outbox_->stop(milliseconds{0}); });
  outbox_.reset();
}

void Life::recover() {
  accept_bad_ = true;
  if (!outbox_) {
    try {
      make_outbox();
    } catch (const std::exception& error) {
      return breach("the file cannot be opened any more", error.what());
    }
  }
  try {
    for (int round = 0; round < kRoundsToRecover; ++round) {
      if (!outbox_->run_once() && at_rest(outbox_->status())) break;
      clock_->advance(milliseconds{1000});
    }
    const satchel::Status status = outbox_->status();
    if (status.pending != 0) breach("messages stay pending", std::to_string(status.pending).c_str());
    if (status.failure) breach("the relay does not heal", status.failure->problem.c_str());
    outbox_->stop(milliseconds{0});
  } catch (const std::exception& error) {
    breach("after the fault was gone", error.what());
  }
  outbox_.reset();
}

void Life::check_rows(satchel::Outbox& outbox) {
  std::set<int> rows;
  {
    satchel::Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY)");
    SQLite::Statement query{tx.database(), "SELECT number FROM business"};
    while (query.executeStep()) rows.insert(query.getColumn(0).getInt());
    SQLite::Statement check{tx.database(), "PRAGMA integrity_check"};
    check.executeStep();
    if (check.getColumn(0).getString() != "ok") breach("integrity", check.getColumn(0).getText());
  }
  std::set<std::string> wanted;
  for (const auto& [number, entry] : entries_) {
    const std::string label = "transaction " + std::to_string(number);
    const char* name = label.c_str();
    const bool there = rows.count(number) != 0;
    if (entry.fate == Fate::committed && !there) breach(name, "was committed and its row is lost");
    if (entry.fate == Fate::failed && there) breach(name, "failed and its row is there");
    for (const std::string& payload : entry.payloads) {
      const bool got = received_.count(payload) != 0;
      const bool needed = discarded_.count(payload) + droppable_.count(payload) == 0;
      if (there && !got && needed) breach(name, ("lost message " + payload).c_str());
      if (!there && got) breach(name, ("sent without its row: message " + payload).c_str());
      wanted.insert(payload);
    }
    rows.erase(number);
  }
  for (const int number : rows) breach("a row that nobody wrote", std::to_string(number).c_str());
  for (const auto& [payload, times] : received_) {
    if (wanted.count(payload) == 0) breach("a message that nobody sent", payload.c_str());
  }
}

void Life::compare() {
  try {
    make_outbox();
    outbox_->replay_all();
    for (int round = 0; round < kRoundsToRecover; ++round) {
      if (!outbox_->run_once() && outbox_->status().pending == 0) break;
      clock_->advance(milliseconds{1000});
    }
    const satchel::Status status = outbox_->status();
    if (status.pending != 0 || status.dead != 0)
      breach("opened anew", "messages are left after everything was delivered");
    check_rows(*outbox_);
    outbox_->stop(milliseconds{0});
  } catch (const std::exception& error) {
    breach("opened anew", error.what());
  }
  outbox_.reset();
}

int Life::duplicates() const {
  int copies = 0;
  for (const auto& [payload, times] : received_) copies += times - 1;
  return copies;
}

int Life::committed() const {
  int count = 0;
  for (const auto& [number, entry] : entries_) count += entry.fate == Fate::committed ? 1 : 0;
  return count;
}

}  // namespace calls
