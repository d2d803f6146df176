// SPDX-License-Identifier: MIT
#include <satchel/metrics.hpp>

#include <doctest/doctest.h>

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
