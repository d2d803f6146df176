// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/transfer.hpp"

#include <satchel/clock.hpp>
#include <satchel/http.hpp>

namespace satchel::http {

/// How a request ended, and what else is to be done about it.
struct Outcome {
  /// For each message of the request; its `claim` is not set.
  Receipt receipt;
  /// One message of the batch is the cause, or their number: send halves instead of answering.
  bool split = false;
  /// This connection is of no use for that host.
  bool fresh_connection = false;
  /// No answer came in time: the open connections may all lead nowhere.
  bool silent = false;
  /// Credentials may have been replaced in the meantime.
  bool credentials_refused = false;
};

/// Puts what libcurl and the server said through the table of verdicts.
Outcome judge(const Transfer& transfer, CURLcode result, const HttpOptions& options, const Clock& clock);

}  // namespace satchel::http
