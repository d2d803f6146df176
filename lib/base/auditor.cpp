// SPDX-License-Identifier: MIT
#include <satchel/auditor.hpp>

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace satchel {

namespace {

constexpr std::size_t kMost = 10'000'000;

void check(const char* name, std::size_t value) {
  if (value >= 1 && value <= kMost) return;
  throw InvalidOption{"audit", fmt::format("{} is {}", name, value), fmt::format("from 1 to {}", kMost)};
}

std::uint64_t size_of(AuditRange range) noexcept {
  return static_cast<std::uint64_t>(range.last - range.first) + 1;
}

}  // namespace

Auditor::Auditor(AuditorOptions options) : options_{std::move(options)} {
  check("ranges", options_.ranges);
  check("identities", options_.identities);
}

Auditor::Arrival Auditor::arrived(const MessageId& id) {
  const std::int64_t row = id.row;
  Known& file = known(id.identity);
  if (row <= file.floor) {
    ++counts_.forgotten;
    return Arrival::forgotten;
  }
  if (const auto after = file.spans.upper_bound(row); after != file.spans.begin()) {
    const Span& below = std::prev(after)->second;
    if (row <= below.last) {
      if (below.arrived) {
        ++counts_.duplicates;
        return Arrival::duplicate;
      }
      cut_out(file, row);
    }
  }
  add(file, {row, row}, true);
  forget_lowest(id.identity, file);
  ++counts_.first;
  return Arrival::first;
}

Auditor::Arrival Auditor::arrived(std::string_view id) {
  if (const auto parsed = MessageId::parse(id)) return arrived(*parsed);
  ++counts_.forgotten;
  return Arrival::forgotten;
}

void Auditor::begins(const Identity& identity, std::int64_t first) {
  Known& file = known(identity);
  file.begun = true;
  if (first <= file.floor + 1) return;
  file.floor = first - 1;
  while (!file.spans.empty() && file.spans.begin()->first < first) {
    const Span lowest = file.spans.begin()->second;
    file.spans.erase(file.spans.begin());
    if (lowest.last >= first) file.spans.emplace(first, lowest);
  }
}

void Auditor::reaches(const Identity& identity, std::int64_t last) {
  Known& file = known(identity);
  file.reaches = std::max(file.reaches, last);
}

void Auditor::explained(const Identity& identity, AuditRange range) {
  Known& file = known(identity);
  std::int64_t from = std::max(range.first, file.floor + 1);
  while (from <= range.last) {
    const auto after = file.spans.upper_bound(from);
    if (after != file.spans.begin() && from <= std::prev(after)->second.last) {
      const std::int64_t covered = std::prev(after)->second.last;
      if (covered >= range.last) break;
      from = covered + 1;
      continue;
    }
    const std::int64_t to = after == file.spans.end() ? range.last : std::min(range.last, after->first - 1);
    add(file, {from, to}, false);
    counts_.explained += size_of({from, to});
    if (to >= range.last) break;
    from = to + 1;
  }
  forget_lowest(identity, file);
}

bool Auditor::announced(std::string_view payload) {
  const auto announcement = Announcement::parse(payload);
  if (!announcement) return false;
  for (const Announcement::Entry& entry : announcement->dropped) {
    for (const AuditRange& range : entry.rows) explained(announcement->identity, range);
  }
  return true;
}

std::vector<AuditGap> Auditor::missing(std::size_t limit) const {
  std::vector<AuditGap> gaps;
  for (const auto& [identity, file] : identities_) {
    const bool more = gaps_of(identity, file, [&](const AuditGap& gap) {
      if (gaps.size() < limit) gaps.push_back(gap);
      return gaps.size() < limit;
    });
    if (!more) break;
  }
  return gaps;
}

Auditor::Known& Auditor::known(const Identity& identity) {
  auto found = identities_.find(identity);
  if (found == identities_.end()) {
    if (identities_.size() >= options_.identities) forget_quietest();
    found = identities_.emplace(identity, Known{}).first;
  }
  found->second.used = ++clock_;
  return found->second;
}

void Auditor::forget_quietest() {
  const auto quietest =
      std::min_element(identities_.begin(), identities_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  gaps_of(quietest->first, quietest->second, [this](const AuditGap& gap) {
    give_up(gap);
    return true;
  });
  identities_.erase(quietest);
}

void Auditor::forget_lowest(const Identity& identity, Known& file) {
  while (file.spans.size() > options_.ranges) {
    const auto lowest = file.spans.begin();
    const auto next = std::next(lowest);
    if (file.begun && lowest->first > file.floor + 1)
      give_up({identity, {file.floor + 1, lowest->first - 1}});
    if (next->first - 1 > lowest->second.last)
      give_up({identity, {lowest->second.last + 1, next->first - 1}});
    file.floor = next->first - 1;
    file.spans.erase(lowest);
  }
}

void Auditor::give_up(const AuditGap& gap) {
  counts_.lost += size_of(gap.range);
  if (options_.lost) options_.lost(gap);
}

// The range is a gap, or a part of one.
void Auditor::add(Known& file, AuditRange range, bool arrived) {
  auto after = file.spans.upper_bound(range.first);
  if (after != file.spans.end() && after->second.arrived == arrived && after->first - 1 == range.last) {
    range.last = after->second.last;
    after = file.spans.erase(after);
  }
  if (after != file.spans.begin()) {
    const auto before = std::prev(after);
    if (before->second.arrived == arrived && before->second.last == range.first - 1) {
      before->second.last = range.last;
      return;
    }
  }
  file.spans.emplace_hint(after, range.first, Span{range.last, arrived});
}

// The row is in a span: leaves what is left and right of it.
void Auditor::cut_out(Known& file, std::int64_t row) {
  const auto around = std::prev(file.spans.upper_bound(row));
  const auto [first, span] = *around;
  file.spans.erase(around);
  if (first < row) file.spans.emplace(first, Span{row - 1, span.arrived});
  if (row < span.last) file.spans.emplace(row + 1, span);
}

// Ascending, as long as `take` says yes; false: it said no.
bool Auditor::gaps_of(const Identity& identity, const Known& file,
                      const std::function<bool(const AuditGap&)>& take) {
  std::optional<std::int64_t> end;  // of what is accounted for so far
  if (file.begun) end = file.floor;
  for (const auto& [first, span] : file.spans) {
    if (end && *end < first - 1 && !take({identity, {*end + 1, first - 1}})) return false;
    end = span.last;
  }
  const bool tail = end && *end < file.reaches;
  return !tail || take({identity, {*end + 1, file.reaches}});
}

}  // namespace satchel
