// SPDX-License-Identifier: MIT
#include "fault/damage/specimen.hpp"

#include "support/temp_dir.hpp"

#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace damage {
namespace {

using namespace std::chrono_literals;
using satchel::testing::ManualClock;
using satchel::testing::ScriptedSink;

std::string read(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

std::string content(const std::string& topic, const std::string& payload) { return topic + '\0' + payload; }

satchel::Options options_of(const std::shared_ptr<ManualClock>& clock) {
  satchel::Options options;
  options.clock = clock;
  options.page_size = 1024;
  options.settle_linger = 0ms;
  options.max_attempts = 2;
  return options;
}

class Notes final : public satchel::Observer {
 public:
  void notice(const std::string& text) noexcept override { notices.push_back(text); }
  void salvaged(const satchel::SalvageReport& report) noexcept override { salvages.push_back(report); }

  std::vector<std::string> notices;
  std::vector<satchel::SalvageReport> salvages;
};

/// Of each table as far as it can be read; what the last one that cannot be says goes into `error`.
Rows rows_of(SQLite::Database& database, std::string& error) {
  constexpr std::pair<const char*, const char*> kTables[] = {
      {"reading ", "SELECT id, sensor || ' ' || celsius FROM reading"},
      {"setting ", "SELECT name, value FROM setting"},
      {"audit ", "SELECT n, what FROM audit"},
  };
  Rows rows;
  for (const auto& [table, sql] : kTables) {
    try {
      SQLite::Statement query{database, sql};
      while (query.executeStep()) {
        // Where a definition is damaged keys may be gone, and are then all the same.
        std::string key = table + query.getColumn(0).getString();
        while (rows.contains(key)) key += " again";
        rows[key] = query.getColumn(1).getString();
      }
    } catch (const SQLite::Exception& failure) {
      error = failure.what();
    }
  }
  return rows;
}

std::size_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::size_t number = 0;
  for (const char byte : bytes.substr(at, size)) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

/// Rounds of the relay until nothing happens any more, however long it waits.
void run_to_end(satchel::Outbox& outbox, ManualClock& clock) {
  // A relay that has something to do for ever is a failure, which shows as messages that stay pending.
  int rounds = 0;
  for (int idle = 0; idle < 6 && rounds < 5000; ++rounds) {
    if (outbox.run_once()) {
      idle = 0;
    } else {
      ++idle;
      clock.advance(10min);
    }
  }
}

}  // namespace

Files Files::of(const std::string& path) { return {read(path), read(path + "-wal"), read(path + "-relay")}; }

void Files::place(const std::string& path) const {
  for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{path}.parent_path()})
    std::filesystem::remove(entry.path());
  write(path, database);
  if (!log.empty()) write(path + "-wal", log);
  if (!relay.empty()) write(path + "-relay", relay);
}

Specimen make_specimen(std::uint32_t seed, bool in_log) {
  const support::TempDir directory{support::TempDir::Where::memory};
  const std::string path = directory.path() + "/device.db";
  const auto clock = std::make_shared<ManualClock>();
  Specimen specimen;
  specimen.page_size = 1024;
  std::mt19937 random{seed};
  satchel::Outbox outbox{path, options_of(clock)};
  auto sink = std::make_unique<ScriptedSink>();
  // The first ones die, some fail once, the rest is never answered.
  sink->answer([](const satchel::Delivery& delivery) -> std::optional<satchel::Receipt> {
    if (delivery.payload.starts_with("dies")) return satchel::reject("no such topic");
    if (delivery.payload.starts_with("fails")) return satchel::retry("not now");
    return std::nullopt;
  });
  outbox.attach(std::move(sink));
  {
    auto transaction = outbox.begin();
    transaction.execute("CREATE TABLE reading(id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, celsius REAL)");
    transaction.execute("CREATE INDEX reading_by_sensor ON reading(sensor)");
    transaction.execute("CREATE TABLE setting(name TEXT PRIMARY KEY, value) WITHOUT ROWID");
    transaction.execute("CREATE TABLE audit(n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)");
    transaction.execute("CREATE VIEW hot AS SELECT * FROM reading WHERE celsius > 90");
    transaction.commit();
  }
  const auto put = [&](const std::string& payload, const std::string& key) {
    const std::string sensor = "sensor-" + std::to_string(random() % 20);
    auto transaction = outbox.begin();
    transaction.execute("INSERT INTO reading(sensor, celsius) VALUES (?, ?)", sensor,
                        static_cast<double>(random() % 1000) / 10);
    transaction.execute("INSERT OR REPLACE INTO setting(name, value) VALUES (?, ?)", "last of " + sensor,
                        payload);
    transaction.execute("INSERT INTO audit(what) VALUES (?)", "enqueued for " + sensor);
    const satchel::MessageId id =
        transaction.enqueue({.topic = "plant/" + sensor, .payload = payload, .key = key});
    transaction.commit();
    return std::pair{id.row, content("plant/" + sensor, payload)};
  };
  for (int i = 0; i < 12; ++i) specimen.dead.insert(put("dies " + std::to_string(i), ""));
  run_to_end(outbox, *clock);
  const auto fill = [&](int count, const std::string& prefix) {
    for (int i = 0; i < count; ++i) {
      const std::size_t size = random() % 8 == 0 ? 500 + random() % 3000 : random() % 200;
      specimen.pending.insert(put(prefix + std::string(size, static_cast<char>('a' + random() % 26)),
                                  random() % 3 == 0 ? "key-" + std::to_string(random() % 5) : ""));
    }
  };
  fill(10, "fails ");
  run_to_end(outbox, *clock);
  fill(120, "waits ");
  SQLite::Database plain{path, SQLite::OPEN_READWRITE};
  plain.exec("PRAGMA wal_checkpoint(RESTART)");
  fill(40, "waits on ");
  // What failed twice is dead by now.
  for (const satchel::DeadLetter& letter : outbox.dead_letters(1000)) {
    specimen.pending.erase(letter.id.row);
    specimen.dead[letter.id.row] = content(letter.message.topic, letter.message.payload);
  }
  std::string error;
  specimen.rows = rows_of(plain, error);
  if (!error.empty()) throw std::runtime_error{error};
  if (!in_log) plain.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  specimen.files = Files::of(path);
  return specimen;
}

