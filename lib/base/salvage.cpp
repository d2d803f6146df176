// SPDX-License-Identifier: MIT
#include <satchel/salvage.hpp>

#include <fmt/format.h>

namespace satchel {

std::string SalvageReport::summary() const {
  std::string text = fmt::format(
      "the file was damaged ({}) and is kept as {}; {} pending messages and {} dead letters are safe, ",
      problem, kept_as, pending, dead);
  if (messages_whole) {
    text += "no message is lost";
  } else {
    text += fmt::format("at most {} messages{} may be lost", unread_ids,
                        end_unread ? " and an unknown number of newer ones" : "");
  }
  for (const SalvagedTable& table : tables) {
    if (!table.whole)
      text += fmt::format("; of table {} {} rows could be read ({})", table.name, table.rows, table.problem);
  }
  for (const std::string& object : left_out) text += "; left out: " + object;
  return text;
}

}  // namespace satchel
