// SPDX-License-Identifier: MIT
#include <satchel/testing/sink_conformance.hpp>
#include <satchel/testing/storage_conformance.hpp>

#include "bench.hpp"

using namespace satchel;
using namespace satchel::relay;

namespace {

class MemoryFixture final : public testing::StorageFixture {
 public:
  Storage& storage() override { return *storage_; }
  void crash() override {
    storage_.reset();
    storage_ = std::make_unique<MemoryStorage>(clock_, medium_);
  }
  std::unique_ptr<Storage> other() override { return std::make_unique<MemoryStorage>(clock_, medium_); }
  ManualClock& clock() override { return clock_; }
  bool replay(std::int64_t row) override { return storage_->replay(row); }

 private:
  ManualClock clock_;
  std::shared_ptr<MemoryMedium> medium_ = std::make_shared<MemoryMedium>();
  std::unique_ptr<MemoryStorage> storage_ = std::make_unique<MemoryStorage>(clock_, medium_);
};

class ScriptedFixture final : public testing::SinkFixture {
 public:
  std::unique_ptr<Sink> make() override {
    auto sink = std::make_unique<ScriptedSink>();
    sink->answer(always(delivered()));
    if (away_) sink->refuse(down("the peer is away"));
    sink_ = sink.get();
    return sink;
  }
  bool silence_peer() override {
    sink_->answer({});
    return true;
  }
  bool remove_peer() override {
    away_ = true;
    if (sink_ != nullptr && sink_->is_up()) sink_->fall();
    return true;
  }
  void restore_peer() override { away_ = false; }

 private:
  ScriptedSink* sink_ = nullptr;
  bool away_ = false;
};

}  // namespace

TEST_CASE("memory storage: keeps the contract of a storage") {
  for (const testing::StorageCheck& check : testing::all_storage_checks()) {
    CAPTURE(check.name);
    MemoryFixture fixture;
    CHECK_NOTHROW(check.run(fixture));
  }
}

TEST_CASE("scripted sink: keeps the contract of a sink") {
  for (const testing::SinkCheck& check : testing::all_sink_checks()) {
    CAPTURE(check.name);
    ScriptedFixture fixture;
    CHECK_NOTHROW(check.run(fixture));
  }
}
