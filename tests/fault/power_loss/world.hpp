// SPDX-License-Identifier: MIT
#pragma once

#include "history.hpp"

#include <satchel/observer.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace power {

/// How the disk, or the program, breaks what satchel relies on. Then the oracle has to find something.
enum class Sabotage : std::uint8_t {
  none,
  synchronous_off,  ///< the application switches off the syncs of its connection
  lying_disk,       ///< a sync does nothing; the cache holds the last changes back
  lossy_sync,       ///< a sync that failed takes for ever what it should have written
};

/// Who else writes to the file.
enum class Company : std::uint8_t {
  none,
  outbox,   ///< a second outbox, of the other durability
  program,  ///< a connection without satchel, whose commits are not synced and which inserts messages by hand
};

/// Who writes a transaction, and how it ends.
struct Manner {
  bool by_company = false;
  bool rollback = false;
  support::SyncFailure failing_sync = support::SyncFailure::none;
  std::uint64_t syncs_before = 0;  ///< that succeed; the commit's own is the first
};

/// Messages that made room, or place, for others.
struct Drops {
  std::uint64_t quota = 0;
  std::uint64_t coalesced = 0;
};

/// How a device works, drawn from a seed.
struct Plan {
  Plan(std::uint64_t seed, satchel::Durability durability, Sabotage sabotage);

  std::uint64_t seed;
  satchel::Options options;
  satchel::Durability opened_as;
  Sabotage sabotage;
  Company company = Company::none;
  bool changes_durability = false;  ///< when it is opened again
  bool version_1 = false;           ///< the file was made by the first version of the library
  int characteristics;
  int sector;
};

/// A program with an outbox on a device between two power cuts, every step of which the oracle follows.
class World {
 public:
  using Answer = std::function<std::optional<satchel::Receipt>(Serial, const satchel::Delivery&)>;

  World(const Plan& plan, Device& device, const History* before, Tick cut);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  History& history() noexcept { return history_; }
  const Drops& drops() const noexcept { return drops_; }
  /// Messages that were handed over after the time that they had to wait for.
  std::uint64_t awaited() const noexcept { return awaited_; }

  /// Leaves a file of the first version on the device, which is switched on with it.
  void bequeath();

  void open(satchel::Durability durability);
  void invite(Company company);
  /// `orderly`: the relay is stopped first.
  void close(bool orderly);
  void reboot();

  void create_table();

  /// Rows and messages in one transaction.
  enum class End : std::uint8_t { committed, rolled_back, full, unknown };
  End transact(std::size_t messages, const Manner& manner);
  /// One round of the relay, after some time. `failing`: after so many of its syncs one fails and forgets.
  bool round(std::chrono::milliseconds later, std::optional<std::uint64_t> failing = std::nullopt);
  /// Somebody begins to read, and does not end it before this is called again: checkpoints stop half-way.
  void linger();
  void replay(std::size_t which);
  void replay_all();
  void discard(std::size_t which);
  void look();

  void answer(Answer answer) { answer_ = std::move(answer); }
  /// What is with the sink and unanswered.
  std::vector<satchel::Delivery> under_way() const;
  void reply(const satchel::Delivery& delivery, const satchel::Receipt& receipt);
  void break_connection();

  /// What the file holds, read on a connection of the outbox.
  Content read();
  std::string integrity();

 private:
  class Sink;
  class Ear;

  /// `commit` of what makes `after` of the content.
  template <class Commit>
  End commit(Content after, bool durable, const Commit& commit);
  /// Takes from the content what the open transaction has dropped for a message, and looks whether it may.
  void drop(satchel::Transaction& transaction, Serial serial, Content& after);
  End transact_outside(std::int64_t number, std::size_t messages, Content after);
  bool durable() const noexcept { return options_.durability == satchel::Durability::full; }
  std::optional<satchel::Receipt> hand_over(const satchel::Delivery& delivery);
  void note(Serial serial, const satchel::Receipt& receipt);
  SQLite::Database& connection();

  Device& device_;
  satchel::Options options_;
  const Sabotage sabotage_;
  History history_;
  const std::shared_ptr<satchel::testing::ManualClock> clock_;
  std::optional<satchel::Outbox> outbox_;
  std::optional<satchel::Outbox> other_;
  std::optional<SQLite::Database> program_;
  std::optional<SQLite::Database> reader_;
  satchel::testing::ScriptedSink* sink_ = nullptr;
  Answer answer_;
  Drops drops_;
  std::uint64_t awaited_ = 0;
  /// When messages of this boot may be sent at the earliest.
  std::map<Serial, satchel::BootTime> not_before_;
  int boots_;
};

}  // namespace power
