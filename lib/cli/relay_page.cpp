// SPDX-License-Identifier: MIT
//
// What can be seen of a relay: how it is, how its routes are, and what holds them back.
#include "page.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace satchel::cli {
namespace {

using std::chrono::milliseconds;

/// A round takes well under a second, and the longest wait for somebody else's lock some seconds.
constexpr std::chrono::seconds kHangs{10};

/// Messages that are matched with the topics of routes. Only those of a first route that takes all are
/// counted like those of the file: exactly, then by the span of their ids.
constexpr std::uint64_t kMatched = 10'000;

Look look_of(SinkState state) {
  static const std::map<SinkState, Look> kLooks{
      {SinkState::up, Look::good}, {SinkState::down, Look::warn}, {SinkState::blocked, Look::bad}};
  const auto look = kLooks.find(state);
  return look == kLooks.end() ? Look::plain : look->second;
}

std::string state_text(SinkState state, bool alive) {
  const std::string text{to_string(state)};
  return alive ? text : "was " + text;
}

/// Its name, and where it leads.
std::string title_of(const RouteReport& route) {
  const RouteStatus& status = route.status;
  const std::string name = "route " + visible(status.name);
  return status.sink_name.empty() ? name : name + " (" + visible(status.sink_name) + ")";
}

/// In front of the number of those that wait for it.
std::string bound_of(const RouteStatus& status) {
  if (!status.pending_is_bound) return {};
  return status.pending > kMatched ? "at most " : "at least ";
}

std::string for_how_long(const RouteReport& route) {
  return route.held_for ? ", for " + duration_text(*route.held_for) + " yet" : "";
}

/// What waits for the route, as far as it is known; empty: nothing.
std::string waiting_on(const RouteReport& route) {
  const RouteStatus& status = route.status;
  if (!route.pending_known || status.pending == 0) return {};
  return fmt::format("; {}{} for it", status.pending_is_bound ? "about " : "",
                     counted(status.pending, "message waits", "messages wait"));
}

void add_sink(std::vector<Advice>& advice, const std::string& name, SinkState state,
              const std::string& problem) {
  if (state == SinkState::blocked) {
    advice.push_back(
        {fmt::format("the sink {} does not let the messages through: {}", name, visible(problem)),
         "correct the application's credentials or options for it; it is tried again by itself"});
  } else if (state == SinkState::down) {
    advice.push_back({fmt::format("the sink {} is down: {}", name, visible(problem)),
                      "check the network and the address; it is tried again by itself", false});
  } else if (state == SinkState::up && !problem.empty()) {
    advice.push_back({fmt::format("the sink {} does not take all topics: {}", name, visible(problem)),
                      "correct the rights of the application's credentials; it is tried again by itself"});
  }
}

void add_limits(std::vector<Advice>& advice, const RouteReport& route) {
  const RouteStatus& status = route.status;
  const std::string title = title_of(route);
  if (status.paused) {
    advice.push_back({title + " is paused by the application" + waiting_on(route),
                      "the application has to resume it (Outbox::resume)", false});
    return;
  }
  switch (status.held_by) {
    case HeldBy::nothing:
      break;
    case HeldBy::rate:
      advice.push_back({title + " sends no faster than its rate lets it" + waiting_on(route),
                        "it goes on by itself; the application sets the rate (RouteOptions)", false});
      break;
    case HeldBy::quiet:
      advice.push_back({title + " has its quiet hours" + for_how_long(route) + waiting_on(route),
                        "urgent messages are sent; the others go when the hours are over", false});
      break;
    case HeldBy::budget:
      advice.push_back(
          {fmt::format("{} has used up its data budget, {} in this period{}", title,
                       size_text(status.budget_used), waiting_on(route)),
           "it goes on with the next period, or when the application sets a larger RouteOptions::budget",
           false});
      break;
  }
}

void add_route(std::vector<Line>& lines, const RouteReport& route, bool alive) {
  const RouteStatus& status = route.status;
  Line line{label("route"), {visible(status.name) + "  "}};
  if (!status.sink_name.empty()) line.push_back({visible(status.sink_name) + "  "});
  line.push_back({state_text(status.sink, alive), look_of(status.sink)});
  if (alive && route.since && status.sink != SinkState::none)
    line.push_back({" for " + duration_text(*route.since)});
  if (status.paused) line.push_back({", paused", Look::warn});
  if (status.held_by != HeldBy::nothing)
    line.push_back({", held back by its " + std::string{to_string(status.held_by)}, Look::warn});
  lines.push_back(std::move(line));
  std::string work;
  const auto add = [&](const std::string& text) { work += (work.empty() ? "" : ", ") + text; };
  if (route.pending_known)
    add(bound_of(status) + grouped(status.pending) + (status.pending == 1 ? " waits" : " wait"));
  if (alive) add(grouped(status.in_flight) + " in flight");
  add(grouped(status.delivered) + " delivered");
  if (status.budget_used > 0) add(size_text(status.budget_used) + " of its budget used");
  lines.push_back({label(""), {work}});
  if (!status.sink_problem.empty()) lines.push_back({label(""), {visible(status.sink_problem), Look::warn}});
}

void add_sink(std::vector<Line>& lines, const SinkReport& sink, bool alive) {
  Line line{label("sink"), {visible(sink.sink) + "  "}, {state_text(sink.state, alive), look_of(sink.state)}};
  if (alive && sink.since) line.push_back({" for " + duration_text(*sink.since)});
  lines.push_back(std::move(line));
  if (!sink.problem.empty()) lines.push_back({label(""), {visible(sink.problem), Look::warn}});
}

}  // namespace

