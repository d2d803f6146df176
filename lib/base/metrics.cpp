// SPDX-License-Identifier: MIT
#include <satchel/metrics.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace satchel {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Names have letters, digits and `_`, and do not begin with a digit.
std::string name_of(const std::string& text) {
  std::string name = text;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !allowed(c); }, '_');
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) name.insert(name.begin(), '_');
  return name;
}

std::string escaped(const std::string& text) {
  std::string value;
  for (const char c : text) {
    if (c == '\n') {
      value += "\\n";
    } else {
      if (c == '\\' || c == '"') value += '\\';
      value += c;
    }
  }
  return value;
}

class Page {
 public:
  Page(MetricsFormat format, const Labels& labels)
      : open_{format == MetricsFormat::openmetrics}, labels_{labels} {}

  void gauge(const std::string& name, const char* help) { family(name, name, "gauge", help); }
  /// Samples of a counter end in `_total`; only OpenMetrics names its family without that.
  void counter(const std::string& name, const char* help) {
    family(open_ ? name : name + "_total", name + "_total", "counter", help);
  }

  template <class Value>
  void sample(Value value, const Labels& more = {}) {
    text_ += sample_;
    std::string_view before = "{";
    for (const Labels* labels : {&labels_, &more}) {
      for (const auto& [name, content] : *labels) {
        text_ += before;
        text_ += name_of(name) + "=\"" + escaped(content) + '"';
        before = ",";
      }
    }
    if (before == ",") text_ += '}';
    text_ += fmt::format(" {}\n", value);
  }

  std::string done() {
    if (open_) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void family(const std::string& name, const std::string& sample, const char* type, const char* help) {
    sample_ = "satchel_" + sample;
    text_ += "# HELP satchel_" + name + ' ' + help + '\n';
    text_ += "# TYPE satchel_" + name + ' ' + type + '\n';
  }

  const bool open_;
  const Labels& labels_;
  std::string sample_;
  std::string text_;
};

struct Number {
  const char* name;
  const char* help;
  std::uint64_t value;
};

void add_routes(Page& page, const std::vector<RouteStatus>& routes) {
  const auto each = [&](auto value) {
    for (const RouteStatus& route : routes) page.sample(value(route), {{"route", route.name}});
  };
  page.gauge("route_state", "1 for the state that the route's sink has");
  constexpr std::array<SinkState, 5> kStates{SinkState::none, SinkState::connecting, SinkState::up,
                                             SinkState::down, SinkState::blocked};
  for (const RouteStatus& route : routes) {
    for (const SinkState state : kStates) {
      page.sample(route.sink == state ? 1 : 0,
                  {{"route", route.name}, {"state", std::string{to_string(state)}}});
    }
  }
  page.gauge("route_needs_somebody",
             "1 while the peer refuses the device, or one of its topics: look at the problem");
  each([](const RouteStatus& route) {
    const bool refused = route.sink == SinkState::up && !route.sink_problem.empty();
    return refused || route.sink == SinkState::blocked ? std::uint64_t{1} : std::uint64_t{0};
  });
  page.gauge("route_paused", "1 while the route is paused by the application");
  each([](const RouteStatus& route) { return route.paused ? std::uint64_t{1} : std::uint64_t{0}; });
  page.gauge("route_held_back", "1 while a budget or quiet hours hold messages back");
  each([](const RouteStatus& route) { return route.held_back ? std::uint64_t{1} : std::uint64_t{0}; });
  page.gauge("route_pending", "Messages that wait and take the route");
  each([](const RouteStatus& route) { return route.pending; });
  page.gauge("route_pending_is_bound", "1 when so many wait for the route at least, or above 10,000 at most");
  each([](const RouteStatus& route) { return route.pending_is_bound ? std::uint64_t{1} : std::uint64_t{0}; });
  page.gauge("route_in_flight", "Messages with the route's sink");
  each([](const RouteStatus& route) { return route.in_flight; });
  page.gauge("route_budget_used_bytes", "Bytes that count in the current period of the budget");
  each([](const RouteStatus& route) { return route.budget_used; });
  page.counter("route_delivered", "Messages that the route delivered");
  each([](const RouteStatus& route) { return route.delivered; });
}

}  // namespace

