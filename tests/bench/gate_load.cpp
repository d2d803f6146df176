// SPDX-License-Identifier: MIT
//
// The hot path, for the regression gate: gate-load enqueue|drain|live|mqtt|statements MESSAGES [PORT]. Prints
// what it counted for all messages as `name value` lines; `statements` prints each statement that the library
// runs. On a clock that stands still, so that every run does the same.
#include "bench/allocations.hpp"
#include "bench/gate_marks.hpp"
#include "bench/outboxes.hpp"
#include "support/fault_vfs.hpp"
#include "support/temp_dir.hpp"

#include <satchel/testing/manual_clock.hpp>

#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>

namespace {

const std::string kPayload(100, 'x');

struct Life {
  support::TempDir directory;
  support::FaultVfs vfs;
  std::shared_ptr<satchel::testing::ManualClock> clock = std::make_shared<satchel::testing::ManualClock>();
  std::shared_ptr<bench::Count> count = std::make_shared<bench::Count>();

  satchel::Options options(bool real_time = false) const {
    satchel::Options options;
    options.vfs = vfs.name();
    if (!real_time) options.clock = clock;
    options.observer = count;
    return options;
  }
  std::string path() const { return directory.path() + "/gate.db"; }
};

}  // namespace

// Named for callgrind, which counts what happens inside it.
extern "C" [[gnu::noinline]] void gate_counted_part(const std::function<void()>& work) { work(); }

namespace {

/// Runs `work` between two marks and prints what it took.
void counted(const Life& life, const std::function<void()>& work) {
  const support::Traffic before = life.vfs.traffic();
  const std::uint64_t allocations = bench::allocations();
  bench::mark();
  gate_counted_part(work);
  bench::mark();
  const support::Traffic after = life.vfs.traffic();
  std::printf("allocations %llu\n", static_cast<unsigned long long>(bench::allocations() - allocations));
  std::printf("bytes %llu\n", static_cast<unsigned long long>(after.bytes_written - before.bytes_written));
  std::printf("syncs %llu\n", static_cast<unsigned long long>(after.syncs - before.syncs));
}

void one_each(satchel::Outbox& outbox, std::size_t messages) {
  const satchel::Message message{.topic = "plant/boiler/temperature", .payload = kPayload};
  for (std::size_t i = 0; i < messages; ++i) {
    auto tx = outbox.begin();
    tx.enqueue(message);
    tx.commit();
  }
}

void enqueue(std::size_t messages) {
  const Life life;
  satchel::Outbox outbox{life.path(), life.options()};
  one_each(outbox, 100);
  counted(life, [&] { one_each(outbox, messages); });
}

void drain(std::size_t messages) {
  const Life life;
  satchel::Outbox outbox{life.path(), life.options()};
  constexpr std::size_t kWarm = 200;
  bench::enqueue(outbox, messages + kWarm, kPayload, 1000, "plant/boiler/temperature");
  outbox.attach(bench::NullSink{});
  while (life.count->count() < kWarm) outbox.run_once();
  counted(life, [&] {
    while (outbox.run_once()) {
    }
  });
  if (life.count->count() != messages + kWarm) throw std::runtime_error{"not everything was delivered"};
}

/// Each message is on its way before the next one is enqueued: nothing is shared by many.
void live(std::size_t messages) {
  const Life life;
  satchel::Outbox outbox{life.path(), life.options()};
  outbox.attach(bench::NullSink{});
  const auto run = [&](std::size_t count) {
    for (; count > 0; --count) {
      one_each(outbox, 1);
      while (outbox.run_once()) {
      }
      // Longer than acknowledgements wait for company.
      life.clock->advance(std::chrono::milliseconds{100});
      while (outbox.run_once()) {
      }
    }
  };
  run(100);
  counted(life, [&] { run(messages); });
}

#if SATCHEL_HAVE_MQTT
/// A backlog through libmosquitto, with the relay's thread and the sink's.
void mqtt(std::size_t messages, std::uint16_t port) {
  const Life life;
  satchel::Outbox outbox{life.path(), life.options(true)};
  bench::enqueue(outbox, messages, kPayload, 1000, "plant/boiler/temperature");
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = port}});
  counted(life, [&] {
    outbox.start();
    life.count->wait(messages);
  });
  outbox.stop(std::chrono::seconds{10});
}
#endif

// ---- statements ----

std::map<std::string, std::uint64_t>& steps_by_statement() {
  static std::map<std::string, std::uint64_t> instance;
  return instance;
}

int on_statement(unsigned, void*, void* statement, void*) {
  auto* const prepared = static_cast<sqlite3_stmt*>(statement);
  if (const char* sql = sqlite3_sql(prepared))
    steps_by_statement()[sql] +=
        static_cast<std::uint64_t>(sqlite3_stmt_status(prepared, SQLITE_STMTSTATUS_VM_STEP, 1));
  return 0;
}

int watch_connection(sqlite3* connection, const char**, const sqlite3_api_routines*) {
  return sqlite3_trace_v2(connection, SQLITE_TRACE_PROFILE, on_statement, nullptr);
}

/// Rejects every third message once and keeps the rest waiting for nothing.
class Moody final : public satchel::Sink {
 public:
  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (const satchel::Delivery& one : batch) {
      const bool again = one.attempts == 0 && one.id.row % 3 == 0;
      receipts.push_back(one.id.row % 5 == 0 ? satchel::reject("no")
                         : again             ? satchel::retry("later")
                                             : satchel::delivered());
      receipts.back().claim = one.claim;
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return 100; }
  std::string name() const override { return "moody"; }

