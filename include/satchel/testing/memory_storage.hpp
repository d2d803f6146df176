// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/error.hpp>
#include <satchel/storage.hpp>
#include <satchel/testing/memory_medium.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel::testing {

/// Calls of a storage that a test can make fail.
enum class StorageCall : std::uint8_t {
  save,
  acquire,
  claim,
  release_due,
  before_send,
  settle,
  maintain,
  look,
  dead_keys
};

/// A storage in memory: what a backend of one's own has to do, in its shortest form, and the storage of tests
/// that need no file. It keeps the whole contract of `Storage` except durability: its messages end with the
/// medium.
///
/// Tests make it fail with `fail`, take the claim from it with `usurp`, and end its process without a release
/// by destroying it.
class MemoryStorage final : public Storage {
 public:
  /// Called before each call does anything; may throw what the call shall throw.
  using Fault = std::function<void(StorageCall)>;

  explicit MemoryStorage(const Clock& clock,
                         std::shared_ptr<MemoryMedium> medium = std::make_shared<MemoryMedium>())
      : clock_{clock}, medium_{std::move(medium)} {}

  /// As the end of a process: the claim is free, what was in flight is remembered.
  ~MemoryStorage() override {
    const std::lock_guard lock{medium_->mutex};
    medium_->wakes.erase(this);
    if (leads()) medium_->claimed = false;
  }
  MemoryStorage(const MemoryStorage&) = delete;
  MemoryStorage& operator=(const MemoryStorage&) = delete;

  // ---- for tests ----

  void fail(Fault fault) { fault_ = std::move(fault); }
  /// While it is occupied `settle` returns false.
  void occupy(bool occupied) {
    occupied_ = occupied;
    if (!occupied) wake_all();
  }
  /// From now on deliveries ride in saves, and the relay is told whether one is near.
  void let_ride(bool near) { ride_near_ = near; }
  /// Takes the claim away, as another process would.
  void usurp() {
    const std::lock_guard lock{medium_->mutex};
    ++medium_->epoch;
    medium_->claimed = false;
    medium_->riders.clear();
  }
  /// A foreign DELETE.
  bool erase(std::int64_t row) {
    const std::lock_guard lock{medium_->mutex};
    return medium_->remove(row);
  }
  /// Makes a row unreadable.
  void damage(std::int64_t row, std::string why) {
    const std::lock_guard lock{medium_->mutex};
    medium_->rows.at(row).damage = std::move(why);
  }
  /// Makes a dead letter pending again.
  bool replay(std::int64_t row) {
    {
      const std::lock_guard lock{medium_->mutex};
      const auto found = medium_->dead.find(row);
      if (found == medium_->dead.end()) return false;
      MemoryMedium::Row again = std::move(found->second.row);
      medium_->dead.erase(found);
      again.attempts = 0;
      again.suspect = false;
      again.due.reset();
      again.aged = {};
      medium_->put(row, std::move(again));
      ++medium_->rescans;
    }
    wake_all();
    return true;
  }
  const std::shared_ptr<MemoryMedium>& medium() const noexcept { return medium_; }
  std::size_t pending() const {
    const std::lock_guard lock{medium_->mutex};
    return medium_->rows.size();
  }
  std::uint64_t reads() const noexcept { return reads_; }
  std::uint64_t rows_read() const noexcept { return rows_read_; }
  std::uint64_t settles() const noexcept { return settles_; }

  // ---- Storage ----

  MessageId save(const Message& message) override {
    before(StorageCall::save);
    MessageId id;
    {
      const std::lock_guard lock{medium_->mutex};
      id = identify(++medium_->newest);
      MemoryMedium::Row row;
      row.message = message;
      row.created = clock_.now();
      row.ready = !message.not_before || message.not_before->count() <= 0;
      medium_->put(id.row, std::move(row));
      for (const std::int64_t rider : medium_->riders) medium_->remove(rider);
      medium_->rode.insert(medium_->rode.end(), medium_->riders.begin(), medium_->riders.end());
      medium_->riders.clear();
    }
    wake_all();
    return id;
  }

