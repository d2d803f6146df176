// SPDX-License-Identifier: MIT
#pragma once

#include "store/connection.hpp"
#include "store/identity.hpp"
#include "store/store.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace satchel::store {

/// The connection of the application's transactions with its statements. Used by the holder of the gate only.
struct Store::Writer {
  Writer(std::unique_ptr<Connection> opened, bool with_quota)
      : connection{std::move(opened)},
        // With a quota the INSERT can fill the file. Written as a SELECT it gets a statement journal, so that
        // SQLite undoes this statement alone and not the caller's whole transaction.
        insert{connection->database(), with_quota ? kInsertSelect : kInsertValues},
        touch{connection->database(), kTouch} {}

  static constexpr const char* kInsertValues =
      "INSERT INTO satchel_message(topic, payload, key, content_type, headers, boot, created, ttl)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
  static constexpr const char* kInsertSelect =
      "INSERT INTO satchel_message(topic, payload, key, content_type, headers, boot, created, ttl)"
      " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE true";

  std::unique_ptr<Connection> connection;
  Statement insert;
  Statement touch;
  std::vector<IdentityRange> ranges;
  std::int64_t ranges_version = -1;
};

}  // namespace satchel::store
