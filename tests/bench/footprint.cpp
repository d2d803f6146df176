// SPDX-License-Identifier: MIT
//
// Memory by backlog and by window with MQTT attached, and what an idle outbox does. Each measurement is a
// process of its own.
#include "bench/figures.hpp"
#include "bench/memory.hpp"
#include "bench/outboxes.hpp"
#include "support/broker.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

#include <poll.h>

#include <cstring>

namespace {

using bench::Figures;

/// What a process of its own is to do.
struct Role {
  std::size_t backlog = 0;
  std::size_t window = 100;
  int idle_seconds = 0;
  int port = 0;  ///< 0: no sink
};

class Connected final : public satchel::Observer {
 public:
  void sink_up(const std::string&) noexcept override {
    const std::lock_guard lock{mutex_};
    up_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return up_; }))
      throw std::runtime_error{"no connection"};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool up_ = false;
};

void wait_for(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

/// Prints its figures as `name value` lines.
void play(const Role& role) {
  const support::TempDir directory;
  auto connected = std::make_shared<Connected>();
  satchel::Options options = bench::with_window(role.window);
  options.window_bytes = 1U << 20U;
  options.observer = connected;
  satchel::Outbox outbox{directory.path() + "/device.db", options};
  if (role.port != 0) {
    outbox.attach(satchel::MqttSink{
        {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(role.port), .window = role.window}});
    outbox.start();
    connected->wait();
  }
  std::puts("ready");
  std::fflush(stdout);
  // By now the broker may have been stopped in its tracks: what is enqueued stays in flight or pending.
  std::getchar();
  bench::enqueue(outbox, role.backlog, std::string(100, 'x'));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  // The last quarter of a window is filled when all of it is free.
  const std::size_t expected = role.port != 0 ? std::min(role.backlog, role.window / 4 * 3) : 0;
  while (outbox.status().in_flight < expected && std::chrono::steady_clock::now() < deadline)
    wait_for(std::chrono::milliseconds{20});
  if (role.idle_seconds > 0) {
    // After what was done is over.
    wait_for(std::chrono::milliseconds{500});
    const double wakeups = bench::wakeups();
    const double written = bench::written_bytes();
    const double cpu = bench::cpu_seconds();
    wait_for(std::chrono::seconds{role.idle_seconds});
    // One of them is this thread's own.
    const double woken = bench::wakeups() - wakeups - 1;
    const double minutes = role.idle_seconds / 60.0;
    std::printf("wakeups_a_minute %g\nwritten_bytes_a_minute %g\ncpu_ms_a_minute %g\n", woken / minutes,
                (bench::written_bytes() - written) / minutes, (bench::cpu_seconds() - cpu) * 1e3 / minutes);
  }
  std::printf("private_KiB %g\nresident_KiB %g\n", bench::private_memory_kib(), bench::resident_memory_kib());
  std::fflush(stdout);
  outbox.stop(std::chrono::milliseconds{200});
}

Figures in_a_process(const std::string& program, const Role& role, support::Broker* frozen) {
  support::Child child{{program, "--play", std::to_string(role.backlog), std::to_string(role.window),
                        std::to_string(role.idle_seconds), std::to_string(role.port)}};
  if (child.line() != "ready") throw std::runtime_error{"the process did not start"};
  if (frozen != nullptr) frozen->freeze();
  child.say("go");
  Figures figures;
  while (const auto line = child.line(std::chrono::seconds{role.idle_seconds + 120})) {
    const std::size_t space = line->find(' ');
    figures.emplace_back(line->substr(0, space), std::stod(line->substr(space + 1)));
  }
  if (frozen != nullptr) frozen->thaw();
  if (figures.empty()) throw std::runtime_error{"the process said nothing"};
  return figures;
}

}  // namespace

int main(int count, char** words) {
  if (count == 6 && std::strcmp(words[1], "--play") == 0) {
    return bench::guarded([&] {
      play({std::stoul(words[2]), std::stoul(words[3]), std::atoi(words[4]), std::atoi(words[5])});
    });
  }
  return bench::guarded([&] {
    const bench::Program program{"footprint", count, words};
    const std::string self = "/proc/self/exe";
    const std::string path = std::filesystem::read_symlink(self).string();
    support::Broker broker;
    const int port = broker.port();
    const auto measure = [&](const Role& role, bool freeze) {
      return [&, role, freeze] { return in_a_process(path, role, freeze ? &broker : nullptr); };
    };
    program.row("memory without a sink", {{"satchel", measure({}, false)}});
    program.row("memory, MQTT attached", {{"satchel", measure({.port = port}, false)}},
                {{"satchel", "private_KiB", "", 0, 4096}});
    for (const std::size_t backlog : {std::size_t{1'000}, program.sized<std::size_t>(5'000'000, 100'000)}) {
      for (const std::size_t window : {std::size_t{100}, std::size_t{1000}}) {
        program.row(
            "memory, " + std::to_string(backlog) + " pending, window " + std::to_string(window) + " full",
            {{"satchel", measure({.backlog = backlog, .window = window, .port = port}, true)}},
            {{"satchel", "private_KiB", "", 0, 4096}}, program.sized(3, 1));
      }
    }
    const int idle = program.sized(600, 5);
    program.row("idle, MQTT attached, " + std::to_string(idle) + " s",
                {{"satchel", measure({.idle_seconds = idle, .port = port}, false)}},
                // Keep-alive of 30 s: a PINGREQ and its answer.
                {{"satchel", "wakeups_a_minute", "", 0, 5}}, 1);
  });
}
