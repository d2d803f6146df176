// SPDX-License-Identifier: MIT
#include "fixture.hpp"

#include <satchel/testing/storage_conformance.hpp>

#include <doctest/doctest.h>

using namespace store_test;

namespace {

class StoreFixture final : public satchel::testing::StorageFixture {
 public:
  satchel::Storage& storage() override { return *store_; }
  void crash() override {
    const std::string next = file_.path + std::to_string(++crashes_);
    copy_as_crashed(file_.path, next);
    file_.path = next;
    store_ = file_.open();
  }
  std::unique_ptr<satchel::Storage> other() override;
  satchel::testing::ManualClock& clock() override { return *file_.clock; }
  bool replay(std::int64_t row) override {
    for (const auto& letter : store_->dead_letters(100, row - 1)) {
      if (letter.id.row == row) return store_->replay(letter.id);
    }
    return false;
  }

  std::function<void()> condemn(std::int64_t row) override {
    satchel::ClaimQuery query;
    query.row = row;
    const auto found = store_->claim(query).messages;
    Message next = message("next", found.at(0).key);
    next.topic = found.at(0).topic;
    next.coalesce = true;
    const std::shared_ptr<satchel::store::Writing> writing = store_->begin();
    writing->enqueue(next);
    return [writing] { writing->rollback(); };
  }

 private:
  File file_;
  int crashes_ = 0;
  std::shared_ptr<Store> store_ = file_.open();
};

/// A storage of its own around a store that is shared.
class Held final : public satchel::Storage {
 public:
  explicit Held(std::shared_ptr<Store> store) : store_{std::move(store)} {}
  MessageId save(const Message& m) override { return store_->save(m); }
  std::optional<satchel::Recovery> acquire() override { return store_->acquire(); }
  void release() noexcept override { store_->release(); }
  satchel::Claimed claim(const satchel::ClaimQuery& q) override { return store_->claim(q); }
  bool has_priorities() override { return store_->has_priorities(); }
  satchel::Released release_due(std::size_t most) override { return store_->release_due(most); }
  std::vector<std::string> dead_keys(std::size_t limit) override { return store_->dead_keys(limit); }
  std::vector<std::int64_t> before_send(const satchel::InFlight& i) override {
    return store_->before_send(i);
  }
  bool settle(const satchel::Settlement& s) override { return store_->settle(s); }
  void maintain() override { store_->maintain(); }
  satchel::Look look() override { return store_->look(); }
  std::uint64_t rescans() override { return store_->rescans(); }
  void on_change(std::function<void()> wake) override { store_->on_change(std::move(wake)); }

 private:
  std::shared_ptr<Store> store_;
};

std::unique_ptr<satchel::Storage> StoreFixture::other() { return std::make_unique<Held>(file_.open()); }

}  // namespace

TEST_CASE("store: keeps every rule of the Storage port") {
  for (const auto& check : satchel::testing::all_storage_checks()) {
    CAPTURE(check.name);
    StoreFixture fixture;
    CHECK_NOTHROW(check.run(fixture));
  }
}
