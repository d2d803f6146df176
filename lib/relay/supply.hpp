// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>
#include <satchel/storage.hpp>

#include "relay/lanes.hpp"
#include "relay/ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <map>

namespace satchel::relay {

/// What can be sent next: reads the storage in row order, some messages ahead, keys by their lanes. Memory is
/// bounded by `batch_size`, `window_bytes` and the limit of keys, whatever waits in the storage. Storage
/// failures pass through; nothing is lost by them.
class Supply {
 public:
  Supply(const Options& options, Storage& storage);

  /// Reads until `wanted` messages are ready or there is nothing to read for now; a bounded number of reads.
  /// `ledger`: rows that are taken up already. `may_advance` false: the cursor stays where it is. True when
  /// anything was read.
  bool refill(const Ledger& ledger, std::size_t wanted, bool may_advance, BootTime now);

  /// The lowest row that is ready; nothing: none.
  const Loaded* front() const;
  /// Takes what `front` showed. A message with a key occupies its lane from now on.
  Loaded take();

  /// More may have been committed.
  void changed() noexcept { at_end_ = false; }
  /// To be called when nothing is taken up and nothing held: reads once more from the first row on if all is
  /// read. There should be none; but a row that the cursor or the index of keys has missed, because the file
  /// is damaged, would wait for ever.
  void look_again() noexcept;
  /// Rows from `row` on have to be looked at again.
  void rewind(std::int64_t row) noexcept;
  /// Forgets what was read ahead, to be read again: during an outage it would only grow stale.
  void forget_loaded();
  /// A message is taken up past this: it is not to come up here as well.
  void taken_elsewhere(const StoredMessage& message);
  /// Nothing is left to send but what the ledger holds.
  bool exhausted() const;

  Lanes& lanes() noexcept { return lanes_; }
  const Lanes& lanes() const noexcept { return lanes_; }
  /// Messages and bytes read ahead.
  std::size_t loaded_count() const noexcept { return ahead_.size() + lanes_.loaded_count(); }
  std::size_t loaded_bytes() const noexcept { return ahead_bytes_ + lanes_.loaded_bytes(); }

 private:
  static constexpr int kReadsPerRound = 16;
  static constexpr std::size_t kMostPerRead = 64;

  bool ready(std::size_t wanted) const noexcept { return ahead_.size() + lanes_.ready_count() >= wanted; }
  bool may_read() const noexcept;
  void read_on(const Ledger& ledger, BootTime now);
  void read_lane(const Ledger& ledger, BootTime now);
  bool front_is_keyed() const;

  const std::size_t batch_size_;
  const std::size_t most_bytes_;
  Storage& storage_;

  std::int64_t cursor_ = 0;
  bool at_end_ = false;
  /// Rows were read since the last look from the first on.
  bool look_again_ = false;
  /// The cursor stands before a message whose key found no room.
  bool keys_full_ = false;
  std::map<std::int64_t, Loaded> ahead_;
  std::size_t ahead_bytes_ = 0;
  const std::size_t most_lanes_;
  Lanes lanes_;
};

}  // namespace satchel::relay
