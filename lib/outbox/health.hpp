// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>

#include <string>

namespace satchel::outbox {

/// The options with an observer that notes in `<file>-relay` how the relay of the file at `path` is doing,
/// for those who look from outside, and passes everything on to the observer that was there. It writes when a
/// sink changes its state or what keeps the relay from working, never otherwise, and without a sync. Best
/// effort: what cannot be noted is left out. For one relay.
Options with_health(Options options, const std::string& path);

}  // namespace satchel::outbox
