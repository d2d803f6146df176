// SPDX-License-Identifier: MIT
//
// How fast a backlog goes from disk to an HTTP server, beside a libcurl multi loop that posts the same bodies
// from memory.
#include "bench/bare_poster.hpp"
#include "bench/delay_proxy.hpp"
#include "bench/figures.hpp"
#include "bench/outboxes.hpp"
#include "support/nginx.hpp"
#include "support/temp_dir.hpp"

namespace {

using bench::Figures;
using bench::Meter;

struct Way {
  std::string url;
  std::size_t parallel = 8;
  bool batches = false;
};

Figures satchel_drain(const Way& way, std::size_t messages, const std::string& payload) {
  const support::TempDir directory;
  auto count = std::make_shared<bench::Count>();
  satchel::Options options = bench::with_window(way.batches ? 1000 : 4 * way.parallel);
  options.observer = count;
  satchel::Outbox outbox{directory.path() + "/bench.db", options};
  for (std::size_t done = 0; done < messages;) {
    satchel::Transaction tx = outbox.begin();
    for (std::size_t each = 0; each < 1000 && done < messages; ++each, ++done)
      tx.enqueue({.topic = "bench", .payload = payload, .content_type = "application/json"});
    tx.commit();
  }
  satchel::HttpOptions http;
  http.url = way.url;
  http.parallel = way.parallel;
  if (way.batches) http.body = satchel::HttpBody::json_array;
  outbox.attach(satchel::HttpSink{http});
  const Meter meter;
  outbox.start();
  count->wait(messages);
  Figures figures = meter.each(static_cast<double>(messages));
  outbox.stop(std::chrono::seconds{10});
  return figures;
}

Figures bare_drain(const Way& way, std::size_t messages, const std::string& payload) {
  bench::BarePoster poster{way.url, payload, way.parallel};
  const Meter meter;
  poster.drain(messages);
  return meter.each(static_cast<double>(messages));
}

void compare(const bench::Program& program, const std::string& name, const Way& way, std::size_t messages,
             std::size_t bytes) {
  const std::string payload = '"' + std::string(bytes - 2, 'x') + '"';
  Way batched = way;
  batched.batches = true;
  program.row(name, {{"bare libcurl", [&] { return bare_drain(way, messages, payload); }},
                     {"satchel", [&] { return satchel_drain(way, messages, payload); }},
                     {"satchel, batches", [&] { return satchel_drain(batched, messages, payload); }}});
}

}  // namespace

int main(int count, char** words) {
  return bench::guarded([&] {
    const bench::Program program{"http_drain", count, words};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const support::Nginx nginx;
    const Way way{nginx.url("/quiet/")};
    for (const std::size_t bytes : {std::size_t{100}, std::size_t{1024}, std::size_t{16'384}}) {
      compare(program, "HTTP, " + bench::size_name(bytes) + ", 8 at once", way,
              program.sized<std::size_t>(20'000, 1'500), bytes);
    }
    const bench::DelayProxy line{nginx.port(), std::chrono::milliseconds{25}};
    const Way far{"http://127.0.0.1:" + std::to_string(line.port()) + "/quiet/", 32};
    for (const std::size_t bytes : {std::size_t{100}, std::size_t{1024}, std::size_t{16'384}}) {
      compare(program, "HTTP, " + bench::size_name(bytes) + ", 32 at once, round trip 50 ms", far,
              program.sized<std::size_t>(2'000, 300), bytes);
    }
  });
}
