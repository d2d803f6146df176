// SPDX-License-Identifier: MIT
#include "backend.hpp"
#include "store/store.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/Statement.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

namespace {

class StoreBackend final : public Backend {
 public:
  StoreBackend(std::shared_ptr<satchel::testing::ManualClock> clock, const satchel::Options& options) {
    options_.quota = options.quota;
    options_.topics = options.topics;
    options_.announce_topic = options.announce_topic;
    options_.clock = std::move(clock);
    options_.durability = satchel::Durability::relaxed;
    open();
  }

  satchel::Storage& storage() override { return *store_; }

  void crash() override {
    // A store that is destroyed releases its claim in an orderly way. A process that dies leaves the note of
    // what is in flight as it was: so it is put back.
    const std::string note = path() + "-relay";
    std::ostringstream noted;
    noted << std::ifstream{note, std::ios::binary}.rdbuf();
    store_.reset();
    std::ofstream{note, std::ios::binary | std::ios::trunc} << noted.str();
    open();
  }

  bool erase(std::int64_t row) override {
    const std::unique_ptr<satchel::store::Writing> writing = store_->begin();
    const int gone = writing->database().exec("DELETE FROM satchel_message WHERE topic <> '' AND id = " +
                                              std::to_string(row));
    writing->commit();
    return gone > 0;
  }

  void number(const std::vector<satchel::RouteOptions>& routes) override {
    routes_ = routes;
    store_->sequence_routes(routes_);
  }
  void renew() override { store_->renew_identity(); }
  bool replay(const satchel::MessageId& id) override { return store_->replay(id); }
  bool discard(const satchel::MessageId& id) override { return store_->discard(id); }

  std::set<std::int64_t> pending() override {
    // Not by a claim, which leaves out what is not due yet.
    std::set<std::int64_t> rows;
    const std::unique_ptr<satchel::store::Writing> writing = store_->begin();
    SQLite::Statement found{writing->database(), "SELECT id FROM satchel_message WHERE topic <> ''"};
    while (found.executeStep()) rows.insert(found.getColumn(0).getInt64());
    return rows;
  }

  std::set<std::int64_t> dead() override {
    std::set<std::int64_t> rows;
    for (const satchel::DeadLetter& letter : store_->dead_letters(10'000, 0)) rows.insert(letter.id.row);
    return rows;
  }

 private:
  std::string path() const { return directory_.path() + "/simulation.db"; }
  void open() {
    store_ = satchel::store::Store::open(path(), options_);
    store_->sequence_routes(routes_);
  }

  const support::TempDir directory_{support::TempDir::Where::memory};
  satchel::Options options_;
  std::vector<satchel::RouteOptions> routes_;
  std::shared_ptr<satchel::store::Store> store_;
};

}  // namespace

std::unique_ptr<Backend> store_backend(std::shared_ptr<satchel::testing::ManualClock> clock,
                                       const satchel::Options& options) {
  return std::make_unique<StoreBackend>(std::move(clock), options);
}

}  // namespace simulation
