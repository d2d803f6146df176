// SPDX-License-Identifier: MIT
#include "capi/convert.hpp"
#include "capi/guard.hpp"
#include "capi/outboxes.hpp"

#include <satchel/satchel.h>

#include <string>

using namespace satchel::capi;  // NOLINT: what follows is this interface's outside

int satchel_attach_route(satchel_outbox* outbox, const char* url, const satchel_route* route) {
  return guarded("attach", [&] {
    const auto open = outboxes().find(outbox, "attach");
    satchel::RouteOptions options;
    if (route != nullptr) options = to_cpp(read(route, "attach"));
    open->attach(std::string{given(url, "attach", "the URL")}, std::move(options));
  });
}

int satchel_pause(satchel_outbox* outbox, const char* route) {
  return guarded("pause", [&] {
    outboxes().find(outbox, "pause")->pause(given(route, "pause", "the name of the route"));
  });
}

int satchel_resume(satchel_outbox* outbox, const char* route) {
  return guarded("resume", [&] {
    outboxes().find(outbox, "resume")->resume(given(route, "resume", "the name of the route"));
  });
}
