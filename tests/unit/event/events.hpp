// SPDX-License-Identifier: MIT
#pragma once

#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/event.hpp>
#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel {

/// Other systems are told.
struct LineStopped {
  using event_kind = IntegrationEvent;
  static constexpr std::string_view event_name = "line-stopped";
  static constexpr int event_version = 3;
  static constexpr std::string_view topic = "plant/{line}/stopped";
  static constexpr std::string_view key = "{line}-{shift}";

  std::string line;
  int shift = 0;
  double celsius = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(line), CEREAL_NVP(shift), CEREAL_NVP(celsius));
  }
  bool operator==(const LineStopped&) const = default;
};

/// As plain as an event can be.
struct Heartbeat {
  using event_kind = IntegrationEvent;
  static constexpr std::string_view event_name = "heartbeat";

  int count = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(count));
  }
};

/// Stays in the process.
struct Overheated {
  using event_kind = DomainEvent;
  static constexpr std::string_view event_name = "overheated";

  std::string line;
  double celsius = 0;
};

/// Another one.
struct Cooled {
  using event_kind = DomainEvent;
  static constexpr std::string_view event_name = "cooled";

  std::string line;
};

/// An outbox with a business table and a sink that takes everything.
struct EventBench {
  explicit EventBench(Options options = {}) : outbox{directory.path() + "/device.db", std::move(options)} {
    outbox.attach(support::EchoSink{echo});
    Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE log(text TEXT)");
    tx.commit();
  }

  static void log(Transaction& tx, const std::string& text) {
    tx.execute("INSERT INTO log(text) VALUES (?)", text);
  }

  std::vector<std::string> logged() {
    Transaction tx = outbox.begin();
    SQLite::Statement query{tx.database(), "SELECT text FROM log ORDER BY rowid"};
    std::vector<std::string> lines;
    while (query.executeStep()) lines.push_back(query.getColumn(0).getString());
    return lines;
  }

  /// All that was delivered until now.
  std::vector<Delivery> deliveries() {
    while (outbox.run_once()) {
    }
    return echo->taken();
  }

  support::TempDir directory;
  std::shared_ptr<support::Echo> echo = std::make_shared<support::Echo>();
  Outbox outbox;
};

inline std::string header_of(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "(none)";
}

}  // namespace satchel