std::vector<std::size_t> vital_places(const Specimen& specimen) {
  constexpr std::size_t kHeader = 100;
  constexpr std::size_t kInteriorPage = 5;
  const std::string_view file = specimen.files.database;
  std::vector<std::size_t> places;
  std::vector<std::size_t> pages{1};
  for (std::size_t next = 0; next < pages.size(); ++next) {
    const std::size_t page = (pages[next] - 1) * specimen.page_size;
    for (std::size_t i = 0; i < specimen.page_size; ++i) places.push_back(page + i);
    const std::size_t head = page + (page == 0 ? kHeader : 0);
    if (number_at(file, head, 1) != kInteriorPage) continue;
    pages.push_back(number_at(file, head + 8, 4));
    for (std::size_t cell = 0; cell < number_at(file, head + 3, 2); ++cell)
      pages.push_back(number_at(file, page + number_at(file, head + 12 + 2 * cell, 2), 4));
  }
  return places;
}

void flip_bit(std::string& bytes, std::size_t at, unsigned bit) {
  bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << bit));
}

Injury injure(Files& files, std::mt19937& random) {
  for (;;) {
    const auto which = random() % 10;
    Injury injury{"", which < 6 ? "database" : which < 9 ? "log" : "relay", 0};
    std::string& bytes = which < 6 ? files.database : which < 9 ? files.log : files.relay;
    if (bytes.empty()) continue;
    const std::string before = bytes;
    constexpr std::size_t kSector = 512;
    constexpr std::size_t kPage = 1024;
    // The first page has more that can break than any other.
    injury.at =
        random() % 4 == 0 ? random() % std::min<std::size_t>(bytes.size(), kPage) : random() % bytes.size();
    const auto overwrite = [&](std::size_t from, std::size_t size, auto&& next) {
      for (std::size_t i = from; i < std::min(from + size, bytes.size()); ++i)
        bytes[i] = static_cast<char>(next());
    };
    switch (random() % 7) {
      case 0:
        injury.what = "one bit flipped";
        flip_bit(bytes, injury.at, random() % 8);
        break;
      case 1:
        injury.what = "eight bytes of garbage";
        overwrite(injury.at, 8, random);
        break;
      case 2:
        injury.what = "a sector of zeros";
        injury.at -= injury.at % kSector;
        overwrite(injury.at, kSector, [] { return 0; });
        break;
      case 3:
        injury.what = "a page of garbage";
        injury.at -= injury.at % kPage;
        overwrite(injury.at, kPage, random);
        break;
      case 4:
        injury.what = "a page torn: half of another one";
        injury.at -= injury.at % kPage;
        bytes.replace(injury.at, std::min(kSector, bytes.size() - injury.at),
                      bytes.substr((injury.at + 7 * kPage) % bytes.size(), kSector));
        break;
      case 5:
        injury.what = "cut off";
        bytes.resize(injury.at);
        break;
      default:
        injury.what = "four pages of ones";
        injury.at -= injury.at % kPage;
        overwrite(injury.at, 4 * kPage, [] { return 0xff; });
        break;
    }
    if (bytes != before) return injury;
  }
}

Outcome live_on(const std::string& path, const satchel::Options& wanted) {
  Outcome outcome;
  const auto clock = std::make_shared<ManualClock>();
  const auto notes = std::make_shared<Notes>();
  satchel::Options options = wanted;
  options.clock = clock;
  options.observer = notes;
  options.settle_linger = 0ms;
  bool over = false;
  for (; !over && outcome.openings < 4;) {
    try {
      ++outcome.openings;
      satchel::Outbox outbox{path, options};
      outcome.opened = true;
      auto sink = std::make_unique<ScriptedSink>();
      sink->answer([&](const satchel::Delivery& delivery) {
        outcome.sent[delivery.id.row] = content(delivery.topic, delivery.payload);
        return satchel::delivered();
      });
      outbox.attach(std::move(sink));
      run_to_end(outbox, *clock);
      outcome.dead.clear();
      for (const satchel::DeadLetter& letter : outbox.dead_letters(1000))
        outcome.dead[letter.id.row] = content(letter.message.topic, letter.message.payload);
      outcome.error.clear();
      auto transaction = outbox.begin();
      outcome.rows = rows_of(transaction.database(), outcome.error);
      transaction.rollback();
      const satchel::Status status = outbox.status();
      outcome.failure = status.failure       ? status.failure->problem
                        : status.pending > 0 ? std::to_string(status.pending) + " messages stay pending"
                                             : std::string{};
      over = outcome.failure.empty();
    } catch (const std::exception& failure) {
      outcome.failure = failure.what();
    }
  }
  outcome.salvages = notes->salvages;
  outcome.notices = notes->notices;
  return outcome;
}

}  // namespace damage
