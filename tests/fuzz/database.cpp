// SPDX-License-Identifier: MIT
//
// A whole file of any content, opened, drained for a while and looked at: errors of satchel's own kind, or
// work; never a crash, a hang or an exception of another kind.
//
// Input: a first byte that chooses, and then patches of three bytes: where (of two bytes) and the new value.
// They change the database, its -wal or its -relay file, which are made at the start; or the rest of the
// input is the file.
#include "answering_sink.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

namespace {

constexpr const char* kSuffixes[] = {"", "-wal", "-relay"};

std::string read(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void write(const std::string& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

satchel::Options options() {
  satchel::Options options;
  options.page_size = 512;
  options.max_attempts = 2;
  options.retry_backoff = {.base = std::chrono::milliseconds{1}, .cap = std::chrono::milliseconds{1}};
  options.settle_linger = std::chrono::milliseconds{0};
  options.busy_timeout = std::chrono::milliseconds{0};
  return options;
}

void enqueue(satchel::Outbox& outbox, int count) {
  auto tx = outbox.begin();
  for (int i = 0; i < count; ++i) {
    satchel::Message message{.topic = "t/" + std::to_string(i), .payload = std::string(20, 'p')};
    if (i % 2 == 0) message.key = "k";
    if (i % 3 == 0) message.headers = {{"unit", "C"}};
    if (i % 5 == 0) message.expires_after = std::chrono::hours{1};
    tx.enqueue(message);
  }
  tx.commit();
}

/// A file with messages, attempts, dead letters and a row of the application; a -wal with frames that are not
/// in the file yet.
struct Pristine {
  Pristine() {
    const support::TempDir directory{support::TempDir::Where::memory};
    const std::string path = directory.path() + "/device.db";
    fuzz::AnsweringSink::Notes notes;
    satchel::Outbox outbox{path, options()};
    outbox.attach(std::make_unique<fuzz::AnsweringSink>(notes));
    auto tx = outbox.begin();
    tx.execute("CREATE TABLE reading(celsius REAL)");
    tx.execute("INSERT INTO reading VALUES (71.5)");
    tx.commit();
    enqueue(outbox, 6);
    for (int i = 0; i < 8; ++i) outbox.run_once();
    {
      auto checkpoint = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE);
      checkpoint->exec("PRAGMA wal_checkpoint(FULL)");
    }
    enqueue(outbox, 6);
    for (std::size_t i = 0; i < 3; ++i) files[i] = read(path + kSuffixes[i]);
  }
  std::string files[3];
};

void use(const std::string& path) {
  fuzz::AnsweringSink::Notes notes;
  try {
    satchel::Outbox outbox{path, options()};
    outbox.attach(std::make_unique<fuzz::AnsweringSink>(notes));
    for (int i = 0; i < 12; ++i) outbox.run_once();
    static_cast<void>(outbox.status());
    outbox.enqueue({.topic = "new", .payload = "one"});
    for (int i = 0; i < 4; ++i) outbox.run_once();
    static_cast<void>(outbox.dead_letters());
    outbox.replay_all();
    outbox.run_once();
    outbox.stop(std::chrono::seconds{1});
  } catch (const satchel::Error& error) {
    if (error.problem().empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Pristine pristine;
  static const support::TempDir directory{support::TempDir::Where::memory};
  if (size == 0) return 0;
  const std::string path = directory.path() + "/device.db";
  const unsigned target = data[0] % 4;
  for (std::size_t i = 0; i < 3; ++i) {
    std::string bytes = pristine.files[i];
    if (target == i) {
      for (std::size_t at = 1; at + 3 <= size && !bytes.empty(); at += 3)
        bytes[(data[at] * 256U + data[at + 1]) % bytes.size()] = static_cast<char>(data[at + 2]);
    }
    if (target == 3) bytes = i == 0 ? std::string{reinterpret_cast<const char*>(data) + 1, size - 1} : "";
    write(path + kSuffixes[i], bytes);
  }
  use(path);
  for (const auto& entry : std::filesystem::directory_iterator{directory.path()})
    std::filesystem::remove_all(entry.path());
  return 0;
}
