// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/http.hpp>

namespace satchel::http {

/// The options as they are; throws `InvalidOption` for the first that is out of its range or that does not go
/// with another.
HttpOptions validated(HttpOptions options);

}  // namespace satchel::http
