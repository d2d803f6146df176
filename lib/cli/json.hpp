// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/inspect.hpp>
#include <satchel/message.hpp>
#include <satchel/status.hpp>

#include <cstddef>
#include <string>

namespace satchel::cli {

/// One line of JSON, without its end. A payload that is no UTF-8 is written as `payload_base64`.
std::string to_json(const PendingMessage& message);
std::string to_json(const DeadLetter& dead);
std::string to_json(const FileReport& report);

/// The message of a line that `to_json` or somebody else has written: `topic`, and as far as they are there
/// `payload` or `payload_base64`, `key`, `content_type`, `headers`, `priority`, `expires_after_ms`,
/// `not_before_ms`, `retry`; other names are passed over. Throws `InvalidMessage`, which names the line.
Message message_of(const std::string& json, std::size_t line);

}  // namespace satchel::cli
