// SPDX-License-Identifier: MIT
#pragma once

#include "terminal.hpp"

#include <satchel/inspect.hpp>

#include <string>
#include <vector>

namespace satchel::cli {

/// Something that needs somebody, and what to do about it.
struct Advice {
  std::string problem;
  std::string action;
  bool grave = true;  ///< otherwise it may mend itself
};

/// What in a report needs somebody. `file`: as the user has named it.
std::vector<Advice> advice_on(const FileReport& report, const std::string& file);

/// The same of a relay, and of what holds its routes back.
std::vector<Advice> advice_on(const RelayReport& relay);

/// What a line begins with.
inline Span label(const std::string& name) {
  return {name + std::string(name.size() < 9 ? 9 - name.size() : 0, ' '), Look::faint};
}

/// The report as lines of text.
std::vector<Line> page_of(const FileReport& report, const std::string& file);

/// One line each: what waits, and how relay and sinks are.
Line backlog_line(const FileReport& report);
std::vector<Line> relay_lines(const RelayReport& relay);
/// What the relay has done since it was started, and what is left of quota and flash.
std::vector<Line> work_lines(const RelayReport& relay);

}  // namespace satchel::cli