  std::optional<Recovery> acquire() override {
    before(StorageCall::acquire);
    const std::lock_guard lock{medium_->mutex};
    if (medium_->claimed) return std::nullopt;
    medium_->claimed = true;
    epoch_ = ++medium_->epoch;
    medium_->riders.clear();
    medium_->rode.clear();
    Recovery recovery{medium_->in_flight, medium_->alone, medium_->notes};
    std::sort(recovery.suspects.begin(), recovery.suspects.end());
    return recovery;
  }

  void release() noexcept override {
    {
      const std::lock_guard lock{medium_->mutex};
      if (!leads()) return;
      medium_->claimed = false;
      medium_->riders.clear();
      medium_->in_flight.clear();
      epoch_ = 0;
    }
    wake_all();
  }

  Claimed claim(const ClaimQuery& query) override {
    before(StorageCall::claim);
    ++reads_;
    const std::lock_guard lock{medium_->mutex};
    Claimed found;
    std::size_t bytes = 0;
    std::size_t looked_at = 0;
    // False: enough.
    const auto take = [&](std::int64_t row, const MemoryMedium::Row& stored) {
      ++looked_at;
      found.last = row;
      const Message& message = stored.message;
      const bool wanted =
          (query.row || stored.ready) &&
          (!query.priority || message.priority.value_or(Priority::normal) == *query.priority) &&
          (!query.accepts || query.accepts(message.topic));
      if (wanted) {
        bytes += message.payload.size() + message.topic.size() + message.key.size();
        found.messages.push_back(read(row, stored));
      }
      return found.messages.size() < query.max_count && bytes < query.max_bytes && looked_at < query.max_rows;
    };
    bool more = true;
    if (query.row) {
      const auto one = medium_->rows.find(*query.row);
      if (one != medium_->rows.end()) take(one->first, one->second);
    } else if (query.key) {
      const auto lane = medium_->keys.find(*query.key);
      if (lane == medium_->keys.end()) return found;
      for (auto one = lane->second.upper_bound(query.after); more && one != lane->second.end(); ++one) {
        more = take(one->first, *one->second);
      }
    } else if (query.before) {
      auto one = medium_->rows.lower_bound(*query.before);
      while (more && one != medium_->rows.begin() && std::prev(one)->first > query.after) {
        --one;
        more = take(one->first, one->second);
      }
    } else {
      for (auto one = medium_->rows.upper_bound(query.after); more && one != medium_->rows.end(); ++one) {
        more = take(one->first, one->second);
      }
    }
    if (more) found.last.reset();
    rows_read_ += found.messages.size();
    return found;
  }

  bool has_priorities() override {
    const std::lock_guard lock{medium_->mutex};
    return !medium_->prioritized.empty();
  }

  Released release_due(std::size_t max_count) override {
    before(StorageCall::release_due);
    Released released;
    released.occupied = occupied_;
    if (occupied_) return released;
    const std::lock_guard lock{medium_->mutex};
    demand_claim("release messages that are due");
    for (auto one = medium_->delayed.begin(); one != medium_->delayed.end();) {
      if (released.rows.size() >= max_count) break;
      const std::int64_t row = *one++;
      MemoryMedium::Row& stored = medium_->rows.at(row);
      if (due_of(stored) > clock_.now()) continue;
      stored.ready = true;
      medium_->delayed.erase(row);
      released.rows.push_back({row, stored.message.topic, stored.message.key,
                               stored.message.priority.value_or(Priority::normal)});
    }
    return released;
  }

  std::vector<std::string> dead_keys(std::size_t limit) override {
    before(StorageCall::dead_keys);
    const std::lock_guard lock{medium_->mutex};
    std::set<std::string> keys;
    for (const auto& [row, dead] : medium_->dead) {
      if (keys.size() < limit && !dead.row.message.key.empty()) keys.insert(dead.row.message.key);
    }
    return {keys.begin(), keys.end()};
  }

  std::vector<std::int64_t> before_send(const InFlight& in_flight) override {
    before(StorageCall::before_send);
    const std::lock_guard lock{medium_->mutex};
    demand_claim("note what is in flight");
    std::vector<std::int64_t> left_out;
    medium_->in_flight.clear();
    for (const std::int64_t row : in_flight.rows) {
      (medium_->condemned.count(row) == 0 ? medium_->in_flight : left_out).push_back(row);
    }
    medium_->alone = in_flight.alone;
    return left_out;
  }

