// SPDX-License-Identifier: MIT
//
// What a receiver takes for an announcement of dropped messages: nothing, or runs that an auditor can believe
// without forgetting what it knew.
#include <satchel/auditor.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void demand(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using satchel::Announcement;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto announcement = Announcement::parse(text);
  satchel::AuditorOptions few;
  few.ranges = 10;
  satchel::Auditor auditor{few};
  demand(auditor.announced(text) == announcement.has_value());
  // A receiver may have nothing to compare with, but asks.
  demand(auditor.missing(5).size() <= 5);
  if (!announcement) return 0;
  for (const Announcement::Entry& entry : announcement->dropped) {
    demand(!satchel::to_string(entry.reason).empty());
    for (const auto* ranges : {&entry.rows, &entry.sequences}) {
      for (const satchel::AuditRange& range : *ranges) demand(range.first >= 1 && range.last >= range.first);
    }
  }
  // Nothing of the text is kept, and nothing else is read.
  const auto again = Announcement::parse(text);
  demand(again && again->identity == announcement->identity &&
         again->dropped.size() == announcement->dropped.size());
  return 0;
}
