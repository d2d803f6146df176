// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/auditor.hpp>
#include <satchel/message.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace simulation {

/// Who gets everything that arrives: it looks for gaps in the ids, and in the numbers of a route.
class Receiver {
 public:
  /// `far`: by the route that takes `far/#`, where there are two.
  void arrived(const satchel::MessageId& id, bool far, const std::optional<std::int64_t>& number);
  /// Takes what was announced; `alone`: there is one route. False: it is no announcement.
  bool announced(const std::string& payload, bool alone);

  /// Messages of this identity that were enqueued from `first` to `last`, of which neither a copy nor an
  /// announcement came.
  std::vector<std::int64_t> missing(const satchel::Identity& identity, std::int64_t first, std::int64_t last);
  /// The same of the numbers of a route, which begin with 1.
  std::vector<std::int64_t> missing_numbers(bool far, std::int64_t last) const;

 private:
  satchel::Auditor auditor_{{.ranges = 100'000, .identities = 1000}};
  std::map<bool, std::set<std::int64_t>> numbers_;
};

/// The route of a topic: the far one, or the other.
inline bool is_far(const std::string& topic) { return topic.rfind("far/", 0) == 0; }

}  // namespace simulation
