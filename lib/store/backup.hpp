// SPDX-License-Identifier: MIT
#pragma once

#include "store/connection.hpp"
#include "store/reader.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace satchel::store {

/// Copies the database as it is at this moment into a new file with mode 0600, synced; what the copy holds.
/// Throws `OpenError` when `target` exists or cannot be made, `FullError`, `StorageError`; then nothing is
/// left of it, unless the copy is whole and as damaged as the original.
Counts back_up(Connection& source, const std::string& target,
               const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace satchel::store
