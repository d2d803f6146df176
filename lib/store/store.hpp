// SPDX-License-Identifier: MIT
#pragma once

#include "store/relay_side.hpp"
#include "store/writing.hpp"

#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/salvage.hpp>
#include <satchel/status.hpp>
#include <satchel/storage.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::store {

struct Figures;

/// A look at what the file holds.
struct Counts {
  std::uint64_t pending = 0;  ///< exact up to 100,000; above that the span of the ids
  bool pending_is_bound = false;
  std::uint64_t dead = 0;
  std::int64_t newest_row = 0;
};

/// The SQLite file. `begin`, `save`, the calls to inspect and repair and `on_change`
/// may be called from any thread; the rest of the port from the relay's thread only. In a forked child every
/// call throws `UsageError`.
class Store final : public Storage, public std::enable_shared_from_this<Store> {
 public:
  /// Opens the file, or makes it with mode 0600, and brings its tables up to date. Throws `InvalidOption`,
  /// `OpenError`, `SchemaTooNew`, `StorageError` and its family; the file is then as it was, and nothing new
  /// is left behind but, where the last steps failed, an outbox that is complete and empty.
  static std::shared_ptr<Store> open(const std::string& path, const Options& options);

  ~Store() override;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // ---- write ----

  /// Waits for the turn at the gate, then begins. Throws `UsageError` when this thread has a transaction of
  /// the file open, and `BusyError` when another process keeps the write lock for longer than
  /// `Options::busy_timeout`.
  std::unique_ptr<Writing> begin();
  /// The open transaction of this store that this thread began, or null.
  Writing* current_on_this_thread() const noexcept;
  MessageId save(const Message& message) override;

  // ---- relay ----

  std::optional<Recovery> acquire() override;
  void release() noexcept override;
  Claimed claim(const ClaimQuery& query) override;
  bool has_priorities() override;
  Released release_due(std::size_t max_count) override;
  std::vector<std::string> dead_keys(std::size_t limit) override;
  std::vector<std::int64_t> before_send(const InFlight& in_flight) override;
  bool settle(const Settlement& settlement) override;
  Ride ride(const std::vector<std::int64_t>& delivered) override;
  void maintain() override;
  Look look() override;
  int watch_descriptor() const noexcept override;
  std::uint64_t rescans() override;
  void on_change(std::function<void()> wake) override;

  // ---- inspect and repair ----

  Counts counts() const;
  /// All that `Status` tells of the file.
  Figures figures() const;
  /// Calls `visit` with the topic of each of the oldest messages that wait, at most `limit`.
  void visit_topics(std::size_t limit, const std::function<void(std::string_view)>& visit) const;
  /// What was written since this store was opened.
  Wear wear() const;
  std::vector<DeadLetter> dead_letters(std::size_t limit, std::int64_t after) const;
  bool replay(const MessageId& id);
  std::uint64_t replay_all();
  bool discard(const MessageId& id);
  Identity identity() const;
  /// Begins a new identity behind the newest row, and returns it.
  Identity renew_identity();
  /// What was dropped since the file was made.
  std::vector<Dropped> dropped() const;
  /// All routes in the order in which they take messages. From now on messages are numbered that take one
  /// with `RouteOptions::sequence`; so are those of every other writer of this process.
  void sequence_routes(std::vector<RouteOptions> routes);
  /// True while this store has the claim on the file.
  bool leading() const noexcept;

  /// What the opening had to salvage; nothing when the file was sound.
  const std::optional<SalvageReport>& salvaged() const noexcept { return salvaged_; }

  const std::string& path() const noexcept { return site_.path; }
  const Options& options() const noexcept { return site_.options; }

 private:
  friend class Writing;
  struct Writer;
  struct Opening;

  Store(Site site, std::unique_ptr<Connection> connection, RelayFile in_use);

  /// Runs `action`; when it meets damage in the file, the next opening will look at the whole of it.
  template <class Action>
  decltype(auto) minding_damage(Action&& action) const;

  void check_process(const char* operation) const;
  RelaySide& relay_side();
  /// Tells the relay of the file, wherever it is, that messages were committed.
  void announce() noexcept;
  void announce_replay() noexcept;
  /// Remembers beside the database how far it reaches. Best effort.
  void note_newest(std::int64_t row) const noexcept;
  void wake() const noexcept;
  /// Commits one frame, syncs it, and with it makes an errored commit before it impossible to come back. Best
  /// effort: true when it is done.
  bool fence() noexcept;
  void limit_log() noexcept;
  std::uint64_t replay_slice(std::int64_t& after, std::int64_t until);
  std::int64_t newest_dead() const;

  template <class Action>
  auto with_reader(const char* operation, Action&& action) const;

  // constant after construction
  const unsigned generation_;
  const Site site_;
  const BootTime opened_at_;
  const Written written_before_;  ///< by other stores of this process
  const RelayFile in_use_;        ///< its lock says to others that the file is open here
  std::optional<SalvageReport> salvaged_;

  // own synchronisation
  std::atomic<Writing*> current_{nullptr};
  std::atomic<RelaySide*> side_{nullptr};

  // used by the holder of the gate only
  std::unique_ptr<Writer> writer_;

  // guarded by mutex_
  mutable std::mutex mutex_;
  std::shared_ptr<const std::function<void()>> wake_;
  mutable std::unique_ptr<Connection> idle_reader_;

  // relay thread only
  std::unique_ptr<RelaySide> relay_;
};

}  // namespace satchel::store
