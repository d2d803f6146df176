// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

namespace satchel::mqtt {

/// Thrown where a connection cannot even be begun; never leaves this folder.
struct Refusal {
  Receipt receipt;
};

}  // namespace satchel::mqtt
