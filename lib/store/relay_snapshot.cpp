// SPDX-License-Identifier: MIT
#include "store/relay_snapshot.hpp"

#include "store/ages.hpp"
#include "store/flat_lines.hpp"
#include "store/relay_health.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

namespace satchel::store {
namespace {

constexpr std::size_t kMostText = 300;
constexpr std::size_t kMostName = 120;
constexpr std::size_t kMostTopic = 65'535;
constexpr double kThousandth = 1000;

/// Builds lines until one does not fit; then no more are added.
class Lines {
 public:
  explicit Lines(std::size_t limit) : limit_{limit} {}

  void add(std::initializer_list<std::string> fields) {
    std::string line;
    for (const std::string& field : fields) line += (line.empty() ? "" : std::string{kField}) + field;
    line += '\n';
    full_ = full_ || text_.size() + line.size() > limit_;
    if (!full_) text_ += line;
  }
  std::string take() { return std::move(text_); }

 private:
  const std::size_t limit_;
  std::string text_;
  bool full_ = false;
};

std::string digits(std::uint64_t count) { return std::to_string(count); }
std::string thousandths(double value) { return std::to_string(std::llround(value * kThousandth)); }
std::uint64_t count(std::string_view& line) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number(cut(line, kField)), 0));
}

HeldBy limit_named(std::string_view name) {
  constexpr std::array<HeldBy, 3> kLimits{HeldBy::rate, HeldBy::quiet, HeldBy::budget};
  for (const HeldBy limit : kLimits) {
    if (to_string(limit) == name) return limit;
  }
  return HeldBy::nothing;
}

void add_route(Lines& lines, const RouteStatus& route, std::int64_t since) {
  lines.add({"route", flat(route.name, kMostName), std::string{to_string(route.sink)}, std::to_string(since),
             route.paused ? "paused" : "", std::string{to_string(route.held_by)},
             route.held_until ? std::to_string(to_ms(*route.held_until)) : "", digits(route.in_flight),
             digits(route.delivered), digits(route.budget_used), flat(route.sink_name, kMostName),
             flat(route.sink_problem, kMostText)});
}

void read_route(std::string_view line, RelaySnapshot& snapshot) {
  RouteStatus& route = snapshot.status.routes.emplace_back();
  RelaySnapshot::Route& more = snapshot.routes.emplace_back();
  route.name = cut(line, kField);
  route.sink = state_named(cut(line, kField));
  more.since = number(cut(line, kField));
  route.paused = cut(line, kField) == "paused";
  route.held_by = limit_named(cut(line, kField));
  route.held_back = route.held_by == HeldBy::quiet || route.held_by == HeldBy::budget;
  const std::string_view until = cut(line, kField);
  if (!until.empty()) route.held_until = from_ms(number(until));
  route.in_flight = count(line);
  route.delivered = count(line);
  route.budget_used = count(line);
  route.sink_name = cut(line, kField);
  route.sink_problem = cut(line, kField);
}

void read_counts(std::string_view line, Status& status) {
  for (std::uint64_t* const field : {&status.in_flight, &status.unsettled, &status.delivered, &status.retried,
                                     &status.expired, &status.died, &status.delivered_bytes})
    *field = count(line);
}

void read_wear(std::string_view line, Wear& wear) {
  wear.bytes = count(line);
  wear.syncs = count(line);
  wear.over = std::chrono::milliseconds{count(line)};
  wear.bytes_per_day = count(line);
  wear.syncs_per_day = count(line);
}

void read_topic(std::string_view line, RelaySnapshot& snapshot) {
  const std::uint64_t route = count(line);
  if (route < snapshot.routes.size())
    snapshot.routes[static_cast<std::size_t>(route)].topics.emplace_back(cut(line, kField));
}

void read_line(std::string_view line, RelaySnapshot& snapshot) {
  const std::string_view kind = cut(line, kField);
  Status& status = snapshot.status;
  if (kind == "relay") {
    snapshot.boot_id = cut(line, kField);
    snapshot.process = number(cut(line, kField));
    snapshot.noted = number(cut(line, kField));
  } else if (kind == "counts") {
    read_counts(line, status);
  } else if (kind == "rate") {
    status.messages_per_second = static_cast<double>(count(line)) / kThousandth;
    status.bytes_per_second = static_cast<double>(count(line)) / kThousandth;
  } else if (kind == "wear") {
    read_wear(line, status.wear);
  } else if (kind == "quota") {
    snapshot.quota.messages = count(line);
    snapshot.quota.bytes = count(line);
    snapshot.quota.exact = cut(line, kField) == "exact";
  } else if (kind == "route") {
    read_route(line, snapshot);
  } else if (kind == "topic") {
    read_topic(line, snapshot);
  } else if (kind == "topics end") {
    snapshot.topics_known = true;
  }
}

}  // namespace

std::string encode(const RelaySnapshot& snapshot, std::size_t limit) {
  const Status& status = snapshot.status;
  Lines lines{limit};
  lines.add({"relay", flat(snapshot.boot_id, kMostName), std::to_string(snapshot.process),
             std::to_string(snapshot.noted)});
  lines.add({"counts", digits(status.in_flight), digits(status.unsettled), digits(status.delivered),
             digits(status.retried), digits(status.expired), digits(status.died),
             digits(status.delivered_bytes)});
  lines.add({"rate", thousandths(status.messages_per_second), thousandths(status.bytes_per_second)});
  const Wear& wear = status.wear;
  lines.add({"wear", digits(wear.bytes), digits(wear.syncs), std::to_string(wear.over.count()),
             digits(wear.bytes_per_day), digits(wear.syncs_per_day)});
  const Quota& quota = snapshot.quota;
  lines.add({"quota", digits(quota.messages), digits(quota.bytes), quota.exact ? "exact" : ""});
  for (std::size_t i = 0; i < status.routes.size(); ++i)
    add_route(lines, status.routes[i], i < snapshot.routes.size() ? snapshot.routes[i].since : 0);
  for (std::size_t i = 0; i < snapshot.routes.size(); ++i) {
    for (const std::string& topic : snapshot.routes[i].topics)
      lines.add({"topic", digits(i), flat(topic, kMostTopic)});
  }
  if (snapshot.topics_known) lines.add({"topics end"});
  return lines.take();
}

RelaySnapshot decode_snapshot(std::string_view text) {
  RelaySnapshot snapshot;
  while (!text.empty()) read_line(cut(text, '\n'), snapshot);
  return snapshot;
}

}  // namespace satchel::store
