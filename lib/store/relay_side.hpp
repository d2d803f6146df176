// SPDX-License-Identifier: MIT
#pragma once

#include "store/checkpoint.hpp"
#include "store/claim.hpp"
#include "store/connection.hpp"
#include "store/delays.hpp"
#include "store/enqueue.hpp"
#include "store/relay_file.hpp"
#include "store/settle.hpp"
#include "store/vacuum.hpp"
#include "store/watch.hpp"

#include <satchel/options.hpp>
#include <satchel/storage.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace satchel::store {

/// Where the file is and who works on it: constant for a store.
struct Site {
  std::string path;
  std::string relay_path;
  std::string wal_path;
  Options options;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<SharedFile> file;
  Identity origin{};
  std::int64_t machine = 0;
  std::int64_t boot = 0;
  std::int64_t opened = 0;  ///< boot clock, ms
  std::int64_t checkpoint_frames = 0;
  std::int64_t max_wal_frames = 0;
};

/// What a relay does to the file, on a connection of its own. All calls on the relay thread, except those
/// said to be thread-safe.
class RelaySide {
 public:
  /// `wake` is thread-safe and called when a turn at the gate has come. Throws like `Connection`.
  RelaySide(const Site& site, std::function<void()> wake);
  ~RelaySide();
  RelaySide(const RelaySide&) = delete;
  RelaySide& operator=(const RelaySide&) = delete;

  std::optional<Recovery> acquire();
  void release() noexcept;
  Claimed claim(const ClaimQuery& query);
  bool has_priorities();
  Released release_due(std::size_t max_count);
  std::vector<std::string> dead_keys(std::size_t limit);
  std::vector<std::int64_t> before_send(const InFlight& in_flight);
  bool settle(const Settlement& settlement);
  Ride ride(const std::vector<std::int64_t>& delivered);
  void maintain();
  Look look();
  std::uint64_t rescans();
  int watch_descriptor() const noexcept { return watch_.descriptor(); }

  /// Thread-safe.
  bool leading() const noexcept { return leading_.load(); }
  /// Thread-safe: dead letters were replayed in this process.
  void replayed() noexcept { stale_.store(true); }

 private:
  bool lock_leader();
  Recovery take_over();
  void take_up_record(std::int64_t newest, Recovery& recovery, bool restored);
  [[noreturn]] void lose(const char* operation);
  bool enter_gate();
  Present present();
  void refresh();
  void sync_log();
  void mend_log_in_doubt();
  void write_record();
  void record_outcomes(const Settlement& settlement);
  void refuse_gone(const std::vector<StoredMessage>& messages) const;
  bool short_of_room(const Settlement& settlement);
  void count_vanished(const Settlement& settlement, std::int64_t removed);
  void forget_settled(const Settlement& settlement);
  bool forget_rows(const std::vector<std::int64_t>& settled);
  void take_up_rides();
  void take_up_announcement(std::int64_t row);
  std::vector<std::int64_t> take_out_dropped(std::vector<std::int64_t>& rows,
                                             const std::vector<std::int64_t>& delivered);
  bool give_way();
  bool gives_way() const;
  void checkpoint_when_due();
  void put_checkpoint_off();
  void give_back();
  void checkpoint_after_commit(CheckpointRight& right, Turn& turn, bool report);
  bool wants_wall_offset();
  void look_for_due(Look& look, BootTime now);
  void watch_files() noexcept;
  std::optional<BootTime> look_as_leader(const Watch::Seen& seen, BootTime now, bool& changed);
  void count_log() noexcept;
  std::optional<BootTime> look_as_standby(const Watch::Seen& seen, BootTime now, bool& changed);

  // constant after construction
  const Site& site_;
  const std::function<void()> wake_;

  // own synchronisation
  std::atomic<bool> leading_{false};
  std::atomic<bool> stale_{true};  ///< `replayed_` has to be read again

  // relay thread only
  Connection connection_;
  Claims claims_;
  Delays delays_;
  Settler settler_;
  Enqueuer enqueuer_;  ///< for announcements
  Statement replayed_statement_;
  Statement relaxed_statement_;
  Statement ranges_statement_;
  Statement any_priority_;
  Statement touch_;
  Statement pages_{connection_.database(), "PRAGMA page_count"};
  Statement free_pages_{connection_.database(), "PRAGMA freelist_count"};
  Vacuum vacuum_;
  std::optional<RelayFile> relay_file_;
  Watch watch_;
  bool locked_ = false;
  bool lost_ = false;
  std::int64_t epoch_ = 0;
  RelayRecord record_;
  std::vector<std::int64_t> unknown_;  ///< rows whose settling had an unknown outcome, ascending
  std::vector<std::int64_t> rode_;     ///< recorded by commits of the application, not told yet
  std::int64_t vanished_ = 0;          ///< of those that rode, not there to be deleted: to be counted
  std::set<std::int64_t> gone_;        ///< rows of settlements in which some were not there to be deleted
  std::vector<IdentityRange> ranges_;
  std::int64_t ranges_version_ = -1;
  bool relaxed_writers_ = false;
  std::int64_t synced_row_ = 0;  ///< every message up to it is known to be on the medium
  std::int64_t looked_version_ = -1;
  std::uint64_t replayed_ = 0;
  bool unburied_ = false;          ///< a message of the settlement died that was gone: its key is free
  std::uint64_t own_rescans_ = 0;  ///< beside those that replays ask for
  std::optional<std::int64_t> wall_offset_;
  std::optional<Delays::Found> delayed_;  ///< nothing: to be looked for
  std::uint64_t delayed_seen_ = 0;        ///< `SharedFile::delayed` at that look
  bool delayed_trusted_ = false;          ///< whether the wall clock was trusted then
  Ladder wal_ladder_;
  Ladder lock_ladder_;
  std::optional<BootTime> polled_;
  std::optional<BootTime> busy_since_;
  std::optional<BootTime> busy_retry_;
  std::optional<BootTime> checkpoint_at_;  ///< a checkpoint is due that others keep up: not again before
  bool changed_ = false;                   ///< what `look` has found and not told yet
};

}  // namespace satchel::store
