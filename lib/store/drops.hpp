// SPDX-License-Identifier: MIT
#pragma once

#include "store/identity.hpp"
#include "store/settle.hpp"
#include "store/statement.hpp"

#include <satchel/observer.hpp>
#include <satchel/status.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::store {

/// Messages that one transaction drops, by reason and topic: counted in the file at once, and kept for the
/// observer and the announcement. What an announcement said that is dropped itself is announced again. One
/// transaction at a time.
class Drops {
 public:
  using Group = std::pair<DropReason, std::string>;

  /// Topics of each reason that are counted by name.
  static constexpr std::int64_t kTopics = 200;
  /// Runs of ids that one announcement names, and topics.
  static constexpr std::size_t kAnnouncedRuns = 200;
  static constexpr std::ptrdiff_t kAnnouncedTopics = 20;
  /// What one announcement takes up at most: longer topics count as one.
  static constexpr std::size_t kAnnouncementBytes = 24U << 10U;

  Drops(sqlite3* database, bool announce);

  /// Counts the messages in the open transaction, all or, when it throws, none.
  void record(DropReason reason, const std::vector<DroppedRow>& rows);

  /// Something waits to be announced; so much that it should be done now.
  bool announces() const noexcept { return !announced_.empty(); }
  bool full() const noexcept { return runs_ >= kAnnouncedRuns; }
  /// What is to be announced, one payload for each identity. What is pending after all, because the
  /// application has rolled back to a savepoint, is left out. Then nothing waits any more.
  std::vector<std::string> take_announcements(const std::vector<IdentityRange>& ranges);

  /// What was recorded since the last call, for the observer.
  std::map<Group, std::uint64_t> take_told();
  /// The transaction is over.
  void clear() noexcept;

 private:
  struct Lists {
    std::vector<Run> rows;
    std::vector<Run> sequences;
  };
  using Groups = std::map<Group, Lists>;
  struct Sum {
    std::int64_t messages = 0;
    std::int64_t unconfirmed = 0;
  };
  void count(const Group& group, const Sum& sum);
  bool add_to(const Group& group, const Sum& sum);
  void remember(DropReason reason, const DroppedRow& row);
  static Lists& lists_of(Groups& groups, DropReason reason, const std::string& topic);
  void inherit(const std::string& announcement);
  void leave_out_pending(Lists& lists);
  static std::string announcement_of(const Identity& identity, const Groups& groups);
  void clear_announced() noexcept;

  const bool announce_;
  Statement add_;
  Statement topics_;
  Statement insert_;
  Statement pending_;
  Groups announced_;
  /// What dropped announcements said, whose identity the file may have forgotten since.
  std::map<Identity, Groups> inherited_;
  std::size_t runs_ = 0;
  std::map<Group, std::uint64_t> told_;
};

}  // namespace satchel::store
