// SPDX-License-Identifier: MIT
//
// The outbox beside a plain model of it in memory: after each of many random operations both have to agree.
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <SQLiteCpp/Statement.h>
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using satchel::Outbox;
using satchel::Transaction;
using std::chrono::milliseconds;

/// What should be in the file: by row id. The payload says what the sink does with a message.
struct Model {
  std::map<std::int64_t, std::string> pending;
  std::map<std::int64_t, std::string> dead;
  std::multiset<std::string> received;
  std::set<int> rows;
  std::int64_t newest = 0;
};

class Bench {
 public:
  explicit Bench(unsigned seed) : random_{seed} { open(); }

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        transaction();
        break;
      case 3:
        single();
        break;
      case 4:
        relay();
        break;
      case 5:
        replay();
        break;
      case 6:
        discard();
        break;
      default:
        reopen();
        break;
    }
    compare();
  }

 private:
  void open() {
    satchel::Options options;
    options.clock = clock_;
    options.durability = satchel::Durability::relaxed;
    outbox_.emplace(directory_.path() + "/device.db", options);
    Transaction tx = outbox_->begin();
    tx.execute("CREATE TABLE IF NOT EXISTS business(number INTEGER)");
    tx.commit();
    attached_ = false;
  }

  void reopen() {
    outbox_.reset();
    open();
  }

  std::string payload() {
    // "bad" is rejected until it is replayed, when the operator has mended what was wrong.
    return random_() % 5 == 0 ? "bad" : "good";
  }

  void transaction() {
    const bool commits = random_() % 3 != 0;
    const auto count = static_cast<int>(random_() % 5);
    Transaction tx = outbox_->begin();
    std::map<std::int64_t, std::string> added;
    std::set<int> rows;
    for (int each = 0; each < count; ++each) {
      rows.insert(++number_);
      tx.execute("INSERT INTO business(number) VALUES (?)", number_);
      const std::string text = payload();
      const std::string key = random_() % 2 == 0 ? "k" : "";
      added[tx.enqueue({.topic = "t", .payload = text, .key = key}).row] = text;
    }
    if (!commits) return;
    tx.commit();
    if (!added.empty()) model_.newest = added.rbegin()->first;
    model_.pending.merge(added);
    model_.rows.merge(rows);
  }

  void single() {
    const std::string text = payload();
    model_.newest = outbox_->enqueue({.topic = "t", .payload = text}).row;
    model_.pending[model_.newest] = text;
  }

  void relay() {
    if (!attached_) {
      outbox_->attach(support::EchoSink{echo_, [this](const satchel::Delivery& delivery) {
                                          const bool mended = mended_.count(delivery.id.row) != 0;
                                          return delivery.payload == "bad" && !mended ? satchel::reject("bad")
                                                                                      : satchel::delivered();
                                        }});
      attached_ = true;
    }
    while (outbox_->run_once()) {
    }
    for (const auto& [row, text] : model_.pending) {
      model_.received.insert(text);
      if (text == "bad" && mended_.count(row) == 0) model_.dead[row] = text;
    }
    model_.pending.clear();
  }

  std::optional<satchel::MessageId> some_dead() {
    if (model_.dead.empty()) return std::nullopt;
    auto one = model_.dead.begin();
    std::advance(one, static_cast<std::ptrdiff_t>(random_() % model_.dead.size()));
    return satchel::MessageId{outbox_->identity(), one->first};
  }

  void replay() {
    const auto id = some_dead();
    if (!id) return;
    mended_.insert(id->row);
    CHECK(outbox_->replay(*id));
    model_.pending.insert(model_.dead.extract(id->row));
  }

  void discard() {
    const auto id = some_dead();
    if (!id) return;
    CHECK(outbox_->discard(*id));
    model_.dead.erase(id->row);
  }

  void compare() {
    const satchel::Status status = outbox_->status();
    REQUIRE(status.pending == model_.pending.size());
    REQUIRE(status.dead == model_.dead.size());
    REQUIRE(status.newest_row == model_.newest);
    std::map<std::int64_t, std::string> dead;
    for (const satchel::DeadLetter& letter : outbox_->dead_letters(10'000)) {
      dead[letter.id.row] = letter.message.payload;
    }
    REQUIRE(dead == model_.dead);
    std::multiset<std::string> received;
    for (const std::string& text : echo_->payloads()) received.insert(text);
    REQUIRE(received == model_.received);
    Transaction tx = outbox_->begin();
    SQLite::Statement query{tx.database(), "SELECT count(*) FROM business"};
    query.executeStep();
    REQUIRE(static_cast<std::size_t>(query.getColumn(0).getInt64()) == model_.rows.size());
  }

  std::mt19937 random_;
  support::TempDir directory_{support::TempDir::Where::memory};
  std::shared_ptr<satchel::testing::ManualClock> clock_ = std::make_shared<satchel::testing::ManualClock>();
  std::shared_ptr<support::Echo> echo_ = std::make_shared<support::Echo>();
  std::optional<Outbox> outbox_;
  bool attached_ = false;
  int number_ = 0;
  std::set<std::int64_t> mended_;
  Model model_;
};

}  // namespace

TEST_CASE("model: the outbox and a plain model of it agree after every random operation") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Bench bench{seed};
    for (int operation = 0; operation < 100; ++operation) {
      CAPTURE(operation);
      bench.step();
    }
  }
}
