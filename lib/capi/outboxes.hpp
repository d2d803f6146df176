// SPDX-License-Identifier: MIT
#pragma once

#include "capi/handles.hpp"

#include <satchel/satchel.h>
#include <satchel/outbox.hpp>

namespace satchel::capi {

/// All outboxes that are open.
Handles<satchel_outbox, Outbox>& outboxes();

}  // namespace satchel::capi
