// SPDX-License-Identifier: MIT
#pragma once

#include "store/drops.hpp"
#include "store/expiry.hpp"
#include "store/insert.hpp"
#include "store/quota_meter.hpp"
#include "store/relay_file.hpp"
#include "store/shared_file.hpp"
#include "store/statement.hpp"
#include "store/victims.hpp"

#include <satchel/message.hpp>
#include <satchel/options.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel::store {

/// Adds messages to the transaction that is open on one connection, by the policies of the options: numbers
/// of routes, coalescing, the quota. Used by whoever has the write access.
class Enqueuer {
 public:
  /// Where and how.
  struct Desk {
    sqlite3* database = nullptr;
    std::string path;
    const Options* options = nullptr;  ///< outlives the enqueuer
    std::shared_ptr<SharedFile> file;
    const RelayFile* relay_file = nullptr;  ///< outlives the enqueuer; null: none of the drops is confirmed
    bool as_select = false;                 ///< see `Inserter`
    /// The connection is the application's: how its transactions end is not told.
    bool visitor = false;
  };
  explicit Enqueuer(Desk desk);

  /// A transaction begins.
  void begin() noexcept;

  /// Adds a message that is checked and has what the rules say. Returns its row, 0 when the quota drops it.
  /// Throws `QuotaExceeded` and `SQLite::Exception`; the transaction is then as it was, unless SQLite had to
  /// roll it back.
  std::int64_t add(const Message& message, const EnqueueTime& at);

  /// Counts messages that the caller has removed. Throws like `add`.
  void dropped(DropReason reason, const std::vector<DroppedRow>& rows, const EnqueueTime& at);
  /// The same of messages for whose announcement there is no need to make room.
  void record(DropReason reason, const std::vector<DroppedRow>& rows) { drops_.record(reason, rows); }

  /// Adds the announcement of what was dropped; to be called before the commit. Returns the row of the last
  /// one, 0 when there was nothing to announce.
  std::int64_t announce(const EnqueueTime& at);

  /// The transaction is over. Returns what has to be told to the observer.
  std::map<Drops::Group, std::uint64_t> end(bool committed) noexcept;

 private:
  enum class Standing : std::uint8_t { free, with_sink, unconfirmed };
  using Staged = std::vector<std::pair<DropReason, DroppedRow>>;
  struct Attempt;

  std::int64_t insert(const Message& message, const EnqueueTime& at);
  std::int64_t add_by_policy(const Message& message, const EnqueueTime& at);
  std::int64_t give_up(const Message& message);
  void look_anew() noexcept;
  void read_note();
  Standing standing(std::int64_t row);
  std::optional<Shortage> short_of(const Need& need);
  /// The pending messages whose place the message takes, if they are not with a sink.
  std::string payload_of(std::int64_t row);
  std::vector<Victim> replaceable(const Message& message);
  /// Drops expired messages that no relay comes by to drop, a few at each call. Returns the newest one's row,
  /// 0 when there was none.
  std::int64_t drop_expired(const EnqueueTime& at);
  std::optional<Shortage> make_room(const Need& need, bool drops, Staged& staged);
  bool drop(DropReason reason, const Victim& victim, bool even_unconfirmed, Staged& staged);
  void remove_tombstones(const Staged& staged);
  void record(const Staged& staged);
  Need reserving(Need need, bool drops) const;

  const Desk desk_;
  const bool announces_;
  Inserter inserter_;
  Sequencer sequencer_;
  Drops drops_;
  QuotaMeter meter_;
  Victims victims_;
  Expiry expiry_;
  Statement same_key_;
  Statement attempted_;
  Statement payload_;
  Statement remove_;
  Statement remove_tombstone_;
  Statement count_expired_;
  std::optional<RelayRecord> note_;
  bool note_read_ = false;
  bool note_readable_ = false;
  bool condemned_ = false;
};

}  // namespace satchel::store
