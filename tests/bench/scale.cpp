// SPDX-License-Identifier: MIT
//
// What a backlog costs: opening, enqueueing, claiming and settling, asking for the status, and memory, with
// few messages pending and with very many.
#include "bench/bare_database.hpp"
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/temp_dir.hpp"

#include <filesystem>
#include <memory>
#include <optional>

namespace {

using bench::Figures;

/// Plain SQL makes a backlog faster than one enqueue after the other, of the same rows. They are in the
/// database file then, not in its log. `priority`: as the table has it, 0 for normal.
void add(const std::string& path, std::size_t messages, const satchel::Options& options = {},
         std::int64_t priority = 0) {
  satchel::Outbox outbox{path, options};
  constexpr std::size_t kEach = 100'000;
  for (std::size_t done = 0; done < messages; done += kEach) {
    auto tx = outbox.begin();
    tx.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO satchel_message(topic, payload, boot, created, priority)"
        " SELECT 'plant/boiler/temperature', printf('%.*c', 100, 'x'), 1, 1, nullif(?, 0) FROM n",
        static_cast<std::int64_t>(std::min(kEach, messages - done)), priority);
    tx.commit();
  }
  bench::BareDatabase{path, {}}.run("PRAGMA wal_checkpoint(PASSIVE)");
}

/// In a new file.
void fill(const std::string& path, std::size_t messages, const satchel::Options& options = {}) {
  for (const char* tail : {"", "-wal", "-shm", "-relay"}) std::filesystem::remove(path + tail);
  add(path, messages, options);
}

double microseconds_each(const bench::Meter& meter, std::size_t count) {
  return meter.seconds() * 1e6 / static_cast<double>(count);
}

/// With so many pending in the file; some of them are delivered.
Figures backlog(const std::string& path) {
  Figures figures;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  std::optional<satchel::Outbox> outbox;
  {
    const bench::Meter meter;
    outbox.emplace(path, options);
    figures.emplace_back("open_ms", meter.seconds() * 1e3);
  }
  constexpr std::size_t kOwn = 50;
  {
    const bench::Meter meter;
    bench::enqueue(*outbox, kOwn, std::string(100, 'x'), 1);
    figures.emplace_back("enqueue_us", microseconds_each(meter, kOwn));
  }
  {
    const bench::Meter meter;
    outbox->status();
    figures.emplace_back("status_us", meter.seconds() * 1e6);
  }
  outbox->attach(bench::NullSink{});
  // The first rounds find nothing in the page cache.
  while (count->count() < 200) outbox->run_once();
  constexpr std::size_t kDrained = 700;
  const double cpu = bench::cpu_seconds();
  const bench::Meter meter;
  const std::size_t from = count->count();
  while (count->count() < from + kDrained) outbox->run_once();
  const std::size_t drained = count->count() - from;
  figures.insert(figures.begin(), {"drain_us", microseconds_each(meter, drained)});
  figures.emplace_back("drain_cpu_us", (bench::cpu_seconds() - cpu) * 1e6 / static_cast<double>(drained));
  outbox->stop(std::chrono::seconds{10});
  return figures;
}

/// A quota that has room, or is reached by what is pending.
struct Limit {
  const char* name;
  satchel::Quota quota;
  bool full = false;
};

/// Enqueueing under a quota.
Figures limited(const std::string& path, const Limit& limit) {
  satchel::Options options;
  options.durability = satchel::Durability::relaxed;
  const std::uint64_t pending = satchel::Outbox{path, options}.status().pending;
  options.quota = limit.quota;
  if (limit.full) options.quota.messages = pending;
  satchel::Outbox outbox{path, options};
  const satchel::Message message{
      .topic = "bench", .payload = std::string(100, 'x'), .priority = satchel::Priority::urgent};
  const bench::Meter first;
  outbox.enqueue(message);
  const double first_ms = first.seconds() * 1e3;
  constexpr std::size_t kOwn = 300;
  const double cpu = bench::cpu_seconds();
  const bench::Meter meter;
  for (std::size_t i = 0; i < kOwn; ++i) outbox.enqueue(message);
  return {{"enqueue_us", microseconds_each(meter, kOwn)},
          {"cpu_us", (bench::cpu_seconds() - cpu) * 1e6 / static_cast<double>(kOwn)},
          {"first_ms", first_ms}};
}

