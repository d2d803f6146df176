// SPDX-License-Identifier: MIT
//
// The process that the tests kill. Usage: process-child ROLE DATABASE SINK FIRST COUNT
//   ROLE   produce | relay | both
//   SINK   journal:FILE or a sink URL
// Writes "ready" when it is set up, "leading" when its relay takes over, "<number> <row>" for each commit
// that returned and "dead <row>" for each dead letter. Ends at the end of its standard input.
#include "journal_sink.hpp"

#include <satchel/satchel.hpp>

#include <unistd.h>

#include <charconv>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

namespace {

void say(const std::string& text) {
  const std::string line = text + '\n';
  if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
}

class Reporter final : public satchel::Observer {
 public:
  void leading(bool leads) noexcept override {
    if (leads) say("leading");
  }
  void died(const satchel::MessageId& id, satchel::DeadReason, const std::string&) noexcept override {
    say("dead " + std::to_string(id.row));
  }
};

void attach(satchel::Outbox& outbox, const std::string& sink) {
  const std::string journal = "journal:";
  if (sink.starts_with(journal)) {
    outbox.attach(JournalSink{sink.substr(journal.size()), 100});
  } else {
    outbox.attach(sink);
  }
}

void produce(satchel::Outbox& outbox, long first, long count) {
  for (long number = first; number < first + count; ++number) {
    satchel::Transaction tx = outbox.begin();
    tx.execute("INSERT INTO business(number) VALUES (?)", number);
    const std::string text = std::to_string(number);
    const satchel::MessageId id =
        tx.enqueue({.topic = "t", .payload = text, .key = number % 2 == 0 ? "even" : ""});
    tx.commit();
    say(text + ' ' + std::to_string(id.row));
  }
}

void wait_for_end_of_input() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  const std::string role = arguments[1];
  try {
    satchel::Options options;
    options.max_attempts = 3;
    options.retry_backoff = {std::chrono::milliseconds{1}, 1.0, std::chrono::milliseconds{1}};
    options.settle_linger = std::chrono::milliseconds{1};
    // A process that was killed keeps its lock until its sync is over, which a busy disk makes long.
    options.busy_timeout = std::chrono::minutes{1};
    options.observer = std::make_shared<Reporter>();
    satchel::Outbox outbox{arguments[2], options};
    satchel::Transaction tx = outbox.begin();
    tx.execute("CREATE TABLE IF NOT EXISTS business(number INTEGER PRIMARY KEY)");
    tx.commit();
    if (role != "produce") {
      attach(outbox, arguments[3]);
      outbox.start();
    }
    say("ready");
    if (role != "relay") produce(outbox, std::stol(arguments[4]), std::stol(arguments[5]));
    wait_for_end_of_input();
    outbox.stop(std::chrono::seconds{10});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
