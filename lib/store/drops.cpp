// SPDX-License-Identifier: MIT
#include "store/drops.hpp"

#include "base/validate.hpp"

#include <satchel/auditor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace satchel::store {
namespace {

constexpr std::size_t kLongestAnnounced = 256;
constexpr std::size_t kToldGroups = 1000;

/// Joins the id to the last run when it follows it; true when it makes a new one.
bool append(std::vector<Run>& runs, std::int64_t id) {
  if (!runs.empty() && id == runs.back().last + 1) {
    runs.back().last = id;
    return false;
  }
  runs.push_back({id, id});
  return true;
}

/// Sorts the runs and joins those that touch.
void join(std::vector<Run>& runs) {
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
  std::vector<Run> joined;
  for (const Run& run : runs) {
    if (!joined.empty() && run.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, run.last);
    } else {
      joined.push_back(run);
    }
  }
  runs = std::move(joined);
}

/// Cuts the ids out of the runs.
void leave_out(std::vector<Run>& runs, std::vector<std::int64_t> ids) {
  if (ids.empty()) return;
  std::sort(ids.begin(), ids.end());
  std::vector<Run> left;
  for (Run run : runs) {
    for (auto id = std::lower_bound(ids.begin(), ids.end(), run.first); id != ids.end() && *id <= run.last;
         ++id) {
      if (*id > run.first) left.push_back({run.first, *id - 1});
      run.first = *id + 1;
    }
    if (run.first <= run.last) left.push_back(run);
  }
  runs = std::move(left);
}

/// The topics that are written into the file are well formed, but for those of plain SQL.
std::string announced_topic(const std::string& topic) {
  return topic.size() <= kLongestAnnounced && topic_fault(topic).empty() ? topic : std::string{};
}

std::string escaped(std::string_view text) {
  std::string json;
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json;
}

std::string json_of(const std::vector<Run>& runs) {
  std::string json;
  for (const Run& run : runs) json += fmt::format("{}[{},{}]", json.empty() ? "" : ",", run.first, run.last);
  return json;
}

std::string hex_of(const Identity& identity) {
  std::string hex;
  for (const std::uint8_t byte : identity) hex += fmt::format("{:02x}", byte);
  return hex;
}

/// The parts of the runs that lie in the range that begins at `first` and ends before `end`.
std::vector<Run> within(const std::vector<Run>& runs, std::int64_t first, std::int64_t end) {
  std::vector<Run> part;
  for (const Run& run : runs) {
    const Run cut{std::max(run.first, first), std::min(run.last, end - 1)};
    if (cut.first <= cut.last) part.push_back(cut);
  }
  return part;
}

}  // namespace

Drops::Drops(sqlite3* database, bool announce)
    : announce_{announce},
      add_{database,
           "UPDATE main.satchel_dropped SET messages = messages + ?3, unconfirmed = unconfirmed + ?4"
           " WHERE reason = ?1 AND topic = ?2"},
      topics_{database, "SELECT count(*) FROM main.satchel_dropped WHERE reason = ?1 AND topic <> ''"},
      insert_{
          database,
          "INSERT INTO main.satchel_dropped(reason, topic, messages, unconfirmed) VALUES (?1, ?2, ?3, ?4)"},
      pending_{database,
               "SELECT id, sequence FROM main.satchel_message WHERE id BETWEEN ?1 AND ?2 AND topic <> '' "
               "ORDER BY id"} {}

void Drops::record(DropReason reason, const std::vector<DroppedRow>& rows) {
  std::map<Group, Sum> sums;
  for (const DroppedRow& row : rows) {
    Sum& sum = sums[{reason, row.topic}];
    ++sum.messages;
    sum.unconfirmed += row.unconfirmed ? 1 : 0;
  }
  for (const auto& [group, sum] : sums) count(group, sum);
  for (const DroppedRow& row : rows) remember(reason, row);
}

bool Drops::add_to(const Group& group, const Sum& sum) {
  Use row{add_};
  return row->bind(1, static_cast<std::int64_t>(group.first))
             .bind_text(2, group.second)
             .bind(3, sum.messages)
             .bind(4, sum.unconfirmed)
             .run_and_count() > 0;
}

void Drops::count(const Group& group, const Sum& sum) {
  if (add_to(group, sum)) return;
  Group named = group;
  {
    Use topics{topics_};
    topics->bind(1, static_cast<std::int64_t>(group.first));
    if (topics->step() && topics->integer(0) >= kTopics) named.second.clear();
  }
  if (named.second.empty() && add_to(named, sum)) return;
  Use row{insert_};
  row->bind(1, static_cast<std::int64_t>(named.first))
      .bind_text(2, named.second)
      .bind(3, sum.messages)
      .bind(4, sum.unconfirmed)
      .run();
}

