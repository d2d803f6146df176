// SPDX-License-Identifier: MIT
#pragma once

#include "device.hpp"

#include <satchel/message.hpp>
#include <satchel/options.hpp>
#include <satchel/storage.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace power {

/// Names a message of the test for ever. Everything about the message follows from it.
using Serial = std::uint64_t;

/// How the sink takes a message during a life.
enum class Nature : std::uint8_t { good, flaky, hopeless, refused };
Nature nature_of(Serial serial) noexcept;
satchel::Message message_of(Serial serial);
/// The serial of a message that came back, if it came back as it was.
std::optional<Serial> serial_of(const std::string& topic, const std::string& payload, const std::string& key);

/// What a file holds, as far as it matters to an application.
struct Content {
  bool table = false;                             ///< the application's own
  std::map<std::int64_t, std::int64_t> business;  ///< its rows: transaction, number of messages
  std::map<std::int64_t, Serial> pending;
  std::map<std::int64_t, std::pair<Serial, int>> dead;  ///< with the reason
  std::map<std::string, std::int64_t> counters;
  std::map<std::int64_t, int> attempts;

  /// Attempts are looked at separately.
  bool same(const Content& other) const {
    return table == other.table && business == other.business && pending == other.pending &&
           dead == other.dead && counters == other.counters;
  }
};

/// What can be wrong after a power cut.
enum class Flaw : std::uint8_t {
  lost,        ///< a transaction that was promised is not there, or a message has gone without an end
  half,        ///< rows without their messages, or the reverse
  unexpected,  ///< rows or messages that nobody committed
  order,       ///< not the state after any commit: something is missing in the middle
  recalled,    ///< a message was handed to the sink and its transaction has vanished
  identity,    ///< one id for two messages, or another identity than before
  attempts,    ///< attempts or dead letters that nobody caused
  duplicates,  ///< more copies than the bound allows
  stuck,       ///< messages that are not delivered in the end
  damaged,     ///< the file cannot be used, or SQLite finds it inconsistent
};
inline constexpr std::size_t kFlaws = 10;
const char* to_string(Flaw flaw) noexcept;

struct Defect {
  Flaw flaw;
  std::string text;
};

/// Copies that one power cut can cause, by where the message was.
struct Copies {
  std::size_t in_flight = 0;  ///< with the sink, no receipt
  std::size_t unsettled = 0;  ///< delivered, not recorded
  std::size_t unsynced = 0;   ///< recorded, and the record is gone
  std::size_t all() const noexcept { return in_flight + unsettled + unsynced; }
};

/// The oracle: everything that a program knows about its outbox from the outside, in the order in which it
/// happened, so that it can be asked what was known at any moment. Commits are numbered in their order, the
/// state that was found first is number 0.
class History {
 public:
  /// `before`: the history that ended with a power cut at `cut`; null: the device is new.
  History(Device& device, const satchel::Options& options, const History* before, Tick cut);

  // ---- what the program did and saw ----

  Serial next_serial() noexcept { return ++serials_; }
  std::int64_t next_transaction() noexcept { return ++transactions_; }

  /// What was found in the file at first.
  void adopt(Content content);
  /// What an older version left, under the identity that it gave.
  void inherit(Content content, const satchel::Identity& identity);
  /// A message was added to a transaction.
  void enqueued(Serial serial, const satchel::MessageId& id);
  /// A commit begins that makes this of the content: `durable` once it has returned. It has ended well, or
  /// had no effect, or nobody knows.
  void begin_commit(Content after, bool durable);
  void end_commit();
  void no_commit();
  void unknown_commit();
  /// A round of the relay begins: what it commits, it commits after this.
  void begin_round();

  /// The relay handed a message to the sink; what the sink said of it.
  void handed(Serial serial, const satchel::MessageId& id, int attempts);
  void accepted(Serial serial);
  void returned(Serial serial, bool exposed);
  /// The relay tells that it has recorded something.
  void told_delivered(const satchel::MessageId& id);
  void told_retrying(const satchel::MessageId& id, int attempts);
  void told_dead(const satchel::MessageId& id, satchel::DeadReason reason);
  void told_expired(const satchel::MessageId& id);

  void defect(Flaw flaw, std::string text) { defects_.push_back({flaw, std::move(text)}); }

  // ---- what is known ----

  /// The state after everything that is known.
  const Content& head() const noexcept { return commits_.back().content; }
  const std::vector<Defect>& defects() const noexcept { return defects_; }
  /// Power cuts before it.
  int generation() const noexcept { return before_ == nullptr ? 0 : 1 + before_->generation(); }
  std::size_t commits() const noexcept { return commits_.size() - 1; }
  std::size_t handed_over() const noexcept { return handed_over_; }
  /// Messages of the first state that died since then because the device went off while they were alone with
  /// the sink.
  std::size_t crashed() const noexcept { return crashed_; }

  /// Compares what was found after a power cut at `cut` with what must and what may be there. Nothing: it is
  /// the state after a commit that may be the last. Returns how many commits are gone.
  std::size_t judge(const Content& found, Tick cut, std::vector<Defect>& defects) const;
  /// Which messages that are pending after the cut may reach the receiver a second time because of it.
  Copies copies(const Content& found, Tick cut) const;
  /// The message that was handed over under this id here, or before.
  std::optional<Serial> handed_as(const satchel::MessageId& id, Tick until) const;
  std::optional<satchel::Identity> identity() const noexcept { return identity_; }

 private:
  struct Commit {
    Tick begin;
    Tick end;
    bool durable;
    Content content;
  };
  /// A commit whose outcome is unknown: what it would have made of the content after commit number `base`.
  struct Ghost {
    Tick begin;
    std::size_t base;
    Content content;
  };
  enum class Step : std::uint8_t { handed, accepted, returned };
  struct Fate {
    satchel::MessageId id;
    std::int64_t transaction = 0;
    std::vector<std::pair<Tick, Step>> steps{};
    std::optional<Tick> told{};
    std::size_t pending_since = 0;  ///< number of the commit
    bool exposed = false;           ///< a connection broke with it in flight: attempts may be taken back
  };

  Content& settled();
  const Fate* fate_of(const satchel::MessageId& id) const;
  std::size_t least(Tick cut, bool& by_hand_over) const;
  std::size_t most(Tick cut) const;
  void classify(const Content& found, std::size_t least, std::size_t most, bool by_hand_over,
                std::vector<Defect>& defects) const;
  std::string attempts_fault(const Content& found, const Content& known) const;

  Device& device_;
  const bool full_;  ///< the device knows no other durability
  const int max_attempts_;
  const History* const before_;
  const Tick cut_;
  Serial serials_;
  std::int64_t transactions_;
  std::vector<Commit> commits_;
  std::vector<Ghost> ghosts_;
  bool committing_ = false;
  bool recording_ = false;  ///< the last commit is one of the relay, and more of it may be told
  Tick round_began_ = 0;
  std::uint64_t told_at_operation_ = 0;
  std::map<Serial, Fate> fates_;
  std::map<std::int64_t, Serial> rows_;  ///< of messages that were pending here
  std::map<std::pair<satchel::Identity, std::int64_t>, std::pair<Tick, Serial>> handed_;
  std::vector<std::pair<Tick, std::size_t>> floor_;  ///< commits that must be there since a hand-over
  std::optional<satchel::Identity> identity_;
  Tick identity_since_ = 0;
  std::vector<Defect> defects_;
  std::size_t handed_over_ = 0;
  std::size_t crashed_ = 0;
};

}  // namespace power
