// SPDX-License-Identifier: MIT
#include "receiver.hpp"

#include <limits>

namespace simulation {

void Receiver::arrived(const satchel::MessageId& id, bool far, const std::optional<std::int64_t>& number) {
  auditor_.arrived(id);
  if (number) numbers_[far].insert(*number);
}

bool Receiver::announced(const std::string& payload, bool alone) {
  const auto announcement = satchel::Announcement::parse(payload);
  if (!announcement || !auditor_.announced(payload)) return false;
  for (const satchel::Announcement::Entry& entry : announcement->dropped) {
    for (const satchel::AuditRange& range : entry.sequences) {
      for (std::int64_t number = range.first; number <= range.last; ++number)
        numbers_[!alone && is_far(entry.topic)].insert(number);
    }
  }
  return true;
}

std::vector<std::int64_t> Receiver::missing(const satchel::Identity& identity, std::int64_t first,
                                            std::int64_t last) {
  auditor_.begins(identity, first);
  auditor_.reaches(identity, last);
  std::vector<std::int64_t> rows;
  for (const satchel::AuditGap& gap : auditor_.missing(std::numeric_limits<std::size_t>::max())) {
    if (gap.identity != identity) continue;
    for (std::int64_t row = gap.range.first; row <= gap.range.last; ++row) rows.push_back(row);
  }
  return rows;
}

std::vector<std::int64_t> Receiver::missing_numbers(bool far, std::int64_t last) const {
  std::vector<std::int64_t> numbers;
  const auto known = numbers_.find(far);
  for (std::int64_t number = 1; number <= last; ++number) {
    if (known == numbers_.end() || !known->second.contains(number)) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace simulation
