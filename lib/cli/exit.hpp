// SPDX-License-Identifier: MIT
#pragma once

namespace satchel::cli {

/// How the program ends; the manual page has the same list.
enum Exit : int {
  kDone = 0,       ///< done, and all is well
  kAttention = 1,  ///< done, and something needs somebody: see what was printed
  kUsage = 2,      ///< the command line cannot be understood, or an option is out of its range
  kFile = 3,       ///< the file cannot be used: missing, no outbox, no rights, too new, damaged
  kStorage = 4,    ///< reading or writing failed: occupied, full, input or output error
  kRefused = 5,    ///< the message was refused: not valid, or beyond the quota
};

}  // namespace satchel::cli
