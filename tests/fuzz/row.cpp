// SPDX-License-Identifier: MIT
//
// A message row of any content, as a hostile file, another program or another version may hold it: it goes to
// the sink as it is, or becomes a dead letter or expires, and what comes behind it goes its way.
//
// Input: for each column a byte for the kind of value and the value. The table's checks are switched off.
#include "answering_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace {

void demand(bool condition, const std::string& what) {
  if (condition) return;
  std::cerr << what << "\n";
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{reinterpret_cast<const char*>(data), size} {}
  unsigned byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<unsigned char>(one[0]);
  }
  std::string text() {
    const unsigned size = byte();
    // The long kind costs the fuzzer no bytes.
    if (size >= 0xF0) return std::string(std::size_t{1} << (size & 0xFU), 'x');
    return std::string{take(size)};
  }
  std::int64_t number() {
    std::int64_t value = 0;
    const std::string_view bytes = take(byte() % 9);
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

 private:
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest_;
};

void bind(SQLite::Statement& statement, int column, Input& input) {
  switch (input.byte() % 5) {
    case 0:
      statement.bind(column);
      break;
    case 1:
      statement.bind(column, input.number());
      break;
    case 2:
      statement.bind(column, input.text());
      break;
    case 3: {
      const std::string bytes = input.text();
      statement.bind(column, bytes.data(), static_cast<int>(bytes.size()));
      break;
    }
    default: {
      const auto number = static_cast<double>(input.number());
      statement.bind(column, number / 16.0);
    }
  }
}

/// One outbox for all inputs: to open one costs more than all else.
struct Bench {
  Bench() : directory(support::TempDir::Where::memory) {
    satchel::Options options;
    options.max_attempts = 2;
    options.retry_backoff = {.base = std::chrono::milliseconds{1}, .cap = std::chrono::milliseconds{1}};
    options.settle_linger = std::chrono::milliseconds{0};
    options.durability = satchel::Durability::relaxed;
    outbox = std::make_unique<satchel::Outbox>(directory.path() + "/device.db", options);
    outbox->attach(std::make_unique<fuzz::AnsweringSink>(notes));
    auto tx = outbox->begin();
    tx.execute("PRAGMA ignore_check_constraints = 1");
  }
  bool insert(Input& input) {
    constexpr std::array<const char*, 3> kInserts{
        "INSERT INTO satchel_message(topic, payload, key, content_type, headers, boot, created, ttl) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        "INSERT INTO satchel_message(topic, payload, headers, priority, delay, ttl) VALUES (?, ?, ?, ?, ?, "
        "?)",
        "INSERT INTO satchel_dead(topic, payload, key, headers, reason, attempts, first_error, died_boot, "
        "died, "
        "created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
    const char* sql = kInserts[input.byte() % kInserts.size()];
    auto tx = outbox->begin();
    SQLite::Statement statement{tx.database(), sql};
    for (int column = 1; column <= statement.getBindParameterCount(); ++column)
      bind(statement, column, input);
    try {
      statement.exec();
    } catch (const SQLite::Exception&) {
      return false;  // a type that the column does not take
    }
    tx.commit();
    return true;
  }
  support::TempDir directory;
  fuzz::AnsweringSink::Notes notes;
  std::unique_ptr<satchel::Outbox> outbox;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bench bench;
  satchel::Outbox& outbox = *bench.outbox;
  Input input{data, size};
  bench.notes.turn = input.byte();
  if (!bench.insert(input)) return 0;
  outbox.enqueue({.topic = "behind", .payload = "it"});
  int rounds = 0;
  while (outbox.status().pending > 0 && ++rounds < 1000) {
    outbox.run_once();
    demand(!outbox.status().failure, outbox.status().failure ? outbox.status().failure->problem : "");
  }
  const bool arrived = std::any_of(bench.notes.taken.begin(), bench.notes.taken.end(),
                                   [](const satchel::Delivery& each) { return each.topic == "behind"; });
  demand(arrived, "what stood behind the row was not sent");
  bench.notes.taken.clear();
  for (const satchel::DeadLetter& dead : outbox.dead_letters()) static_cast<void>(dead);
  outbox.replay_all();
  auto tx = outbox.begin();
  tx.execute("DELETE FROM satchel_message");
  tx.execute("DELETE FROM satchel_attempt");
  tx.execute("DELETE FROM satchel_dead");
  tx.commit();
  return 0;
}
