// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/error.hpp>

namespace satchel::capi {

/// What the C++ interface answers with false.
class NotFound : public Error {
  using Error::Error;
};

}  // namespace satchel::capi
