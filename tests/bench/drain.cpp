// SPDX-License-Identifier: MIT
//
// How fast a backlog goes from disk to a broker, beside publishers that store nothing and beside other ways
// of storing. The ratio within one run is the figure to look at.
#include "bench/bare_publisher.hpp"
#include "bench/delay_proxy.hpp"
#include "bench/figures.hpp"
#include "bench/mosquitto_bridge.hpp"
#include "bench/naive_outbox.hpp"
#include "bench/outboxes.hpp"
#include "bench/slow_disk.hpp"
#include "support/broker.hpp"
#include "support/temp_dir.hpp"

namespace {

using bench::BarePublisher;
using bench::Figures;
using bench::Meter;
using support::Broker;
using support::TempDir;

constexpr std::chrono::milliseconds kOneWay{25};

/// A backlog from disk through an MQTT sink.
Figures satchel_drain(std::uint16_t port, std::size_t messages, const std::string& payload,
                      std::size_t window, const std::string& vfs = {}) {
  const TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options = bench::with_window(window);
  options.observer = count;
  options.vfs = vfs;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  bench::enqueue(outbox, messages, payload);
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = port, .window = window}});
  const Meter meter;
  outbox.start();
  count->wait(messages);
  Figures figures = meter.each(static_cast<double>(messages));
  outbox.stop(std::chrono::seconds{10});
  return figures;
}

Figures bare_drain(std::uint16_t port, std::size_t messages, const std::string& payload, std::size_t window) {
  BarePublisher publisher{port};
  const Meter meter;
  publisher.drain(messages, payload, window);
  return meter.each(static_cast<double>(messages));
}

Figures naive_drain(std::uint16_t port, std::size_t messages, const std::string& payload,
                    const std::string& vfs = {}) {
  const TempDir directory;
  bench::NaiveOutbox outbox{directory.path() + "/naive.db", {.vfs = vfs}};
  outbox.enqueue(messages, payload);
  BarePublisher publisher{port};
  const Meter meter;
  outbox.drain(publisher);
  return meter.each(static_cast<double>(messages));
}

/// Once the line is full: how near the rate comes to the most that a window allows at a round trip.
Figures of_the_window(double seconds, std::size_t messages, std::size_t window) {
  const double rate = static_cast<double>(messages) / seconds;
  const double most = static_cast<double>(window) / (2 * std::chrono::duration<double>{kOneWay}.count());
  return {{"rate", rate}, {"of_window_over_round_trip", rate / most}};
}

Figures bare_line(std::uint16_t port, std::size_t messages, const std::string& payload, std::size_t window) {
  BarePublisher publisher{port};
  const double seconds = publisher.drain(messages, payload, window, 2 * window);
  return of_the_window(seconds, messages - 2 * window, window);
}

Figures satchel_line(std::uint16_t port, std::size_t messages, const std::string& payload,
                     std::size_t window) {
  const TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options = bench::with_window(window);
  options.observer = count;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  bench::enqueue(outbox, messages, payload);
  outbox.attach(satchel::MqttSink{{.host = "127.0.0.1", .port = port, .window = window}});
  count->mark(2 * window);
  outbox.start();
  count->wait(messages);
  const double seconds = count->seconds_since_mark();
  outbox.stop(std::chrono::seconds{10});
  return of_the_window(seconds, messages - 2 * window, window);
}

void sizes_and_windows(const bench::Program& program, std::uint16_t port) {
  struct Row {
    std::size_t bytes;
    std::size_t window;
    double at_least;  // of the bare publisher; 0: not demanded
  };
  for (const Row& row : {Row{100, 100, 0.95}, Row{1024, 100, 0.85}, Row{16'384, 100, 0.6}, Row{100, 1, 0},
                         Row{100, 20, 0}, Row{100, 1000, 0}}) {
    std::size_t messages = program.sized<std::size_t>(50'000, 5'000);
    if (row.bytes > 10'000 || row.window == 1) messages /= 5;
    const std::string payload(row.bytes, 'x');
    const std::vector<bench::Variant> variants{
        {"bare publisher", [&] { return bare_drain(port, messages, payload, row.window); }},
        {"satchel", [&] { return satchel_drain(port, messages, payload, row.window); }}};
    const std::string name =
        "MQTT, " + bench::size_name(row.bytes) + ", window " + std::to_string(row.window);
    if (row.at_least > 0) {
      program.row(name, variants, {{"satchel", "rate", "bare publisher", row.at_least}});
    } else {
      program.row(name, variants);
    }
  }
}

/// What others do about the same: one message at a time with two updates each, or a broker of one's own that
/// keeps its queue in memory and saves it now and then.
void other_ways(const bench::Program& program, std::uint16_t port) {
  const std::string payload(100, 'x');
  const std::size_t few = program.sized<std::size_t>(2'000, 200);
  const std::size_t many = program.sized<std::size_t>(20'000, 2'000);
  program.row("MQTT, 100 B, stored first",
              {{"naive outbox", [&] { return naive_drain(port, few, payload); }},
               {"mosquitto as a bridge", [&] { return bench::MosquittoBridge{port}.drain(many, payload); }},
               {"satchel", [&] { return satchel_drain(port, many, payload, 100); }}});
}

void slow_disk(const bench::Program& program, std::uint16_t port) {
  const bench::SlowDisk disk{std::chrono::milliseconds{5}};
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{1024}, std::size_t{16'384}}) {
    const std::string payload(bytes, 'x');
    const std::size_t messages = program.sized<std::size_t>(20'000, 2'000) / (bytes > 10'000 ? 5 : 1);
    program.row("MQTT, " + bench::size_name(bytes) + ", window 100, fsync of 5 ms",
                {{"satchel, fast disk", [&] { return satchel_drain(port, messages, payload, 100); }},
                 {"satchel", [&] { return satchel_drain(port, messages, payload, 100, disk.name()); }}},
                {{"satchel", "rate", "satchel, fast disk", 1 / 1.3}});
  }
  const std::string payload(100, 'x');
  const std::size_t few = program.sized<std::size_t>(200, 40);
  program.row("naive outbox, 100 B, fsync of 5 ms",
              {{"naive outbox, fast disk", [&] { return naive_drain(port, few, payload); }},
               {"naive outbox", [&] { return naive_drain(port, few, payload, disk.name()); }}});
}

void long_line(const bench::Program& program, std::uint16_t broker) {
  const bench::DelayProxy line{broker, kOneWay};
  struct Row {
    std::size_t bytes;
    std::size_t window;
  };
  for (const Row& row : {Row{100, 20}, Row{100, 100}, Row{100, 1000}, Row{1024, 100}, Row{16'384, 100}}) {
    const std::size_t messages = row.window * program.sized<std::size_t>(60, 12);
    const std::string payload(row.bytes, 'x');
    program.row("MQTT, " + bench::size_name(row.bytes) + ", window " + std::to_string(row.window) +
                    ", round trip 50 ms",
                {{"bare publisher", [&] { return bare_line(line.port(), messages, payload, row.window); }},
                 {"satchel", [&] { return satchel_line(line.port(), messages, payload, row.window); }}},
                {{"satchel", "of_window_over_round_trip", "", 0.95}});
  }
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"drain", count, words};
    const Broker broker;
    sizes_and_windows(program, broker.port());
    other_ways(program, broker.port());
    slow_disk(program, broker.port());
    long_line(program, broker.port());
  });
}
