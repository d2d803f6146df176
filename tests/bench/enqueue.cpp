// SPDX-License-Identifier: MIT
//
// What it costs an application to enqueue: its business transaction on bare SQLite, the same on satchel, and
// the same with a message.
#include "bench/bare_database.hpp"
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/fault_vfs.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>

namespace {

using bench::Figures;
using bench::Meter;
using support::FaultVfs;
using support::TempDir;

/// The log starts anew at this size, with satchel and without: growing a file is slower than writing over it,
/// so each measurement begins after the first time.
constexpr std::size_t kLogBytes = 1 << 20;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kRowBytes = 20;
constexpr const char* kTable = "CREATE TABLE reading(id INTEGER PRIMARY KEY, sensor TEXT, celsius REAL)";
constexpr const char* kInsert = "INSERT INTO reading(sensor, celsius) VALUES (?, ?)";
constexpr const char* kTopic = "plant/boiler/temperature";
/// The least that an outbox can write: what SQLite alone needs for the same.
constexpr const char* kBareTable = "CREATE TABLE outbox(id INTEGER PRIMARY KEY, topic TEXT, payload TEXT)";
constexpr const char* kBareInsert = "INSERT INTO outbox(topic, payload) VALUES (?, ?)";

struct Load {
  std::size_t messages = 1;  ///< rows, and messages, of a transaction
  std::size_t bytes = 100;
  bool full = true;
  int threads = 1;
};

/// Runs `transaction`, which writes about so many bytes, on each thread for a while and counts.
template <class Make>
Figures run(const bench::Program& program, const Load& load, const FaultVfs& vfs, std::size_t bytes,
            Make&& make) {
  make(0)((kLogBytes * 3 / kPage / 2 + 50) / std::max<std::size_t>(bytes / kPage, 1) + 1);
  const auto time = std::chrono::milliseconds{program.sized(1000, 120)};
  const support::Traffic before = vfs.traffic();
  std::atomic<std::uint64_t> commits{0};
  const Meter meter;
  const auto until = std::chrono::steady_clock::now() + time;
  const auto work = [&](int number) {
    auto transaction = make(number);
    std::uint64_t mine = 0;
    while (std::chrono::steady_clock::now() < until) {
      transaction(1);
      ++mine;
    }
    commits += mine;
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < load.threads; ++i) threads.emplace_back(work, i);
  work(0);
  for (std::thread& thread : threads) thread.join();
  const auto done = static_cast<double>(commits.load());
  Figures figures = meter.each(done);
  const support::Traffic after = vfs.traffic();
  figures.emplace_back("bytes", static_cast<double>(after.bytes_written - before.bytes_written) / done);
  figures.emplace_back("syncs", static_cast<double>(after.syncs - before.syncs) / done);
  return figures;
}

Figures bare(const bench::Program& program, const Load& load, bool with_message) {
  const TempDir directory;
  const FaultVfs vfs;
  const std::string path = directory.path() + "/bare.db";
  const bench::BareDatabase::Setup setup{load.full, vfs.name(), static_cast<int>(kLogBytes / kPage)};
  bench::BareDatabase{path, setup}.run(kTable);
  bench::BareDatabase{path, setup}.run(kBareTable);
  // The last connection to close would truncate the log.
  const bench::BareDatabase keeper{path, setup};
  const std::string payload(load.bytes, 'x');
  const std::size_t bytes = load.messages * (kRowBytes + (with_message ? load.bytes : 0));
  return run(program, load, vfs, bytes, [&](int) {
    auto database = std::make_shared<bench::BareDatabase>(path, setup);
    auto insert = std::make_shared<bench::BareStatement>(*database, kInsert);
    auto message = std::make_shared<bench::BareStatement>(*database, kBareInsert);
    return [&, with_message, database, insert, message](std::size_t times) {
      for (; times > 0; --times) {
        database->run("BEGIN IMMEDIATE");
        for (std::size_t i = 0; i < load.messages; ++i) {
          insert->text(1, "boiler").real(2, 71.5).run();
          if (with_message) message->text(1, kTopic).text(2, payload).run();
        }
        database->run("COMMIT");
      }
    };
  });
}

Figures satchel_outbox(const bench::Program& program, const Load& load, bool with_message) {
  const TempDir directory;
  const FaultVfs vfs;
  satchel::Options options;
  options.vfs = vfs.name();
  options.durability = load.full ? satchel::Durability::full : satchel::Durability::relaxed;
  options.checkpoint_bytes = options.max_wal_bytes = kLogBytes;
  satchel::Outbox outbox{directory.path() + "/outbox.db", options};
  {
    auto tx = outbox.begin();
    tx.execute(kTable);
    tx.commit();
  }
  const std::string payload(load.bytes, 'x');
  const std::size_t bytes = load.messages * (kRowBytes + (with_message ? load.bytes : 0));
  return run(program, load, vfs, bytes, [&](int) {
    return [&](std::size_t times) {
      for (; times > 0; --times) {
        auto tx = outbox.begin();
        for (std::size_t i = 0; i < load.messages; ++i) {
          tx.execute(kInsert, "boiler", 71.5);
          if (with_message) tx.enqueue({.topic = kTopic, .payload = payload});
        }
        tx.commit();
      }
    };
  });
}

std::string name_of(const Load& load) {
  return bench::size_name(load.bytes) + ", " + std::to_string(load.messages) + " a transaction, " +
         (load.full ? "full" : "relaxed") +
         (load.threads > 1 ? ", " + std::to_string(load.threads) + " threads" : "");
}

void compare(const bench::Program& program, const Load& load) {
  const std::vector<bench::Variant> variants{
      {"bare SQLite", [&] { return bare(program, load, false); }},
      {"bare SQLite, with a table of messages", [&] { return bare(program, load, true); }},
      {"satchel, no message", [&] { return satchel_outbox(program, load, false); }},
      {"satchel", [&] { return satchel_outbox(program, load, true); }}};
  const bool budgeted = load.messages == 1 && load.bytes == 100 && load.threads == 1;
  if (budgeted && load.full) {
    program.row(name_of(load), variants,
                {{"satchel", "rate", "bare SQLite", 1 / 1.15}, {"satchel", "bytes", "", 0, 9300}});
  } else if (budgeted) {
    program.row(name_of(load), variants, {{"satchel", "cpu_us", "bare SQLite", 0, 1.6}});
  } else {
    program.row(name_of(load), variants);
  }
}

std::vector<Load> all_loads() {
  std::vector<Load> loads;
  for (const bool full : {true, false}) {
    for (const int threads : {1, 8}) {
      for (const std::size_t bytes : {std::size_t{100}, std::size_t{1024}, std::size_t{16'384}}) {
        for (const std::size_t messages : {1U, 10U, 100U, 1000U})
          loads.push_back({messages, bytes, full, threads});
      }
    }
  }
  return loads;
}

/// `enqueue_async`: each thread has so many without an answer.
Figures together(const bench::Program& program, std::size_t unanswered) {
  const TempDir directory;
  satchel::Options options;
  options.checkpoint_bytes = options.max_wal_bytes = kLogBytes;
  satchel::Outbox outbox{directory.path() + "/outbox.db", options};
  for (int i = 0; i < 300; ++i) outbox.enqueue({.topic = "t", .payload = std::string(100, 'x')});
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{program.sized(1000, 120)};
  std::atomic<std::uint64_t> committed{0};
  const Meter meter;
  std::vector<std::thread> producers;
  for (int i = 0; i < (unanswered == 0 ? 1 : 8); ++i) {
    producers.emplace_back([&] {
      std::deque<std::future<satchel::MessageId>> later;
      while (std::chrono::steady_clock::now() < until) {
        const satchel::Message message{.topic = "plant/boiler/temperature", .payload = std::string(100, 'x')};
        if (unanswered == 0) {
          outbox.enqueue(message);
          ++committed;
          continue;
        }
        later.push_back(outbox.enqueue_async(message));
        if (later.size() < unanswered) continue;
        later.front().get();
        later.pop_front();
        ++committed;
      }
      for (auto& one : later) {
        one.get();
        ++committed;
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  return meter.each(static_cast<double>(committed.load()));
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    bench::Instructions::instance();
    const bench::Program program{"enqueue", count, words};
    for (const Load& load : all_loads()) {
      // The short run has the corners.
      const bool corner =
          load.messages == 1 || (load.messages > 10 && load.bytes == 100 && load.threads == 1);
      if (!program.quick() || (corner && (load.threads == 1 || load.bytes == 100))) compare(program, load);
    }
    program.row("group commit, 100 B, full, 8 threads",
                {{"one thread, one by one", [&] { return together(program, 0); }},
                 {"1 unanswered each", [&] { return together(program, 1); }},
                 {"16 unanswered each", [&] { return together(program, 16); }},
                 {"64 unanswered each", [&] { return together(program, 64); }}});
  });
}
