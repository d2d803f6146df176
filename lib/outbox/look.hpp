// SPDX-License-Identifier: MIT
//
// What `Outbox::status` is put together from.
#pragma once

#include "outbox/engine.hpp"
#include "store/store.hpp"

#include <satchel/status.hpp>

#include <string>
#include <vector>

namespace satchel::outbox {

/// What the file says.
Status file_status(const store::Store& store);

/// Adds what the relay says, but for how its rounds come.
void add_snapshot(Status& status, relay::Snapshot relay, BootTime now);
/// Adds all that the relay says.
void add_relay(Status& status, const Engine& engine, BootTime now);

/// Adds what waits for each route; `filters`: their topics, in the order of the routes.
void count_by_route(Status& status, const store::Store& store,
                    const std::vector<std::vector<std::string>>& filters);

}  // namespace satchel::outbox
