// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/status.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// What a collector reads; to be sent with the content type beside it.
enum class MetricsFormat : std::uint8_t {
  prometheus,   ///< `text/plain; version=0.0.4`
  openmetrics,  ///< `application/openmetrics-text; version=1.0.0`
};

/// A status as text for a metrics collector: one gauge or counter a line, all names begin with `satchel_`.
/// `labels` are added to each; a label's name is letters, digits and `_`, others are written as `_`. Texts of
/// errors are left out: a collector would keep a time series for each.
std::string metrics_text(const Status& status, MetricsFormat format = MetricsFormat::prometheus,
                         const std::vector<std::pair<std::string, std::string>>& labels = {});

}  // namespace satchel

#pragma GCC visibility pop