  bool settle(const Settlement& settlement) override {
    {
      const std::lock_guard lock{medium_->mutex};
      medium_->riders.clear();
    }
    before(StorageCall::settle);
    if (occupied_) return false;
    const std::lock_guard lock{medium_->mutex};
    demand_claim("settle");
    ++settles_;
    for (const std::int64_t row : settlement.delivered) medium_->remove(row);
    for (const std::int64_t row : settlement.expired) {
      if (medium_->remove(row)) ++medium_->expired;
    }
    for (const Failure& failure : settlement.failures) {
      const auto found = medium_->rows.find(failure.row);
      if (found == medium_->rows.end()) continue;
      found->second.attempts = failure.attempts;
      found->second.suspect = failure.suspect;
      found->second.due = failure.due;
      found->second.aged = failure.aged;
    }
    for (const Death& death : settlement.deaths) {
      const auto found = medium_->rows.find(death.row);
      if (found == medium_->rows.end()) continue;
      MemoryMedium::Dead dead{found->second, death.reason, death.error};
      dead.row.attempts = death.attempts;
      medium_->dead.emplace(death.row, std::move(dead));
      medium_->remove(death.row);
    }
    for (const auto& [name, value] : settlement.notes) medium_->notes[name] = value;
    return true;
  }

  Ride ride(const std::vector<std::int64_t>& delivered) override {
    const std::lock_guard lock{medium_->mutex};
    if (ride_near_ && leads()) medium_->riders = delivered;
    return {std::exchange(medium_->rode, {}), ride_near_.value_or(false)};
  }

  void maintain() override { before(StorageCall::maintain); }

  Look look() override {
    before(StorageCall::look);
    Look look;
    const std::lock_guard lock{medium_->mutex};
    for (const std::int64_t row : medium_->delayed) {
      const BootTime due = due_of(medium_->rows.at(row));
      if (due <= clock_.now()) {
        look.due = true;
      } else if (!look.next || due < *look.next) {
        look.next = due;
      }
    }
    return look;
  }

  std::uint64_t rescans() override {
    const std::lock_guard lock{medium_->mutex};
    return medium_->rescans;
  }

  void on_change(std::function<void()> wake) override {
    const std::lock_guard lock{medium_->mutex};
    medium_->wakes[this] = std::move(wake);
  }

 private:
  static BootTime due_of(const MemoryMedium::Row& row) { return row.created + *row.message.not_before; }

  static MessageId identify(std::int64_t row) {
    MessageId id;
    id.identity.fill(0xA5);
    id.row = row;
    return id;
  }

  bool leads() const noexcept { return medium_->claimed && epoch_ != 0 && epoch_ == medium_->epoch; }

  void demand_claim(const char* operation) const {
    if (!leads()) throw ClaimLost{operation, "another relay has the claim", "this one stands by"};
  }

  void before(StorageCall call) const {
    if (fault_) fault_(call);
  }

  StoredMessage read(std::int64_t row, const MemoryMedium::Row& stored) const {
    StoredMessage message;
    message.id = identify(row);
    message.topic = stored.message.topic;
    message.payload = stored.message.payload;
    message.key = stored.message.key;
    message.content_type = stored.message.content_type;
    message.headers = stored.message.headers;
    message.priority = stored.message.priority.value_or(Priority::normal);
    message.retry = stored.message.retry;
    message.attempts = stored.attempts;
    message.suspect = stored.suspect;
    message.due = stored.due;
    message.aged = stored.aged;
    message.damage = stored.damage;
    if (stored.message.expires_after) {
      const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - stored.created);
      message.remaining = *stored.message.expires_after - age;
    }
    return message;
  }

  void wake_all() {
    std::vector<std::function<void()>> wakes;
    {
      const std::lock_guard lock{medium_->mutex};
      for (const auto& [storage, wake] : medium_->wakes) {
        if (wake) wakes.push_back(wake);
      }
    }
    for (const auto& wake : wakes) wake();
  }

  const Clock& clock_;
  const std::shared_ptr<MemoryMedium> medium_;

  // One thread only: the relay's, and the test's while the relay rests.
  Fault fault_;
  bool occupied_ = false;
  std::optional<bool> ride_near_{};
  std::uint64_t epoch_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t rows_read_ = 0;
  std::uint64_t settles_ = 0;
};

}  // namespace satchel::testing

#pragma GCC visibility pop
