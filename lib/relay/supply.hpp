// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/storage.hpp>

#include "relay/dead_keys.hpp"
#include "relay/lanes.hpp"
#include "relay/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::relay {

/// What can be sent next of one route and priority: reads the storage in row order, some messages ahead, keys
/// by their lanes. Memory is bounded by `batch_size`, `window_bytes` and the limit of keys, whatever waits in
/// the storage. Storage failures pass through; nothing is lost by them.
///
/// With another drain than the oldest first there are two cursors: one for what is newer than the newest row
/// when the route came up, the mark, and one for what waits. A key that either of them meets is read by its
/// lane from its first row on, so that its order holds.
class Supply {
 public:
  /// Which messages it reads.
  struct Scope {
    Priority priority = Priority::normal;
    /// By topic; empty: all.
    std::function<bool(std::string_view)> accepts{};
    Drain drain = Drain::oldest_first;
  };

  /// `dead_keys`: keys of which nothing is taken up, because the rows are read again when that changes.
  Supply(const Options& options, Storage& storage, const DeadKeys& dead_keys, Scope scope);

  /// Reads until `wanted` messages are ready or there is nothing to read for now; a bounded number of reads.
  /// `ledger`: rows that are taken up already. `may_advance` false: the cursor stays where it is. True when
  /// anything was read.
  bool refill(const Ledger& ledger, std::size_t wanted, bool may_advance, BootTime now);

  /// The route is up: what is there now is what waits, what comes is new.
  void came_up() noexcept { mark_wanted_ = scope_.drain != Drain::oldest_first; }

  /// The one that is next, of those that are ready; nothing: none.
  const Loaded* front() const;
  /// Takes what `front` showed. A message with a key occupies its lane from now on.
  Loaded take();

  /// More may have been committed.
  void changed() noexcept { at_end_ = false; }
  /// To be called when nothing is taken up and nothing held: reads once more from the first row on if all is
  /// read. There should be none; but a row that the cursor or the index of keys has missed, because the file
  /// is damaged, would wait for ever. Not where there is much that is none of its business: then the next
  /// start has to do.
  void look_again() noexcept;
  /// Rows from `row` on have to be looked at again.
  void rewind(std::int64_t row) noexcept;
  /// All rows have to be looked at again.
  void rescan() noexcept;
  /// A message that was not ready when the cursor came by, if it did, is ready now. `sending` false: nothing
  /// is sent for now, so that only the cursor is set back.
  void appeared(std::int64_t row, const std::string& key, bool sending);
  /// Messages of the key, which was blocked, may be sent again.
  void unblocked(const std::string& key);
  /// Forgets what was read ahead, to be read again: during an outage it would only grow stale.
  void forget_loaded();
  /// A message is taken up past this: it is not to come up here as well.
  void taken_elsewhere(const StoredMessage& message);
  /// Nothing is left to send but what the ledger holds.
  bool exhausted() const;
  /// A refill that may advance would go on.
  bool has_more() const noexcept { return may_read(); }

  Lanes& lanes() noexcept { return lanes_; }
  const Lanes& lanes() const noexcept { return lanes_; }
  /// Messages and bytes read ahead.
  std::size_t loaded_count() const noexcept { return ahead_.size() + lanes_.loaded_count(); }
  std::size_t loaded_bytes() const noexcept { return ahead_bytes_ + lanes_.loaded_bytes(); }

 private:
  static constexpr int kReadsPerRound = 16;
  static constexpr std::size_t kMostPerRead = 64;
  /// Rows that one read may pass over, so that the other routes have their turn in between.
  static constexpr std::size_t kMostRows = 2000;
  /// Reads without a message of this supply, after which it does not look again.
  static constexpr std::size_t kMostFruitless = 8;

  bool ready(std::size_t wanted) const noexcept { return ahead_.size() + lanes_.ready_count() >= wanted; }
  bool room() const noexcept;
  bool may_read() const noexcept;
  bool may_read_back() const noexcept;
  bool keys_have_room() const noexcept;
  void set_mark();
  void read_back(const Ledger& ledger, BootTime now);
  bool take_in_all(Claimed& found, std::int64_t& cursor, const Ledger& ledger, BootTime now);
  ClaimQuery query() const;
  void read_on(const Ledger& ledger, BootTime now);
  /// What became of a row that was read; `no_room`: its key finds none.
  enum class Found : std::uint8_t { ours, not_ours, no_room };
  Found take_in(StoredMessage message, const Ledger& ledger, BootTime now);
  void read_lane(const Ledger& ledger, BootTime now);
  void read_row(const Ledger& ledger, BootTime now);
  void load(StoredMessage message, BootTime now);
  Loaded unload(std::map<std::int64_t, Loaded>::iterator place);
  struct Pick {
    const Loaded* message = nullptr;
    bool keyed = false;
  };
  Pick pick() const;
  Pick pick_oldest() const;

  const std::size_t batch_size_;
  const std::size_t most_bytes_;
  const Scope scope_;
  Storage& storage_;
  const DeadKeys& dead_keys_;

  std::int64_t cursor_ = 0;
  /// All is read; of messages with a priority it has to be asked first whether there are any.
  bool at_end_;
  /// With two cursors: the newest row when the route came up, how far the cursor of what waits has come from
  /// there, or from the first row on, and whether it is through.
  std::int64_t mark_ = 0;
  std::int64_t back_ = 0;
  bool back_at_end_ = true;
  bool mark_wanted_ = false;
  /// Messages read ahead that are newer than the mark.
  std::size_t new_ahead_ = 0;
  /// Changes with every message that is taken.
  bool turn_ = false;
  /// Rows were read since the last look from the first on.
  bool look_again_ = false;
  /// Reads that found nothing to take up, though there were rows.
  std::size_t fruitless_ = 0;
  /// The cursor stands before a message whose key found no room.
  bool keys_full_ = false;
  /// Rows below the cursor to be read one by one.
  std::set<std::int64_t> single_;
  std::map<std::int64_t, Loaded> ahead_;
  std::size_t ahead_bytes_ = 0;
  const std::size_t most_lanes_;
  Lanes lanes_;
};

}  // namespace satchel::relay
