// SPDX-License-Identifier: MIT
#include "outbox/look.hpp"

#include "base/remedy.hpp"
#include "relay/routing.hpp"
#include "store/figures.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace satchel::outbox {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Messages whose topics are matched against the routes.
constexpr std::size_t kMatched = 10'000;

}  // namespace

Status file_status(const store::Store& store) {
  const store::Figures figures = store.figures();
  Status status;
  status.pending = figures.counts.pending;
  status.pending_is_bound = figures.counts.pending_is_bound;
  status.dead = figures.counts.dead;
  status.newest_row = figures.counts.newest_row;
  status.urgent = figures.parts.urgent;
  status.bulk = figures.parts.bulk;
  status.delayed = figures.parts.delayed;
  status.failing = figures.parts.failing;
  status.oldest_age = figures.oldest_age;
  status.dropped = figures.dropped;
  status.quota_left = figures.quota_left;
  status.wal_bytes = figures.wal_bytes;
  status.device_bytes = figures.device_bytes;
  status.wear = store.wear();
  return status;
}

void add_snapshot(Status& status, relay::Snapshot relay, BootTime now) {
  status.in_flight = relay.in_flight;
  status.unsettled = relay.unsettled;
  status.delivered = relay.delivered;
  status.retried = relay.retried;
  status.expired = relay.expired;
  status.died = relay.died;
  status.delivered_bytes = relay.delivered_bytes;
  const relay::Meter::Rate rate = relay.meter.per_second(now);
  status.messages_per_second = rate.messages;
  status.bytes_per_second = rate.bytes;
  status.leading = relay.leading;
  status.sink = relay.sink;
  status.sink_problem = std::move(relay.sink_problem);
  status.sink_remedy = remedy_of(status.sink, status.sink_problem);
  status.failure = std::move(relay.failure);
  status.routes = std::move(relay.routes);
  for (RouteStatus& route : status.routes) route.sink_remedy = remedy_of(route.sink, route.sink_problem);
}

void add_relay(Status& status, const Engine& engine, BootTime now) {
  add_snapshot(status, engine.snapshot(), now);
  const Engine::Pulse pulse = engine.pulse();
  if (pulse.last)
    status.heartbeat = std::max(duration_cast<milliseconds>(now - *pulse.last), milliseconds{0});
  if (status.running && pulse.due && now > *pulse.due)
    status.round_overdue = duration_cast<milliseconds>(now - *pulse.due);
}

void count_by_route(Status& status, const store::Store& store,
                    const std::vector<std::vector<std::string>>& filters) {
  const std::size_t routes = std::min(status.routes.size(), filters.size());
  if (routes == 0) return;
  const std::vector<std::string>& first = filters.front();
  if (std::find(first.begin(), first.end(), "#") != first.end()) {
    status.routes.front().pending = status.pending;
    status.routes.front().pending_is_bound = status.pending_is_bound;
    return;
  }
  const relay::Routing routing{filters};
  std::size_t seen = 0;
  store.visit_topics(kMatched, [&](std::string_view topic) {
    ++seen;
    const auto route = routing.of(topic);
    if (route && *route < routes) ++status.routes[*route].pending;
  });
  for (std::size_t i = 0; i < routes; ++i) status.routes[i].pending_is_bound = seen == kMatched;
}

}  // namespace satchel::outbox