std::vector<Advice> advice_on(const RelayReport& relay) {
  std::vector<Advice> advice;
  if (relay.alive && relay.round_overdue >= kHangs) {
    advice.push_back(
        {"the relay hangs: it has not come back for " + duration_text(relay.round_overdue),
         fmt::format("something holds its thread: a callback, a sink or the storage; look with gdb -p {0}, "
                     "or restart process {0}",
                     relay.process)});
  }
  if (!relay.failure.empty())
    advice.push_back({"the relay cannot work: " + visible(relay.failure), "it tries again by itself"});
  if (relay.alive && relay.unrouted > 0) {
    advice.push_back({fmt::format("no route takes the topic of {}",
                                  counted(relay.unrouted, "message that waits", "messages that wait")),
                      "the application has to attach a route for it (RouteOptions::topics)"});
  }
  if (relay.routes.empty()) {
    for (const SinkReport& sink : relay.sinks) add_sink(advice, visible(sink.sink), sink.state, sink.problem);
  }
  for (const RouteReport& route : relay.routes) {
    const RouteStatus& status = route.status;
    add_sink(advice, visible(status.sink_name), status.sink, status.sink_problem);
    if (relay.alive) add_limits(advice, route);
  }
  return advice;
}

std::vector<Line> relay_lines(const RelayReport& relay) {
  std::vector<Line> lines;
  Line first{label("relay")};
  if (relay.alive && relay.round_overdue >= kHangs) {
    first.push_back({"hangs", Look::bad});
    first.push_back({fmt::format(" in process {}", relay.process)});
  } else if (relay.alive) {
    first.push_back({"running", Look::good});
    if (relay.process > 0) first.push_back({fmt::format(" in process {}", relay.process)});
    if (relay.in_flight > 0) first.push_back({fmt::format(", {} in flight", grouped(relay.in_flight))});
  } else {
    first.push_back({"none", Look::warn});
    if (relay.process > 0) first.push_back({fmt::format(", the last one was process {}", relay.process)});
  }
  if (relay.standby) first.push_back({", another one stands by"});
  lines.push_back(std::move(first));
  for (const RouteReport& route : relay.routes) add_route(lines, route, relay.alive);
  if (relay.routes.empty()) {
    for (const SinkReport& sink : relay.sinks) add_sink(lines, sink, relay.alive);
  }
  return lines;
}

std::vector<Line> work_lines(const RelayReport& relay) {
  if (!relay.told) return {};
  std::vector<Line> lines;
  lines.push_back(
      {label("since"),
       {fmt::format("its start: {} delivered ({}), {} retried, {} expired, {} died, {} unsettled",
                    grouped(relay.delivered), size_text(relay.delivered_bytes), grouped(relay.retried),
                    grouped(relay.expired), grouped(relay.died), grouped(relay.unsettled))}});
  if (relay.alive) {
    Line pace{label("pace"),
              {fmt::format("{:.1f} messages/s, {}/s", relay.messages_per_second,
                           size_text(static_cast<std::uint64_t>(relay.bytes_per_second)))}};
    if (relay.heartbeat) pace.push_back({", last round " + duration_text(*relay.heartbeat) + " ago"});
    lines.push_back(std::move(pace));
  }
  // During its first second it cannot say how much that makes in a day.
  if (relay.wear.bytes_per_day > 0) {
    lines.push_back({label("wear"),
                     {fmt::format("{} and {} syncs a day", size_text(relay.wear.bytes_per_day),
                                  grouped(relay.wear.syncs_per_day))}});
  }
  const QuotaLeft& left = relay.quota_left;
  if (left.messages || left.bytes) {
    std::string text;
    if (left.messages) text = counted(*left.messages, "message", "messages");
    if (left.bytes) text += (text.empty() ? "" : " and ") + size_text(*left.bytes);
    lines.push_back({label("quota"), {text + " left"}});
  }
  return lines;
}

}  // namespace satchel::cli
