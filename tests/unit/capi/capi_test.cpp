// SPDX-License-Identifier: MIT
#include "support/echo_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.h>
#include <satchel/features.hpp>
#include <satchel/sink_url.hpp>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using support::Echo;
using support::EchoSink;
using support::TempDir;

satchel_message message(const char* topic, std::string_view payload = {}) {
  satchel_message made{};
  made.size = sizeof made;
  made.topic = topic;
  made.payload = payload.data();
  made.payload_size = payload.size();
  return made;
}

/// Events of a callback. Thread-safe.
struct Events {
  std::mutex mutex;
  std::vector<int> kinds;
  std::vector<std::string> texts;
  static void add(void* context, const satchel_event* event) {
    auto* events = static_cast<Events*>(context);
    const std::lock_guard lock{events->mutex};
    events->kinds.push_back(event->kind);
    events->texts.emplace_back(event->text);
  }
  bool has(int kind) {
    const std::lock_guard lock{mutex};
    for (const int each : kinds) {
      if (each == kind) return true;
    }
    return false;
  }
};

struct Fixture {
  Fixture() {
    satchel_options options;
    REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
    options.on_event = Events::add;
    options.event_context = &events;
    options.settle_linger_ms = 0;
    REQUIRE(satchel_open(path.c_str(), &options, &outbox) == SATCHEL_OK);
  }
  ~Fixture() { satchel_close(outbox); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  satchel_status status() {
    satchel_status now{};
    now.size = sizeof now;
    CHECK(satchel_get_status(outbox, &now) == SATCHEL_OK);
    return now;
  }
  /// Attaches a sink of the test by its URL.
  std::shared_ptr<Echo> attach(const EchoSink::Answer& answer = {}) {
    auto echo = std::make_shared<Echo>();
    satchel::register_scheme(
        "test", [=](const satchel::SinkUrl&) { return std::make_unique<EchoSink>(echo, answer); });
    CHECK(satchel_attach(outbox, "test://here") == SATCHEL_OK);
    return echo;
  }
  void run_to_the_end() {
    int worked = 1;
    while (worked == 1) REQUIRE(satchel_run_once(outbox, &worked) == SATCHEL_OK);
  }

  TempDir directory;
  std::string path = directory.path() + "/device.db";
  Events events;
  satchel_outbox* outbox = nullptr;
};

}  // namespace

TEST_CASE("C: a row and a message commit together and are delivered") {
  Fixture fixture;
  satchel_transaction* tx = nullptr;
  REQUIRE(satchel_begin(fixture.outbox, &tx) == SATCHEL_OK);
  sqlite3* database = satchel_transaction_database(tx);
  REQUIRE(database != nullptr);
  CHECK(sqlite3_exec(database, "CREATE TABLE reading(c); INSERT INTO reading VALUES (1)", nullptr, nullptr,
                     nullptr) == SQLITE_OK);
  const satchel_header header{"a", "b"};
  satchel_message sent = message("t", std::string_view{"x\0y", 3});
  sent.key = "k";
  sent.content_type = "text/plain";
  sent.headers = &header;
  sent.header_count = 1;
  sent.expires_after_ms = 60'000;
  satchel_message_id id{};
  CHECK(satchel_transaction_enqueue(tx, &sent, &id) == SATCHEL_OK);
  CHECK(satchel_commit(tx) == SATCHEL_OK);
  CHECK(id.row == 1);
  CHECK(fixture.status().pending == 1);

  const auto echo = fixture.attach();
  fixture.run_to_the_end();
  REQUIRE(echo->taken().size() == 1);
  const satchel::Delivery delivery = echo->taken()[0];
  CHECK(delivery.payload == std::string("x\0y", 3));
  CHECK(delivery.key == "k");
  CHECK(delivery.content_type == "text/plain");
  CHECK(delivery.headers == std::vector<satchel::Header>{{"a", "b"}});
  CHECK(delivery.remaining.has_value());
  char text[SATCHEL_MESSAGE_ID_TEXT];
  CHECK(satchel_message_id_to_text(&id, text, sizeof text) == SATCHEL_OK);
  CHECK(delivery.id.to_string() == text);
  satchel_message_id parsed{};
  CHECK(satchel_message_id_from_text(text, &parsed) == SATCHEL_OK);
  CHECK(std::memcmp(&parsed.identity, &id.identity, sizeof id.identity) == 0);
  CHECK(parsed.row == id.row);
  CHECK(fixture.status().delivered == 1);
  CHECK(fixture.events.has(SATCHEL_EVENT_DELIVERED));
  CHECK(fixture.events.has(SATCHEL_EVENT_SINK_UP));
  CHECK(fixture.events.has(SATCHEL_EVENT_LEADING));
}

