// SPDX-License-Identifier: MIT
//
// Who waits for whom: what a long transaction of the application does to the relay, and what a long reader
// and large checkpoints do to commits.
#include "bench/bare_database.hpp"
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/temp_dir.hpp"

#include <poll.h>

#include <filesystem>
#include <memory>

namespace {

using bench::Figures;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Comes up when it is told to.
class LateSink final : public bench::NullSink {
 public:
  void start(satchel::SinkEvents& events) override {
    events_ = &events;
    NullSink::start(events);
  }
  void resume() override {
    const std::lock_guard lock{mutex_};
    asked_ = true;
    changed_.notify_all();
  }
  /// The relay leads then.
  void wait_until_asked() {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::minutes{1}, [&] { return asked_; }))
      throw std::runtime_error{"the relay does not lead"};
  }
  void open() { events_->up(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  satchel::SinkEvents* events_ = nullptr;
};

/// The application keeps the write access while a backlog drains: what the relay sends meanwhile, and how
/// soon it goes on.
Figures long_transaction(std::chrono::milliseconds time) {
  const support::TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  options.gate_report_after = std::chrono::minutes{1};
  satchel::Outbox outbox{directory.path() + "/stalls.db", options};
  bench::enqueue(outbox, 5'000, std::string(100, 'x'));
  auto sink = std::make_unique<LateSink>();
  LateSink& late = *sink;
  outbox.attach(std::move(sink));
  outbox.start();
  late.wait_until_asked();
  auto tx = outbox.begin();
  late.open();
  ::poll(nullptr, 0, static_cast<int>(time.count()));
  // Sent and answered; to record them the relay needs the write access.
  const auto unsettled = static_cast<double>(outbox.status().unsettled);
  const std::size_t before = count->count();
  const auto released = Clock::now();
  tx.rollback();
  count->wait(before + 1);
  const double resumed = milliseconds_since(released);
  count->wait(5'000);
  outbox.stop(std::chrono::seconds{10});
  return {{"resumed_ms", resumed},
          {"sent_meanwhile", unsettled},
          {"recorded_meanwhile", static_cast<double>(before)}};
}

struct Load {
  std::size_t messages = 0;
  std::size_t bytes = 100;
  bool reader = false;
  std::size_t log_bytes = 2U << 20U;
};

/// Commits one by one while the relay drains; the longest of them.
Figures longest_commit(const Load& load) {
  const support::TempDir directory;
  const std::string path = directory.path() + "/stalls.db";
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  options.durability = satchel::Durability::relaxed;
  options.checkpoint_bytes = load.log_bytes;
  options.max_wal_bytes = std::max<std::size_t>(load.log_bytes, 16U << 20U);
  satchel::Outbox outbox{path, options};
  outbox.attach(bench::NullSink{});
  outbox.start();
  bench::enqueue(outbox, 100, std::string(load.bytes, 'x'), 1);
  // A reader that keeps what it has seen: the log cannot be begun anew while it does.
  const bench::BareDatabase other{path, {}};
  if (load.reader) {
    sqlite3_exec(other.handle(), "BEGIN; SELECT count(*) FROM satchel_state", nullptr, nullptr, nullptr);
  }
  const satchel::Message message{.topic = "bench", .payload = std::string(load.bytes, 'x')};
  std::vector<double> times;
  for (std::size_t i = 0; i < load.messages; ++i) {
    const auto begin = Clock::now();
    outbox.enqueue(message);
    times.push_back(milliseconds_since(begin));
  }
  const auto log = static_cast<double>(std::filesystem::file_size(path + "-wal")) / 1e6;
  count->wait(load.messages);
  if (load.reader) sqlite3_exec(other.handle(), "COMMIT", nullptr, nullptr, nullptr);
  outbox.stop(std::chrono::seconds{10});
  return {{"longest_ms", bench::quantile(times, 1)},
          {"p999_ms", bench::quantile(times, 0.999)},
          {"p50_ms", bench::quantile(times, 0.5)},
          {"log_MB", log}};
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"stalls", count, words};
    const std::chrono::milliseconds time{program.sized(2'000, 200)};
    program.row("the relay, application holds the write access for " + std::to_string(time.count()) + " ms",
                {{"satchel", [&] { return long_transaction(time); }}});
    const auto messages = program.sized<std::size_t>(20'000, 2'000);
    program.row("a commit, relaxed, 100 B", {{"alone", [&] { return longest_commit({messages}); }},
                                             {"beside a long reader", [&] {
                                                return longest_commit({messages, 100, true});
                                              }}});
    program.row("a commit, relaxed, 16 KiB",
                {{"checkpoints of 2 MiB",
                  [&] {
                    return longest_commit({messages / 4, 16'384});
                  }},
                 {"checkpoints of 16 MiB", [&] {
                    return longest_commit({messages / 4, 16'384, false, 16U << 20U});
                  }}});
  });
}