namespace {

void add_priorities(Page& page, const Status& status) {
  page.gauge("pending_by_priority",
             "Of the messages that wait, at most 100000 urgent and bulk ones each; the rest");
  const std::uint64_t others = status.urgent + status.bulk;
  page.sample(status.urgent, {{"priority", "urgent"}});
  page.sample(status.pending - std::min(status.pending, others), {{"priority", "normal"}});
  page.sample(status.bulk, {{"priority", "bulk"}});
}

void add_rates(Page& page, const Status& status) {
  page.gauge("delivered_per_second", "Messages delivered, on average of the last ten seconds");
  page.sample(status.messages_per_second);
  page.gauge("delivered_bytes_per_second", "The same in bytes");
  page.sample(status.bytes_per_second);
  page.gauge("written_bytes_per_day", "Written to the storage device in a day at the rate so far");
  page.sample(status.wear.bytes_per_day);
  page.gauge("syncs_per_day", "Syncs of the storage device in a day at the rate so far");
  page.sample(status.wear.syncs_per_day);
  if (status.quota_left.messages) {
    page.gauge("quota_left_messages", "Messages that may still be enqueued");
    page.sample(*status.quota_left.messages);
  }
  if (status.quota_left.bytes) {
    page.gauge("quota_left_bytes", "Bytes that may still be enqueued");
    page.sample(*status.quota_left.bytes);
  }
}

void add_state(Page& page, const Status& status) {
  page.counter("dropped", "Messages dropped since the file was made");
  page.sample(status.dropped.expired, {{"reason", "expired"}});
  page.sample(status.dropped.quota, {{"reason", "quota"}});
  page.sample(status.dropped.coalesced, {{"reason", "coalesced"}});
  page.sample(status.dropped.discarded, {{"reason", "discarded"}});
  const auto seconds = [](std::chrono::milliseconds time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)) / 1000;
  };
  if (status.oldest_age) {
    page.gauge("oldest_age_seconds", "Since the oldest message that waits was enqueued");
    page.sample(seconds(*status.oldest_age));
  }
  if (status.heartbeat) {
    page.gauge("heartbeat_age_seconds", "Since the relay began its last round; an idle one makes none");
    page.sample(seconds(*status.heartbeat));
  }
  for (const Number& number :
       {Number{"failing_messages", "Messages that failed before and will be tried again", status.failing},
        Number{"delayed", "Messages that are not due yet", status.delayed},
        Number{"wal_bytes", "Size of the write-ahead log", status.wal_bytes},
        Number{"device_free_bytes", "Room on the file system", status.device_bytes},
        Number{"round_overdue_seconds", "For how long the relay has not come back",
               seconds(status.round_overdue)}}) {
    page.gauge(number.name, number.help);
    page.sample(number.value);
  }
  for (const Number& number :
       {Number{"died", "Messages that became dead letters", status.died},
        Number{"delivered_bytes", "Topic, payload, key and headers of what was delivered",
               status.delivered_bytes},
        Number{"written_bytes", "Written to the storage device, as far as it is counted", status.wear.bytes},
        Number{"syncs", "Syncs of the storage device, as far as they are counted", status.wear.syncs}}) {
    page.counter(number.name, number.help);
    page.sample(number.value);
  }
}

}  // namespace

std::string metrics_text(const Status& status, MetricsFormat format, const Labels& labels) {
  Page page{format, labels};
  const auto truth = [](bool value) { return value ? std::uint64_t{1} : std::uint64_t{0}; };
  for (const Number& number :
       {Number{"pending", "Messages that wait", status.pending},
        Number{"pending_is_bound", "1 when so many may wait at most", truth(status.pending_is_bound)},
        Number{"in_flight", "Messages with a sink", status.in_flight},
        Number{"unsettled", "Receipts that are not recorded yet", status.unsettled},
        Number{"dead", "Dead letters", status.dead},
        Number{"newest_row", "Highest row id that was given", static_cast<std::uint64_t>(status.newest_row)},
        Number{"leading", "1 when this process is the relay of the file", truth(status.leading)},
        Number{"running", "1 while the relay thread runs", truth(status.running)},
        Number{"failing", "1 while a failure keeps the relay from working",
               truth(status.failure.has_value())}}) {
    page.gauge(number.name, number.help);
    page.sample(number.value);
  }
  for (const Number& number :
       {Number{"delivered", "Messages delivered", status.delivered},
        Number{"retried", "Failed attempts that were counted", status.retried},
        Number{"expired", "Messages that expired", status.expired},
        Number{"async_dropped", "Messages given up because the queue was full", status.async_dropped}}) {
    page.counter(number.name, number.help);
    page.sample(number.value);
  }
  add_priorities(page, status);
  add_rates(page, status);
  add_state(page, status);
  if (!status.routes.empty()) add_routes(page, status.routes);
  return page.done();
}

}  // namespace satchel
