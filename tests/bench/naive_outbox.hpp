// SPDX-License-Identifier: MIT
#pragma once

#include "bench/bare_database.hpp"
#include "bench/bare_publisher.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// The outbox that everybody writes first: random keys, a state column with an index; the relay polls, claims
/// a message by an update, publishes it alone, and marks it by another update.
class NaiveOutbox {
 public:
  NaiveOutbox(const std::string& path, const BareDatabase::Setup& setup) : database_{path, setup} {
    database_.run(
        "CREATE TABLE outbox(id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, state INTEGER "
        "NOT "
        "NULL DEFAULT 0, created INTEGER NOT NULL)");
    database_.run("CREATE INDEX outbox_state ON outbox(state, created)");
  }

  void enqueue(std::size_t messages, const std::string& payload) {
    BareStatement insert{database_,
                         "INSERT INTO outbox(id, topic, payload, created) VALUES (?, 'bench', ?, ?)"};
    database_.run("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < messages; ++i) {
      const std::string id = random_id();
      insert.text(1, id).text(2, payload).integer(3, ++created_).run();
    }
    database_.run("COMMIT");
  }

  /// Until nothing waits.
  void drain(BarePublisher& publisher) {
    BareStatement poll{database_,
                       "SELECT id, payload FROM outbox WHERE state = 0 ORDER BY created LIMIT 100"};
    BareStatement claim{database_, "UPDATE outbox SET state = 1 WHERE id = ? AND state = 0"};
    BareStatement mark{database_, "UPDATE outbox SET state = 2 WHERE id = ?"};
    for (;;) {
      std::vector<std::pair<std::string, std::string>> batch;
      while (poll.step()) batch.emplace_back(poll.column(0), poll.column(1));
      poll.reset();
      if (batch.empty()) return;
      for (const auto& [id, payload] : batch) {
        claim.text(1, id).run();
        publisher.exchange(payload);
        mark.text(1, id).run();
      }
    }
  }

 private:
  std::string random_id() {
    char text[37];
    const std::uint64_t high = random_();
    const std::uint64_t low = random_();
    std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32U),
                  static_cast<unsigned>(high >> 16U & 0xFFFFU), static_cast<unsigned>(high & 0xFFFFU),
                  static_cast<unsigned>(low >> 48U),
                  static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFULL));
    return text;
  }

  BareDatabase database_;
  std::mt19937_64 random_{7};
  std::int64_t created_ = 0;
};

}  // namespace bench
