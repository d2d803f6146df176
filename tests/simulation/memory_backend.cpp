// SPDX-License-Identifier: MIT
#include <satchel/testing/memory_storage.hpp>

#include "backend.hpp"

#include <mutex>
#include <random>

namespace simulation {

namespace {

using satchel::testing::MemoryMedium;
using satchel::testing::MemoryStorage;
using satchel::testing::StorageCall;

class MemoryBackend final : public Backend {
 public:
  MemoryBackend(const satchel::testing::ManualClock& clock, std::uint64_t seed)
      : clock_{clock}, random_{seed} {
    open();
  }

  satchel::Storage& storage() override { return *storage_; }

  void crash() override {
    storage_.reset();
    open();
  }

  bool erase(std::int64_t row) override { return storage_->erase(row); }
  bool replay(const satchel::MessageId& id) override { return storage_->replay(id.row); }

  bool discard(const satchel::MessageId& id) override {
    const std::lock_guard lock{medium_->mutex};
    ++medium_->rescans;
    return medium_->dead.erase(id.row) != 0;
  }

  std::set<std::int64_t> pending() override {
    std::set<std::int64_t> rows;
    for (const auto& [row, message] : medium_->rows) rows.insert(row);
    return rows;
  }
  std::set<std::int64_t> dead() override {
    std::set<std::int64_t> rows;
    for (const auto& [row, message] : medium_->dead) rows.insert(row);
    return rows;
  }

  bool trouble(int per_mille) override {
    per_mille_ = per_mille;
    return true;
  }
  bool occupy(bool occupied) override {
    storage_->occupy(occupied);
    return true;
  }
  bool usurp() override {
    storage_->usurp();
    return true;
  }

 private:
  void open() {
    storage_ = std::make_unique<MemoryStorage>(clock_, medium_);
    storage_->let_ride(random_() % 2 == 0);
    storage_->fail([this](StorageCall call) { maybe_fail(call); });
  }

  void maybe_fail(StorageCall call) {
    if (call == StorageCall::save || per_mille_ == 0) return;
    if (static_cast<int>(random_() % 1000) >= per_mille_) return;
    if (call == StorageCall::settle && random_() % 2 == 0) {
      throw satchel::OutcomeUnknown{"settle", "input/output error", "simulated"};
    }
    throw satchel::FullError{"simulation", "no space left on device", "simulated"};
  }

  const satchel::testing::ManualClock& clock_;
  std::mt19937_64 random_;
  const std::shared_ptr<MemoryMedium> medium_ = std::make_shared<MemoryMedium>();
  std::unique_ptr<MemoryStorage> storage_;
  int per_mille_ = 0;
};

}  // namespace

std::unique_ptr<Backend> memory_backend(const satchel::testing::ManualClock& clock, std::uint64_t seed) {
  return std::make_unique<MemoryBackend>(clock, seed);
}

}  // namespace simulation
