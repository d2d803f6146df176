// SPDX-License-Identifier: MIT
#include <satchel/metrics.hpp>

#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

using satchel::metrics_text;
using satchel::MetricsFormat;
using satchel::RouteStatus;
using satchel::SinkState;
using satchel::Status;

namespace {

bool has_line(const std::string& text, const std::string& wanted) {
  std::istringstream lines{text};
  std::string line;
  while (std::getline(lines, line)) {
    if (line == wanted) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("metrics: gauges and counters have their names, types and values") {
  Status status;
  status.pending = 12;
  status.delivered = 34;
  status.leading = true;
  const std::string text = metrics_text(status);
  CHECK(has_line(text, "# TYPE satchel_pending gauge"));
  CHECK(has_line(text, "satchel_pending 12"));
  CHECK(has_line(text, "# TYPE satchel_delivered_total counter"));
  CHECK(has_line(text, "satchel_delivered_total 34"));
  CHECK(has_line(text, "satchel_leading 1"));
  CHECK(has_line(text, "satchel_failing 0"));
  CHECK_FALSE(has_line(text, "# EOF"));
  CHECK(text.find("satchel_route") == std::string::npos);
}

TEST_CASE("metrics: OpenMetrics names a counter's family without its ending, and has an end") {
  const std::string text = metrics_text(Status{}, MetricsFormat::openmetrics);
  CHECK(has_line(text, "# TYPE satchel_delivered counter"));
  CHECK(has_line(text, "satchel_delivered_total 0"));
  CHECK(text.substr(text.size() - 6) == "# EOF\n");
}

TEST_CASE("metrics: a route has a sample for each state, and labels are escaped") {
  Status status;
  RouteStatus route;
  route.name = "bulk";
  route.sink = SinkState::blocked;
  route.delivered = 5;
  status.routes = {route};
  const std::string text = metrics_text(status, MetricsFormat::prometheus, {{"de-vice", "a\"b\\c\nd"}});
  const std::string label = R"(de_vice="a\"b\\c\nd")";
  CHECK(has_line(text, "satchel_pending{" + label + "} 0"));
  CHECK(has_line(text, "satchel_route_state{" + label + R"(,route="bulk",state="blocked"} 1)"));
  CHECK(has_line(text, "satchel_route_state{" + label + R"(,route="bulk",state="up"} 0)"));
  CHECK(has_line(text, "satchel_route_delivered_total{" + label + R"(,route="bulk"} 5)"));
}

TEST_CASE("metrics: every family is described once, right before its samples") {
  Status status;
  status.routes.resize(2);
  std::istringstream lines{metrics_text(status)};
  std::string line;
  std::string family;
  std::string seen;
  while (std::getline(lines, line)) {
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK_MESSAGE(seen.find(" " + family + " ") == std::string::npos, family);
      seen += " " + family + " ";
      continue;
    }
    CHECK_MESSAGE(line.starts_with(family), line);
  }
}

TEST_CASE("metrics: every line keeps the rules of OpenMetrics") {
  Status status;
  status.oldest_age = status.heartbeat = std::chrono::milliseconds{1};
  status.quota_left = {1, 2};
  status.messages_per_second = 1.25;
  status.routes.resize(2);
  status.routes.front().name = "first";
  status.routes.back().name = "second";
  const std::string text = metrics_text(status, MetricsFormat::openmetrics, {{"device", "unit 7"}});
  const std::regex described{"# (HELP|TYPE) (satchel_[a-z_]+) (.+)"};
  const std::regex sampled{R"((satchel_[a-z_]+)\{(device="unit 7"(,[a-z]+="[^"\\]*")*)\} [0-9]+(\.[0-9]+)?)"};
  std::set<std::string> seen;
  std::string family;
  std::string type;
  std::istringstream lines{text};
  std::string line;
  std::smatch part;
  while (std::getline(lines, line) && line != "# EOF") {
    CAPTURE(line);
    if (std::regex_match(line, part, described)) {
      if (part[1] == "HELP") CHECK(seen.insert(family = part[2]).second);
      if (part[1] == "TYPE") type = part[3];
      CHECK(part[2] == family);
      CHECK_FALSE(family.ends_with("_total"));
      continue;
    }
    REQUIRE(std::regex_match(line, part, sampled));
    CHECK(part[1] == (type == "counter" ? family + "_total" : family));
    // No two samples have one name and the same labels.
    CHECK(seen.insert(part[1].str() + part[2].str()).second);
  }
  CHECK(line == "# EOF");
  CHECK_FALSE(std::getline(lines, line));
  CHECK(seen.size() > 60);
}

TEST_CASE("metrics: a route that the peer refuses, or one topic of it, needs somebody") {
  Status status;
  status.routes.resize(1);
  RouteStatus& route = status.routes.front();
  route.name = "all";
  const auto needs = [&] {
    return has_line(metrics_text(status), R"(satchel_route_needs_somebody{route="all"} 1)");
  };
  route.sink = SinkState::down;
  route.sink_problem = "no route to the host";
  CHECK_FALSE(needs());
  route.sink = SinkState::blocked;
  CHECK(needs());
  route.sink = SinkState::up;
  CHECK(needs());
  route.sink_problem.clear();
  CHECK_FALSE(needs());
}

TEST_CASE("metrics: rates, quota, routes and each priority have their samples") {
  Status status;
  status.pending = 10;
  status.urgent = 3;
  status.bulk = 2;
  status.messages_per_second = 1.25;
  status.bytes_per_second = 125;
  status.wear.bytes_per_day = 745'000'000;
  status.wear.syncs_per_day = 17;
  status.quota_left.messages = 90;
  status.routes.resize(1);
  status.routes.front().name = "bulk";
  status.routes.front().pending = 4;
  status.routes.front().pending_is_bound = true;
  const std::string text = metrics_text(status);
  CHECK(has_line(text, R"(satchel_pending_by_priority{priority="normal"} 5)"));
  CHECK(has_line(text, "satchel_delivered_per_second 1.25"));
  CHECK(has_line(text, "satchel_delivered_bytes_per_second 125"));
  CHECK(has_line(text, "satchel_written_bytes_per_day 745000000"));
  CHECK(has_line(text, "satchel_syncs_per_day 17"));
  CHECK(has_line(text, "satchel_quota_left_messages 90"));
  CHECK(text.find("quota_left_bytes") == std::string::npos);
  CHECK(has_line(text, R"(satchel_route_pending{route="bulk"} 4)"));
  CHECK(has_line(text, R"(satchel_route_pending_is_bound{route="bulk"} 1)"));
  CHECK(has_line(text,
                 "# HELP satchel_route_pending_is_bound 1 when so many wait for the route at least, or above "
                 "10,000 at most"));
  // Counted at different moments: never below nothing.
  status.urgent = 11;
  CHECK(has_line(metrics_text(status), R"(satchel_pending_by_priority{priority="normal"} 0)"));
}

TEST_CASE("metrics: ages, wear and what was dropped have their samples") {
  Status status;
  status.oldest_age = std::chrono::milliseconds{90'500};
  status.dropped.quota = 7;
  status.urgent = 3;
  status.wear.bytes = 8192;
  const std::string text = metrics_text(status);
  CHECK(has_line(text, "satchel_oldest_age_seconds 90"));
  CHECK(has_line(text, R"(satchel_dropped_total{reason="quota"} 7)"));
  CHECK(has_line(text, R"(satchel_pending_by_priority{priority="urgent"} 3)"));
  CHECK(has_line(text, "satchel_written_bytes_total 8192"));
  CHECK(text.find("heartbeat") == std::string::npos);
}