TEST_CASE("C: a rollback leaves neither") {
  Fixture fixture;
  satchel_transaction* tx = nullptr;
  REQUIRE(satchel_begin(fixture.outbox, &tx) == SATCHEL_OK);
  const satchel_message sent = message("t");
  CHECK(satchel_transaction_enqueue(tx, &sent, nullptr) == SATCHEL_OK);
  satchel_rollback(tx);
  CHECK(fixture.status().pending == 0);
}

TEST_CASE("C: the relay thread starts and stops") {
  Fixture fixture;
  const auto echo = fixture.attach();
  CHECK(satchel_start(fixture.outbox) == SATCHEL_OK);
  CHECK(satchel_run_once(fixture.outbox, nullptr) == SATCHEL_USAGE);
  const satchel_message sent = message("t");
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
  REQUIRE(echo->wait_for(1));
  int clean = 0;
  CHECK(satchel_stop(fixture.outbox, 30'000, &clean) == SATCHEL_OK);
  CHECK(clean == 1);
  CHECK(satchel_start(fixture.outbox) == SATCHEL_USAGE);
}

TEST_CASE("C: dead letters are listed, replayed and discarded, also from the callback") {
  Fixture fixture;
  fixture.attach([](const satchel::Delivery&) { return satchel::reject("not today"); });
  for (int number = 0; number < 250; ++number) {
    const satchel_message sent = message("t", "p");
    REQUIRE(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_OK);
  }
  fixture.run_to_the_end();
  CHECK(fixture.status().dead == 250);
  CHECK(fixture.events.has(SATCHEL_EVENT_DIED));

  struct Seen {
    satchel_outbox* outbox;
    int count = 0;
    int stop_after = 1000;
    satchel_message_id last{};
    std::string error{};
    static int add(void* context, const satchel_dead_letter* letter) {
      auto* seen = static_cast<Seen*>(context);
      ++seen->count;
      seen->last = letter->id;
      seen->error = letter->last_error;
      CHECK(letter->size == sizeof *letter);
      CHECK(letter->reason == SATCHEL_DEAD_REJECTED);
      CHECK(letter->message->payload_size == 1);
      return seen->count >= seen->stop_after ? 1 : 0;
    }
    static int discard(void* context, const satchel_dead_letter* letter) {
      return satchel_discard(static_cast<Seen*>(context)->outbox, &letter->id);
    }
  };
  Seen all{fixture.outbox};
  CHECK(satchel_dead_letters(fixture.outbox, 0, 1000, Seen::add, &all) == SATCHEL_OK);
  CHECK(all.count == 250);
  CHECK(all.error == "not today");
  Seen some{fixture.outbox};
  some.stop_after = 120;
  CHECK(satchel_dead_letters(fixture.outbox, 0, 1000, Seen::add, &some) == SATCHEL_OK);
  CHECK(some.count == 120);
  Seen limited{fixture.outbox};
  CHECK(satchel_dead_letters(fixture.outbox, 10, 7, Seen::add, &limited) == SATCHEL_OK);
  CHECK(limited.count == 7);
  CHECK(limited.last.row == 17);

  CHECK(satchel_replay(fixture.outbox, &all.last) == SATCHEL_OK);
  CHECK(satchel_replay(fixture.outbox, &all.last) == SATCHEL_NOT_FOUND);
  CHECK(std::string{satchel_last_error()->problem}.find("no dead letter") != std::string::npos);
  CHECK(satchel_dead_letters(fixture.outbox, 0, 100, Seen::discard, &all) == SATCHEL_OK);
  CHECK(fixture.status().dead == 149);
  uint64_t count = 0;
  CHECK(satchel_replay_all(fixture.outbox, &count) == SATCHEL_OK);
  CHECK(count == 149);
}

TEST_CASE("C: errors come with code, operation, problem and hint, one for each thread") {
  std::thread{[] {
    CHECK(satchel_last_error()->code == SATCHEL_OK);
    CHECK(std::string{satchel_last_error()->text}.empty());
  }}.join();
  Fixture fixture;
  const satchel_message wrong = message("a/#");
  CHECK(satchel_enqueue(fixture.outbox, &wrong, nullptr) == SATCHEL_INVALID_MESSAGE);
  const satchel_error* error = satchel_last_error();
  CHECK(error->size == sizeof *error);
  CHECK(error->code == SATCHEL_INVALID_MESSAGE);
  CHECK(std::string{error->operation} == "enqueue");
  CHECK(std::string{error->problem}.find("a/#") != std::string::npos);
  CHECK_FALSE(std::string{error->hint}.empty());
  CHECK(std::string{error->text}.find(error->problem) != std::string::npos);

  satchel_outbox* none = nullptr;
  CHECK(satchel_open("/nowhere/at/all/device.db", nullptr, &none) == SATCHEL_CANNOT_OPEN);
  CHECK(none == nullptr);
  CHECK(satchel_attach(fixture.outbox, "gopher://here") == SATCHEL_INVALID_OPTION);
  CHECK(std::string{satchel_version()} == SATCHEL_VERSION);
}

TEST_CASE("C: another connection's lock is BUSY") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_options options;
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  options.busy_timeout_ms = 0;
  satchel_outbox* outbox = nullptr;
  REQUIRE(satchel_open(path.c_str(), &options, &outbox) == SATCHEL_OK);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  satchel_transaction* tx = nullptr;
  CHECK(satchel_begin(outbox, &tx) == SATCHEL_BUSY);
  CHECK(tx == nullptr);
  CHECK(satchel_last_error()->system_code != 0);
  sqlite3_close(other);
  satchel_close(outbox);
}

TEST_CASE("C: null pointers are answered") {
  Fixture fixture;
  const satchel_message sent = message("t");
  satchel_message_id id{};
  satchel_outbox* none = nullptr;
  CHECK(satchel_open(nullptr, nullptr, &none) == SATCHEL_USAGE);
  CHECK(satchel_open("x", nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_begin(nullptr, nullptr) == SATCHEL_USAGE);
  satchel_transaction* tx = nullptr;
  CHECK(satchel_begin(nullptr, &tx) == SATCHEL_USAGE);
  CHECK(satchel_transaction_database(nullptr) == nullptr);
  CHECK(satchel_transaction_enqueue(nullptr, &sent, &id) == SATCHEL_USAGE);
  CHECK(satchel_commit(nullptr) == SATCHEL_USAGE);
  satchel_rollback(nullptr);
  satchel_close(nullptr);
  CHECK(satchel_enqueue(nullptr, &sent, &id) == SATCHEL_USAGE);
  CHECK(satchel_attach(nullptr, "mqtt://x") == SATCHEL_USAGE);
  CHECK(satchel_start(nullptr) == SATCHEL_USAGE);
  CHECK(satchel_stop(nullptr, 0, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_run_once(nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_get_status(nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_dead_letters(nullptr, 0, 1, nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_replay(nullptr, &id) == SATCHEL_USAGE);
  CHECK(satchel_discard(nullptr, &id) == SATCHEL_USAGE);
  CHECK(satchel_replay_all(nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_options_init(nullptr, sizeof(satchel_options)) == SATCHEL_USAGE);
  CHECK(satchel_message_id_to_text(nullptr, nullptr, 0) == SATCHEL_USAGE);
  CHECK(satchel_message_id_from_text(nullptr, &id) == SATCHEL_USAGE);
  CHECK(satchel_message_id_from_text("nonsense", &id) == SATCHEL_USAGE);
}

TEST_CASE("C: null pointers inside of what is passed are answered") {
  Fixture fixture;
  CHECK(satchel_enqueue(fixture.outbox, nullptr, nullptr) == SATCHEL_USAGE);
  satchel_message sent = message(nullptr);
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_INVALID_MESSAGE);
  sent = message("t");
  sent.payload_size = 3;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);
  sent = message("t");
  sent.header_count = 1;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);
  const satchel_header header{"a", nullptr};
  sent.headers = &header;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_attach(fixture.outbox, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_get_status(fixture.outbox, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_dead_letters(fixture.outbox, 0, 1, nullptr, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_replay(fixture.outbox, nullptr) == SATCHEL_USAGE);
  const satchel_message_id id{};
  char text[10];
  CHECK(satchel_message_id_to_text(&id, text, sizeof text) == SATCHEL_USAGE);
  CHECK(fixture.status().pending == 0);
}

TEST_CASE("C: a structure of a wrong size is refused, one of a newer header is read as far as it is known") {
  Fixture fixture;
  satchel_message sent = message("t");
  sent.size = 0;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);
  sent.size = sizeof sent - 1;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);
  sent.size = SIZE_MAX;
  CHECK(satchel_enqueue(fixture.outbox, &sent, nullptr) == SATCHEL_USAGE);

  struct Newer {
    satchel_message known;
    int64_t unknown;
  };
  Newer newer{message("t"), 0};
  newer.known.size = sizeof newer;
  CHECK(satchel_enqueue(fixture.outbox, &newer.known, nullptr) == SATCHEL_OK);
  newer.unknown = 1;
  CHECK(satchel_enqueue(fixture.outbox, &newer.known, nullptr) == SATCHEL_USAGE);
  CHECK(fixture.status().pending == 1);

  satchel_status status{};
  CHECK(satchel_get_status(fixture.outbox, &status) == SATCHEL_USAGE);
  struct NewerStatus {
    satchel_status known;
    std::array<int64_t, 2> unknown;
  };
  NewerStatus larger;
  std::memset(static_cast<void*>(&larger), 0xFF, sizeof larger);
  larger.known.size = sizeof larger;
  CHECK(satchel_get_status(fixture.outbox, &larger.known) == SATCHEL_OK);
  CHECK(larger.known.size == sizeof larger);
  CHECK(larger.unknown == std::array<int64_t, 2>{0, 0});
  satchel_options options;
  CHECK(satchel_options_init(&options, 3) == SATCHEL_USAGE);
  std::memset(&options, 0, sizeof options);
  satchel_outbox* none = nullptr;
  CHECK(satchel_open("x", &options, &none) == SATCHEL_USAGE);
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  options.max_attempts = int64_t{1} << 40;
  CHECK(satchel_open("x", &options, &none) == SATCHEL_INVALID_OPTION);
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  options.durability = 7;
  CHECK(satchel_open("x", &options, &none) == SATCHEL_INVALID_OPTION);
  REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
  options.window = 0;
  CHECK(satchel_open("x", &options, &none) == SATCHEL_INVALID_OPTION);
}

TEST_CASE("C: a number that is too large for a size is not taken for its remainder") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_outbox* none = nullptr;
  for (const auto field : {&satchel_options::window, &satchel_options::max_payload_bytes,
                           &satchel_options::batch_size, &satchel_options::page_size}) {
    satchel_options options;
    REQUIRE(satchel_options_init(&options, sizeof options) == SATCHEL_OK);
    options.*field += uint64_t{1} << 32;
    CHECK(satchel_open(path.c_str(), &options, &none) == SATCHEL_INVALID_OPTION);
  }
}

TEST_CASE("C: a handle that is closed is answered, whatever became of its memory") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_outbox* outbox = nullptr;
  REQUIRE(satchel_open(path.c_str(), nullptr, &outbox) == SATCHEL_OK);
  satchel_outbox* again = outbox;
  satchel_close(outbox);
  satchel_close(again);
  const satchel_message sent = message("t");
  CHECK(satchel_enqueue(again, &sent, nullptr) == SATCHEL_USAGE);
  satchel_outbox* other = nullptr;
  REQUIRE(satchel_open(path.c_str(), nullptr, &other) == SATCHEL_OK);
  CHECK(other != again);
  CHECK(satchel_enqueue(again, &sent, nullptr) == SATCHEL_USAGE);

  satchel_transaction* tx = nullptr;
  satchel_transaction* second = nullptr;
  REQUIRE(satchel_begin(other, &tx) == SATCHEL_OK);
  CHECK(satchel_begin(other, &second) == SATCHEL_USAGE);
  CHECK(second == nullptr);
  satchel_rollback(tx);
  satchel_close(other);
}

TEST_CASE("C: a transaction is over after commit and rollback, and outlives its outbox") {
  const TempDir directory;
  const std::string path = directory.path() + "/device.db";
  satchel_outbox* outbox = nullptr;
  REQUIRE(satchel_open(path.c_str(), nullptr, &outbox) == SATCHEL_OK);
  const satchel_message sent = message("t");
  satchel_transaction* tx = nullptr;
  REQUIRE(satchel_begin(outbox, &tx) == SATCHEL_OK);
  CHECK(satchel_commit(tx) == SATCHEL_OK);
  CHECK(satchel_commit(tx) == SATCHEL_USAGE);
  CHECK(satchel_transaction_enqueue(tx, &sent, nullptr) == SATCHEL_USAGE);
  CHECK(satchel_transaction_database(tx) == nullptr);
  satchel_rollback(tx);
  REQUIRE(satchel_begin(outbox, &tx) == SATCHEL_OK);
  satchel_close(outbox);
  CHECK(satchel_transaction_enqueue(tx, &sent, nullptr) == SATCHEL_OK);
  CHECK(satchel_commit(tx) == SATCHEL_OK);
}

TEST_CASE("C: a transaction belongs to its thread") {
  Fixture fixture;
  satchel_transaction* tx = nullptr;
  REQUIRE(satchel_begin(fixture.outbox, &tx) == SATCHEL_OK);
  std::thread{[&] {
    const satchel_message sent = message("t");
    CHECK(satchel_transaction_enqueue(tx, &sent, nullptr) == SATCHEL_USAGE);
    CHECK(satchel_transaction_database(tx) == nullptr);
    CHECK(satchel_commit(tx) == SATCHEL_USAGE);
    satchel_rollback(tx);
  }}.join();
  CHECK(satchel_commit(tx) == SATCHEL_OK);
}
