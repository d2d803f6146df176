// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>

#include <map>
#include <string>

namespace satchel {

/// `base` with what `variables` say instead, all of whose names begin with `prefix`; throws as
/// `Options::from_environment` does.
Options overlaid(Options base, const std::string& prefix, std::map<std::string, std::string> variables);

}  // namespace satchel
