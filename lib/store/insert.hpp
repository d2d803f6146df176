// SPDX-License-Identifier: MIT
#pragma once

#include "store/shared_file.hpp"
#include "store/statement.hpp"

#include <satchel/message.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace satchel::store {

/// When and in which boot a message is enqueued.
struct EnqueueTime {
  std::int64_t boot = 0;
  std::int64_t now = 0;     ///< boot clock, ms
  std::int64_t opened = 0;  ///< `Present::opened`
};

/// Writes messages as they are, on one connection, which may be the application's own: the statements name
/// the schema, because a temporary table of the application may have any name.
class Inserter {
 public:
  /// `as_select`: the INSERT gets a statement journal, so that SQLite undoes it alone, and not the caller's
  /// whole transaction, when the file is full.
  Inserter(sqlite3* database, bool as_select);

  /// Returns the new row. A message that uses none of the policies goes by a statement of its own, so that it
  /// pays for none.
  std::int64_t insert(const Message& message, const std::optional<std::int64_t>& sequence,
                      const EnqueueTime& at);

 private:
  sqlite3* database_;
  Statement plain_;
  Statement full_;
};

/// Counts the messages of those routes that want it, see `RouteOptions::sequence`.
class Sequencer {
 public:
  explicit Sequencer(sqlite3* database);

  /// The next number on the route that a message of this topic takes; nothing when that has none.
  std::optional<std::int64_t> next(std::string_view topic, SharedFile& file);
  /// Undoes the last `next` of this topic, whose message could not be written.
  void take_back(std::string_view topic, SharedFile& file);

 private:
  Statement count_;
  Statement uncount_;
};

}  // namespace satchel::store
