// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace satchel::capi {

namespace {

template <std::size_t Size>
void copy_text(char (&target)[Size], const std::string& source) noexcept {
  const std::size_t length = std::min(source.size(), Size - 1);
  std::memcpy(target, source.data(), length);
  target[length] = '\0';
}

std::int64_t ms_of(const std::optional<std::chrono::milliseconds>& time) noexcept {
  return time ? std::int64_t{time->count()} : -1;
}

std::int64_t left_of(const std::optional<std::uint64_t>& left) noexcept {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return left ? static_cast<std::int64_t>(std::min(*left, kMost)) : -1;
}

// The numbers of the C interface are those of the C++ one.
static_assert(static_cast<int>(SinkState::none) == SATCHEL_SINK_NONE);
static_assert(static_cast<int>(SinkState::connecting) == SATCHEL_SINK_CONNECTING);
static_assert(static_cast<int>(SinkState::up) == SATCHEL_SINK_UP);
static_assert(static_cast<int>(SinkState::down) == SATCHEL_SINK_DOWN);
static_assert(static_cast<int>(SinkState::blocked) == SATCHEL_SINK_BLOCKED);
static_assert(static_cast<int>(DeadReason::rejected) == SATCHEL_DEAD_REJECTED);
static_assert(static_cast<int>(DeadReason::attempts) == SATCHEL_DEAD_ATTEMPTS);
static_assert(static_cast<int>(DeadReason::age) == SATCHEL_DEAD_AGE);
static_assert(static_cast<int>(DeadReason::crashed) == SATCHEL_DEAD_CRASHED);
static_assert(static_cast<int>(DeadReason::damaged) == SATCHEL_DEAD_DAMAGED);
static_assert(static_cast<int>(DropReason::expired) == SATCHEL_DROP_EXPIRED);
static_assert(static_cast<int>(DropReason::quota) == SATCHEL_DROP_QUOTA);
static_assert(static_cast<int>(DropReason::coalesced) == SATCHEL_DROP_COALESCED);
static_assert(static_cast<int>(DropReason::discarded) == SATCHEL_DROP_DISCARDED);
static_assert(static_cast<int>(HeldBy::nothing) == SATCHEL_HELD_BY_NOTHING);
static_assert(static_cast<int>(HeldBy::rate) == SATCHEL_HELD_BY_RATE);
static_assert(static_cast<int>(HeldBy::quiet) == SATCHEL_HELD_BY_QUIET);
static_assert(static_cast<int>(HeldBy::budget) == SATCHEL_HELD_BY_BUDGET);

}  // namespace

satchel_status to_c(const Status& status) noexcept {
  satchel_status c{};
  c.size = sizeof c;
  c.pending = status.pending;
  c.pending_is_bound = status.pending_is_bound ? 1 : 0;
  c.leading = status.leading ? 1 : 0;
  c.running = status.running ? 1 : 0;
  c.sink = static_cast<int>(status.sink);
  c.in_flight = status.in_flight;
  c.unsettled = status.unsettled;
  c.delivered = status.delivered;
  c.retried = status.retried;
  c.expired = status.expired;
  c.dead = status.dead;
  c.newest_row = status.newest_row;
  copy_text(c.sink_problem, status.sink_problem);
  if (status.failure) copy_text(c.failure, status.failure->problem);
  c.urgent = status.urgent;
  c.bulk = status.bulk;
  c.delayed = status.delayed;
  c.failing = status.failing;
  c.oldest_age_ms = ms_of(status.oldest_age);
  c.died = status.died;
  c.async_dropped = status.async_dropped;
  c.dropped_expired = status.dropped.expired;
  c.dropped_quota = status.dropped.quota;
  c.dropped_coalesced = status.dropped.coalesced;
  c.dropped_discarded = status.dropped.discarded;
  c.delivered_bytes = status.delivered_bytes;
  c.messages_per_second = status.messages_per_second;
  c.bytes_per_second = status.bytes_per_second;
  c.wear_bytes = status.wear.bytes;
  c.wear_syncs = status.wear.syncs;
  c.wear_over_ms = status.wear.over.count();
  c.wear_bytes_per_day = status.wear.bytes_per_day;
  c.wear_syncs_per_day = status.wear.syncs_per_day;
  c.wal_bytes = status.wal_bytes;
  c.device_bytes = status.device_bytes;
  c.quota_messages_left = left_of(status.quota_left.messages);
  c.quota_bytes_left = left_of(status.quota_left.bytes);
  c.heartbeat_ms = ms_of(status.heartbeat);
  c.round_overdue_ms = status.round_overdue.count();
  c.route_count = status.routes.size();
  copy_text(c.sink_remedy, status.sink_remedy);
  if (status.failure) copy_text(c.failure_hint, status.failure->hint);
  return c;
}

satchel_route_status to_c(const RouteStatus& route) noexcept {
  satchel_route_status c{};
  c.size = sizeof c;
  c.name = route.name.c_str();
  c.sink_name = route.sink_name.c_str();
  c.sink_problem = route.sink_problem.c_str();
  c.sink_remedy = route.sink_remedy.c_str();
  c.sink = static_cast<int>(route.sink);
  c.paused = route.paused ? 1 : 0;
  c.held_by = static_cast<int>(route.held_by);
  c.pending_is_bound = route.pending_is_bound ? 1 : 0;
  c.pending = route.pending;
  c.in_flight = route.in_flight;
  c.delivered = route.delivered;
  c.budget_used = route.budget_used;
  return c;
}

}  // namespace satchel::capi
