// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"
#include "capi/guard.hpp"
#include "capi/outboxes.hpp"

#include <satchel/satchel.h>
#include <satchel/metrics.hpp>

#include <algorithm>
#include <cstring>
#include <string>

using namespace satchel::capi;  // NOLINT: what follows is this interface's outside

static_assert(static_cast<int>(satchel::MetricsFormat::prometheus) == SATCHEL_METRICS_PROMETHEUS);
static_assert(static_cast<int>(satchel::MetricsFormat::openmetrics) == SATCHEL_METRICS_OPENMETRICS);
static_assert(std::tuple_size_v<satchel::Identity> == SATCHEL_IDENTITY_BYTES);

int satchel_get_status(satchel_outbox* outbox, satchel_status* status) {
  return guarded("status", [&] {
    const auto open = outboxes().find(outbox, "status");
    const size_t size = given(status, "status", "the structure")->size;
    check_size<satchel_status>(size, "status");
    satchel_status now = to_c(open->status());
    now.size = size;
    // What a newer caller knows and this library does not is nothing, not what was there before.
    std::memset(static_cast<void*>(status), 0, size);
    std::memcpy(static_cast<void*>(status), &now, std::min(size, sizeof now));
  });
}

int satchel_routes(satchel_outbox* outbox, satchel_route_callback callback, void* context) {
  return guarded("routes", [&] {
    const auto open = outboxes().find(outbox, "routes");
    given(callback, "routes", "the callback");
    for (const satchel::RouteStatus& route : open->status().routes) {
      const satchel_route_status c = to_c(route);
      if (callback(context, &c) != 0) return;
    }
  });
}

int satchel_metrics(satchel_outbox* outbox, int format, satchel_text_callback callback, void* context) {
  return guarded("metrics", [&] {
    const auto open = outboxes().find(outbox, "metrics");
    given(callback, "metrics", "the callback");
    if (format != SATCHEL_METRICS_PROMETHEUS && format != SATCHEL_METRICS_OPENMETRICS) {
      throw satchel::InvalidOption{"metrics", "format is " + std::to_string(format),
                                   "a satchel_metrics_format"};
    }
    const std::string text = metrics_text(open->status(), static_cast<satchel::MetricsFormat>(format));
    callback(context, text.c_str(), text.size());
  });
}

int satchel_dropped_messages(satchel_outbox* outbox, satchel_dropped_callback callback, void* context) {
  return guarded("dropped_messages", [&] {
    const auto open = outboxes().find(outbox, "dropped_messages");
    given(callback, "dropped_messages", "the callback");
    for (const satchel::Dropped& dropped : open->dropped()) {
      const satchel_dropped c{sizeof c, static_cast<int>(dropped.reason), dropped.topic.c_str(),
                              dropped.messages, dropped.unconfirmed};
      if (callback(context, &c) != 0) return;
    }
  });
}

int satchel_identity(satchel_outbox* outbox, unsigned char identity[SATCHEL_IDENTITY_BYTES]) {
  return guarded("identity", [&] {
    const satchel::Identity current = outboxes().find(outbox, "identity")->identity();
    std::copy(current.begin(), current.end(), given(identity, "identity", "the place for the identity"));
  });
}

int satchel_renew_identity(satchel_outbox* outbox, unsigned char identity[SATCHEL_IDENTITY_BYTES]) {
  return guarded("renew_identity", [&] {
    const satchel::Identity fresh = outboxes().find(outbox, "renew_identity")->renew_identity();
    if (identity != nullptr) std::copy(fresh.begin(), fresh.end(), identity);
  });
}