void Drops::remember(DropReason reason, const DroppedRow& row) {
  Group told{reason, row.topic};
  if (told_.size() >= kToldGroups && !told_.contains(told)) told.second.clear();
  ++told_[std::move(told)];
  // What never had an id is missed by nobody.
  if (!announce_ || row.row == 0) return;
  Lists& lists = lists_of(announced_, reason, row.topic);
  runs_ += append(lists.rows, row.row) ? 1 : 0;
  if (row.sequence) runs_ += append(lists.sequences, *row.sequence) ? 1 : 0;
  if (!row.announcement.empty()) inherit(row.announcement);
}

Drops::Lists& Drops::lists_of(Groups& groups, DropReason reason, const std::string& topic) {
  Group group{reason, announced_topic(topic)};
  const auto found = groups.find(group);
  if (found != groups.end()) return found->second;
  const auto named = std::count_if(groups.begin(), groups.end(),
                                   [](const auto& known) { return !known.first.second.empty(); });
  if (named >= kAnnouncedTopics) group.second.clear();
  return groups[std::move(group)];
}

void Drops::inherit(const std::string& announcement) {
  const std::optional<Announcement> old = Announcement::parse(announcement);
  if (!old) return;  // plain SQL can put anything there
  const auto add = [this](std::vector<Run>& runs, const std::vector<AuditRange>& more) {
    for (const AuditRange& range : more) runs.push_back({range.first, range.last});
    const std::size_t before = runs.size();
    join(runs);
    runs_ += more.size() - std::min(more.size(), before - runs.size());
  };
  for (const Announcement::Entry& entry : old->dropped) {
    Lists& lists = lists_of(inherited_[old->identity], entry.reason, entry.topic);
    add(lists.rows, entry.rows);
    add(lists.sequences, entry.sequences);
  }
}

void Drops::leave_out_pending(Lists& lists) {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> sequences;
  for (const Run& run : lists.rows) {
    Use still{pending_};
    still->bind(1, run.first).bind(2, run.last);
    while (still->step()) {
      rows.push_back(still->integer(0));
      if (!still->is_null(1)) sequences.push_back(still->integer(1));
    }
  }
  leave_out(lists.rows, std::move(rows));
  leave_out(lists.sequences, std::move(sequences));
}

std::vector<std::string> Drops::take_announcements(const std::vector<IdentityRange>& ranges) {
  for (auto& [group, lists] : announced_) leave_out_pending(lists);
  std::map<Identity, Groups> all = std::move(inherited_);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const std::int64_t end = i + 1 < ranges.size() ? ranges[i + 1].first : INT64_MAX;
    for (auto& [group, lists] : announced_) {
      const std::vector<Run> rows = within(lists.rows, ranges[i].first, end);
      if (rows.empty()) continue;
      Lists& here = lists_of(all[ranges[i].identity], group.first, group.second);
      here.rows.insert(here.rows.end(), rows.begin(), rows.end());
      join(here.rows);
      // Numbers of a route go on through all identities: once is enough.
      here.sequences.insert(here.sequences.end(), lists.sequences.begin(), lists.sequences.end());
      join(here.sequences);
      lists.sequences.clear();
    }
  }
  std::vector<std::string> payloads;
  for (const IdentityRange& range : ranges) {
    if (const auto found = all.extract(range.identity))
      payloads.push_back(announcement_of(found.key(), found.mapped()));
  }
  for (const auto& [identity, groups] : all) payloads.push_back(announcement_of(identity, groups));
  clear_announced();
  return payloads;
}

std::string Drops::announcement_of(const Identity& identity, const Groups& groups) {
  std::string entries;
  for (const auto& [group, lists] : groups) {
    entries += fmt::format(R"({}{{"reason":"{}","topic":"{}","rows":[{}])", entries.empty() ? "" : ",",
                           to_string(group.first), escaped(group.second), json_of(lists.rows));
    if (!lists.sequences.empty()) entries += fmt::format(R"(,"sequences":[{}])", json_of(lists.sequences));
    entries += '}';
  }
  return fmt::format(R"({{"identity":"{}","dropped":[{}]}})", hex_of(identity), entries);
}

void Drops::clear_announced() noexcept {
  announced_.clear();
  inherited_.clear();
  runs_ = 0;
}

std::map<Drops::Group, std::uint64_t> Drops::take_told() { return std::exchange(told_, {}); }

void Drops::clear() noexcept {
  clear_announced();
  told_.clear();
}

}  // namespace satchel::store
