// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/mqtt.hpp>
#include <satchel/sink_url.hpp>

#include <optional>
#include <string>

namespace satchel::mqtt {

/// Throws `InvalidOption` for the first value that cannot be used; otherwise the options with the defaults
/// filled in (port, client id).
MqttOptions validated(MqttOptions options);

/// The options that a URL stands for; throws `InvalidOption`, also for a name that is none.
MqttOptions options_from_url(const SinkUrl& url);

/// `mqtt://host:port`, no secrets.
std::string name_of(const MqttOptions& options);

/// The password to use now. Nothing: the file cannot be read; `problem` says why, without its content.
std::optional<std::string> current_password(const MqttOptions& options, std::string& problem);

/// "satchel-" and 15 random hex digits, others at each call: 23 bytes, which every broker must accept.
std::string generated_client_id();

}  // namespace satchel::mqtt