 private:
  satchel::SinkEvents* events_ = nullptr;
};

/// All policies at once, on a file that is full most of the time: priorities, delays, expiry, coalescing,
/// routes with numbers and an order of their own, announcements.
void by_policy(const Life& life, const satchel::Quota& quota, std::size_t messages) {
  satchel::Options options = life.options();
  options.quota = quota;
  options.quota.messages = messages / 2;
  options.announce_topic = "drops";
  satchel::Outbox outbox{life.path(), options};
  outbox.attach(Moody{}, {.name = "alarm", .topics = {"alarm/#"}, .drain = satchel::Drain::newest_first});
  outbox.attach(Moody{}, {.name = "modem", .topics = {"modem/#"}, .sequence = true, .paused = true});
  outbox.attach(Moody{}, {.drain = satchel::Drain::interleaved});
  for (std::size_t i = 0; i < messages * 3; ++i) {
    satchel::Message message{.topic = "plant/boiler/temperature", .payload = kPayload};
    if (i % 3 == 0) message.topic = i % 2 == 0 ? "alarm/1" : "modem/1";
    if (i % 4 == 1) message.priority = i % 8 == 1 ? satchel::Priority::urgent : satchel::Priority::bulk;
    if (i % 5 == 0) message.expires_after = std::chrono::hours{1};
    if (i % 7 == 0) message.not_before = std::chrono::minutes{10};
    if (i % 6 == 0) message.key = "key-" + std::to_string(i % 4);
    message.coalesce = i % 12 == 0;
    outbox.enqueue(message);
    if (i % messages == 0) life.clock->advance(std::chrono::hours{2});
    if (i % 20 == 0) outbox.run_once();
  }
  for (int hour = 0; hour < 3; ++hour) {
    while (outbox.run_once()) {
    }
    life.clock->advance(std::chrono::hours{1});
  }
  outbox.resume("modem");
  while (outbox.run_once()) {
  }
  outbox.stop(std::chrono::seconds{1});
}

/// Everything that an outbox does to its file, once and more.
void statements(std::size_t messages) {
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(watch_connection));
  const Life life;
  by_policy(life, {.when_full = satchel::WhenFull::drop_oldest}, messages);
  {
    satchel::Outbox outbox{life.path(), life.options()};
    outbox.attach(Moody{});
    for (std::size_t i = 0; i < messages; ++i) {
      satchel::Message message{.topic = "plant/boiler/temperature", .payload = kPayload};
      if (i % 2 == 0) message.key = "key-" + std::to_string(i % 6);
      if (i % 7 == 0) message.expires_after = std::chrono::milliseconds{1};
      outbox.enqueue(message);
    }
    life.clock->advance(std::chrono::seconds{1});
    for (int hour = 0; hour < 10; ++hour) {
      while (outbox.run_once()) {
      }
      life.clock->advance(std::chrono::hours{1});
    }
    outbox.status();
    for (const satchel::DeadLetter& letter : outbox.dead_letters(2)) outbox.replay(letter.id);
    for (const satchel::DeadLetter& letter : outbox.dead_letters(1)) outbox.discard(letter.id);
    outbox.replay_all();
    while (outbox.run_once()) {
    }
    outbox.stop(std::chrono::seconds{1});
  }
  // The counts come last, and stay for those who ask how SQLite goes about them.
  by_policy(life, {.when_full = satchel::WhenFull::drop_lowest, .exact = true}, messages);
  // Whoever asks how SQLite goes about them needs the tables.
  sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(watch_connection));
  sqlite3* database = nullptr;
  if (sqlite3_open(life.path().c_str(), &database) != SQLITE_OK)
    throw std::runtime_error{"cannot open the file"};
  for (const auto& [sql, steps] : steps_by_statement()) {
    std::string line = sql;
    for (char& letter : line) letter = letter == '\n' ? ' ' : letter;
    std::printf("statement %llu %s\n", static_cast<unsigned long long>(steps), line.c_str());
    sqlite3_stmt* plan = nullptr;
    if (sqlite3_prepare_v2(database, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &plan, nullptr) != SQLITE_OK)
      continue;
    while (sqlite3_step(plan) == SQLITE_ROW)
      std::printf("plan %s\n", reinterpret_cast<const char*>(sqlite3_column_text(plan, 3)));
    sqlite3_finalize(plan);
  }
  sqlite3_close(database);
}

}  // namespace

int main(int count, char** words) {
  try {
    const std::string role = count > 1 ? words[1] : "";
    const std::size_t messages = count > 2 ? std::stoul(words[2]) : 0;
    if (role == "enqueue") {
      enqueue(messages);
    } else if (role == "drain") {
      drain(messages);
    } else if (role == "live") {
      live(messages);
#if SATCHEL_HAVE_MQTT
    } else if (role == "mqtt" && count > 3) {
      mqtt(messages, static_cast<std::uint16_t>(std::stoul(words[3])));
#endif
    } else if (role == "statements") {
      statements(messages);
    } else {
      throw std::runtime_error{"usage: gate-load enqueue|drain|live|mqtt|statements MESSAGES [PORT]"};
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "failed: %s\n", problem.what());
    return EXIT_FAILURE;
  }
}
