// SPDX-License-Identifier: MIT
#pragma once

#include "store/ages.hpp"
#include "store/connection.hpp"
#include "store/identity.hpp"

#include <satchel/inspect.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace satchel::store {

/// What has to be known to describe a message besides its row.
struct Surroundings {
  Present present;
  std::vector<IdentityRange> ranges;
  std::vector<std::int64_t> in_flight;  ///< ascending
  bool retries = true;                  ///< the file keeps limits of attempts with the messages
};

/// Messages that wait, as asked for. Rows that are passed over are read in several short reads, so that no
/// snapshot is held for long.
std::vector<PendingMessage> browse(Connection& reader, const MessageQuery& query, const Surroundings& around);

/// One of them.
std::optional<PendingMessage> browse_row(Connection& reader, std::int64_t row, const Surroundings& around);

/// The first one, without its payload.
std::optional<PendingMessage> browse_oldest(Connection& reader, const Surroundings& around);

}  // namespace satchel::store
