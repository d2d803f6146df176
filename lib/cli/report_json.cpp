// SPDX-License-Identifier: MIT
#include "json.hpp"
#include "json_object.hpp"
#include "text.hpp"

namespace satchel::cli {
namespace {

void put_route(Object& object, const RouteReport& route) {
  const RouteStatus& status = route.status;
  object.text("route", status.name);
  object.text("sink", status.sink_name);
  object.text("state", to_string(status.sink));
  object.some_text("problem", status.sink_problem);
  object.some_text("remedy", status.sink_remedy);
  object.span("since_ms", route.since);
  if (route.pending_known) {
    object.count("pending", status.pending);
    object.truth("pending_is_bound", status.pending_is_bound);
  }
  object.count("in_flight", status.in_flight);
  object.count("delivered", status.delivered);
  object.truth("paused", status.paused);
  object.text("held_by", to_string(status.held_by));
  object.span("held_for_ms", route.held_for);
  object.count("budget_used", status.budget_used);
}

void put_wear(Object& object, const Wear& wear) {
  object.count("bytes", wear.bytes);
  object.count("syncs", wear.syncs);
  object.number("over_ms", wear.over.count());
  object.count("bytes_per_day", wear.bytes_per_day);
  object.count("syncs_per_day", wear.syncs_per_day);
}

/// What it told of its work.
void put_work(Object& object, const RelayReport& relay) {
  object.number("told_ms", relay.told->count());
  object.count("unsettled", relay.unsettled);
  object.count("delivered", relay.delivered);
  object.count("retried", relay.retried);
  object.count("expired", relay.expired);
  object.count("died", relay.died);
  object.count("delivered_bytes", relay.delivered_bytes);
  object.real("messages_per_second", relay.messages_per_second);
  object.real("bytes_per_second", relay.bytes_per_second);
  object.object("wear", [&] { put_wear(object, relay.wear); });
  object.object("quota_left", [&] {
    if (relay.quota_left.messages) object.count("messages", *relay.quota_left.messages);
    if (relay.quota_left.bytes) object.count("bytes", *relay.quota_left.bytes);
  });
}

void put_relay(Object& object, const RelayReport& relay) {
  object.truth("alive", relay.alive);
  object.number("process", relay.process);
  object.truth("standby", relay.standby);
  object.count("in_flight", relay.in_flight);
  object.time("active_ms", relay.active);
  object.span("heartbeat_ms", relay.heartbeat);
  object.number("round_overdue_ms", relay.round_overdue.count());
  object.some_text("failure", relay.failure);
  if (relay.told) put_work(object, relay);
  object.list("sinks", relay.sinks, [&](const SinkReport& sink) {
    object.text("sink", sink.sink);
    object.text("state", to_string(sink.state));
    object.some_text("problem", sink.problem);
    object.some_text("remedy", remedy_of(sink.state));
    object.span("since_ms", sink.since);
  });
  object.count("unrouted", relay.unrouted);
  object.list("routes", relay.routes, [&](const RouteReport& route) { put_route(object, route); });
}

}  // namespace

std::string to_json(const FileReport& report) {
  Object object;
  object.text("file", report.path);
  object.number("schema", report.schema);
  object.text("identity", identity_text(report.identity));
  object.count("pending", report.pending);
  object.truth("pending_is_bound", report.pending_is_bound);
  object.count("urgent", report.urgent);
  object.count("bulk", report.bulk);
  object.count("delayed", report.delayed);
  object.count("failing", report.failing);
  object.count("dead", report.dead);
  object.number("newest_row", report.newest_row);
  if (report.oldest) {
    object.object("oldest", [&] {
      object.text("id", report.oldest->id.to_string());
      object.text("topic", report.oldest->message.topic);
      object.span("age_ms", report.oldest->age);
      object.number("attempts", report.oldest->attempts);
      object.some_text("last_error", report.oldest->last_error);
    });
  }
  const auto put = [&](const Tally& tally) {
    object.text("error", tally.text);
    object.count("messages", tally.messages);
  };
  object.list("failures", report.failures, put);
  object.list("deaths", report.deaths, put);
  object.object("counters", [&] {
    for (const auto& [name, value] : report.counters) object.number(name, value);
  });
  object.list("dropped", report.dropped, [&](const Dropped& dropped) {
    object.text("reason", to_string(dropped.reason));
    object.text("topic", dropped.topic);
    object.count("messages", dropped.messages);
    object.count("unconfirmed", dropped.unconfirmed);
  });
  object.count("file_bytes", report.file_bytes);
  object.count("wal_bytes", report.wal_bytes);
  object.count("free_bytes", report.free_bytes);
  object.count("device_bytes", report.device_bytes);
  object.object("relay", [&] { put_relay(object, report.relay); });
  return object.done();
}

}  // namespace satchel::cli