/// Few and many pending, under every kind of quota.
void quotas(const bench::Program& program, const std::string& directory, std::size_t many) {
  const std::string name =
      "enqueueing urgent messages under a quota, 2 k or " + std::to_string(many) + " pending";
  if (!program.wants(name)) return;
  using satchel::WhenFull;
  constexpr std::uint64_t kRoom = 1'000'000'000'000;
  const std::vector<Limit> limits{
      {"no quota", {}},
      {"bounds", {.messages = kRoom, .bytes = kRoom}},
      {"exact", {.messages = kRoom, .bytes = kRoom, .exact = true}},
      {"full, drop_oldest", {.when_full = WhenFull::drop_oldest}, true},
      {"full, drop_lowest", {.when_full = WhenFull::drop_lowest, .exact = true}, true},
  };
  std::vector<bench::Variant> variants;
  for (const auto& [pending, size] : {std::pair{std::size_t{2'000}, "2 k"}, {many, "many"}}) {
    // The urgent half comes first.
    const std::string path = directory + "/quota-" + std::to_string(pending) + ".db";
    fill(path, 0);
    add(path, pending / 2, {}, 1);
    add(path, pending - pending / 2);
    for (const Limit& limit : limits)
      variants.push_back({std::string{size} + ", " + limit.name, [=] { return limited(path, limit); }});
  }
  program.row(name, variants,
              {{"many, full, drop_oldest", "cpu_us", "2 k, full, drop_oldest", 0, 3},
               {"many, full, drop_lowest", "cpu_us", "2 k, full, drop_lowest", 0, 3}},
              1);
}

/// To the last message.
Figures whole_drain(const std::string& path, std::size_t messages) {
  auto count = std::make_shared<bench::Count>();
  satchel::Options options;
  options.observer = count;
  satchel::Outbox outbox{path, options};
  const auto size = [&] { return static_cast<double>(std::filesystem::file_size(path)) / 1e6; };
  const double before = size();
  outbox.attach(bench::NullSink{});
  double longest = 0;
  const bench::Meter meter;
  while (count->count() < messages) {
    const bench::Meter round;
    outbox.run_once();
    longest = std::max(longest, round.seconds());
  }
  Figures figures{{"drain_us", microseconds_each(meter, messages)},
                  {"longest_round_ms", longest * 1e3},
                  {"file_MB_before", before}};
  outbox.stop(std::chrono::seconds{10});
  figures.emplace_back("file_MB_after", size());
  return figures;
}

/// The longest commit of an application beside a relay that gives the space of a drained file back, or keeps
/// it.
Figures after_drain(const std::string& path, std::size_t messages, std::uint64_t max_free_bytes) {
  satchel::Options options;
  options.max_free_bytes = max_free_bytes;
  options.durability = satchel::Durability::relaxed;
  fill(path, messages, options);
  whole_drain(path, messages);
  const auto size = [&] { return static_cast<double>(std::filesystem::file_size(path)) / 1e6; };
  const double before = size();
  satchel::Outbox outbox{path, options};
  outbox.attach(bench::NullSink{});
  outbox.start();
  const std::shared_ptr<satchel::Clock> clock = satchel::system_clock();
  double longest = 0;
  const bench::Meter whole;
  const double small = static_cast<double>(max_free_bytes) / 1e6 + 1;
  for (double time = 0; time < 60 && (max_free_bytes == 0 ? time < 5 : size() > small);
       time = whole.seconds()) {
    const bench::Meter commit;
    outbox.enqueue({.topic = "bench", .payload = std::string(100, 'x')});
    longest = std::max(longest, commit.seconds());
    // A thousand a second at most.
    clock->wait({}, clock->now() + std::chrono::milliseconds{1});
  }
  Figures figures{
      {"longest_commit_ms", longest * 1e3}, {"file_MB_before", before}, {"seconds", whole.seconds()}};
  outbox.stop(std::chrono::seconds{10});
  figures.emplace_back("file_MB_after", size());
  return figures;
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"scale", count, words};
    const support::TempDir directory;
    struct Size {
      std::size_t pending;
      const char* name;
    };
    std::vector<Size> sizes{{1'000, "1 k"}, {100'000, "100 k"}};
    if (!program.quick())
      sizes.insert(sizes.end(), {{1'000'000, "1 M"}, {5'000'000, "5 M"}, {10'000'000, "10 M"}});
    std::vector<bench::Variant> variants;
    for (const Size& size : sizes) {
      const std::string path = directory.path() + "/" + std::to_string(size.pending) + ".db";
      fill(path, size.pending);
      // Each measurement takes a few: the copy of the small one is always whole.
      variants.push_back({size.name, [path, size] {
                            if (size.pending > 1'000) return backlog(path);
                            const std::string copy = path + "-copy.db";
                            fill(copy, size.pending);
                            return backlog(copy);
                          }});
    }
    const std::string large = program.sized("5 M", "100 k");
    program.row("pending messages of 100 B", variants,
                {{large, "drain_us", "1 k", 0, 2}, {large, "open_ms", "", 0, 5}});
    quotas(program, directory.path(), program.sized<std::size_t>(5'000'000, 100'000));
    const std::size_t all = program.sized<std::size_t>(1'000'000, 20'000);
    const auto drained = [&] {
      const std::string path = directory.path() + "/all.db";
      fill(path, all);
      return whole_drain(path, all);
    };
    program.row("drained to the last, " + std::to_string(all) + " messages", {{"satchel", drained}}, {},
                program.sized(3, 1));
    const auto then = [&](std::uint64_t max_free_bytes) {
      return after_drain(directory.path() + "/all.db", all, max_free_bytes);
    };
    program.row(
        "commits after the drain of " + std::to_string(all) + " messages",
        {{"keeps its size", [&] { return then(0); }}, {"gives it back", [&] { return then(1U << 20U); }}}, {},
        program.sized(3, 1));
  });
}
