// SPDX-License-Identifier: MIT
#pragma once

#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <utility>

namespace outbox_test {

/// An outbox with a business table in a directory of its own.
struct Fixture {
  explicit Fixture(satchel::Options options = {})
      : outbox{directory.path() + "/device.db", std::move(options)} {
    satchel::Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE reading(number INTEGER, text TEXT, bytes BLOB)");
    tx.commit();
  }

  std::int64_t readings() {
    satchel::Transaction tx = outbox.begin();
    SQLite::Statement query{tx.database(), "SELECT count(*) FROM reading"};
    query.executeStep();
    return query.getColumn(0).getInt64();
  }

  support::TempDir directory;
  satchel::Outbox outbox;
};

}  // namespace outbox_test
