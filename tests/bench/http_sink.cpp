// SPDX-License-Identifier: MIT
//
// How many messages a second the HTTP sink posts to nginx, beside a bare libcurl multi loop that posts the
// same bodies and nothing else. Both run in turns in one run; the ratio is the figure to look at. Usage:
// bench-http-sink [MESSAGES [REPETITIONS]]
#include "support/deliveries.hpp"
#include "support/nginx.hpp"

#include <satchel/http.hpp>

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Seconds = std::chrono::duration<double>;

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// The baseline: so many handles, each used again as soon as it is done.
class BareLoop {
 public:
  BareLoop(const std::string& url, const std::string& payload, std::size_t parallel)
      : multi_{curl_multi_init()} {
    fields_.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    curl_slist_append(fields_.get(), "Expect:");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(parallel));
    for (std::size_t index = 0; index < parallel; ++index) {
      handles_.emplace_back(curl_easy_init());
      CURL* const handle = handles_.back().get();
      curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
      curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(handle, CURLOPT_PROXY, "");
      curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields_.get());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(payload.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, payload.c_str());
    }
  }

  double run(std::size_t messages) {
    const auto begin = std::chrono::steady_clock::now();
    std::size_t begun = 0;
    std::size_t done = 0;
    for (; begun < std::min(handles_.size(), messages); ++begun)
      curl_multi_add_handle(multi_.get(), handles_[begun].get());
    while (done < messages) {
      int running = 0;
      int left = 0;
      curl_multi_perform(multi_.get(), &running);
      bool progress = false;
      while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        CURL* const handle = message->easy_handle;
        if (message->data.result != CURLE_OK) throw std::runtime_error{"the baseline failed"};
        curl_multi_remove_handle(multi_.get(), handle);
        progress = true;
        ++done;
        if (begun++ < messages) curl_multi_add_handle(multi_.get(), handle);
      }
      if (!progress) curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
    }
    return Seconds{std::chrono::steady_clock::now() - begin}.count();
  }

 private:
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<curl_slist, ListDeleter> fields_;
  std::vector<std::unique_ptr<CURL, EasyDeleter>> handles_;
};

/// The relay's place: keeps the sink full and counts.
class Feeder final : public satchel::SinkEvents {
 public:
  double run(satchel::HttpSink& sink, std::size_t messages, const std::string& payload) {
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t window = std::max<std::size_t>(sink.capacity(), 1);
    std::size_t sent = 0;
    std::unique_lock lock{mutex_};
    while (answered_ < messages) {
      const std::size_t free = std::min(messages - sent, window - (sent - answered_));
      if (free > 0) {
        lock.unlock();
        auto batch = support::deliveries(sent + 1, free, "bench", payload);
        for (auto& one : batch) one.content_type = "application/json";
        sink.send(std::move(batch));
        sent += free;
        lock.lock();
        continue;
      }
      changed_.wait(lock,
                    [&] { return answered_ == messages || (sent < messages && window > sent - answered_); });
    }
    if (failed_) throw std::runtime_error{"the sink failed"};
    return Seconds{std::chrono::steady_clock::now() - begin}.count();
  }
  void receipts(std::vector<satchel::Receipt> batch) noexcept override {
    const std::lock_guard lock{mutex_};
    answered_ += batch.size();
    for (const auto& receipt : batch) failed_ = failed_ || receipt.verdict != satchel::Verdict::delivered;
    changed_.notify_all();
  }
  void up() noexcept override {}
  void down(satchel::Receipt) noexcept override {}

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t answered_ = 0;
  bool failed_ = false;
};

double run_sink(const satchel::HttpOptions& options, std::size_t messages, const std::string& payload) {
  Feeder feeder;
  satchel::HttpSink sink{options};
  sink.start(feeder);
  sink.resume();
  const double seconds = feeder.run(sink, messages, payload);
  sink.stop(std::chrono::seconds{5});
  return seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const support::Nginx& nginx, std::size_t messages, int repetitions, std::size_t parallel,
             std::size_t bytes) {
  const std::string payload = '"' + std::string(bytes - 2, 'x') + '"';
  satchel::HttpOptions options;
  options.url = nginx.url("/quiet/");
  options.parallel = parallel;
  satchel::HttpOptions batches = options;
  batches.body = satchel::HttpBody::json_array;
  std::vector<double> bare;
  std::vector<double> ours;
  std::vector<double> batched;
  for (int round = 0; round < repetitions; ++round) {
    bare.push_back(BareLoop{options.url, payload, parallel}.run(messages));
    ours.push_back(run_sink(options, messages, payload));
    batched.push_back(run_sink(batches, messages, payload));
  }
  const auto rate = [&](const std::vector<double>& times) {
    return static_cast<double>(messages) / median(times);
  };
  fmt::print(
      "{:>3} parallel {:>6} B: bare {:>8.0f}/s  sink {:>8.0f}/s  ratio {:.2f}  batches of 100 {:>8.0f}/s\n",
      parallel, bytes, rate(bare), rate(ours), rate(ours) / rate(bare), rate(batched));
}

}  // namespace

int main(int count, char** words) {
  const std::size_t messages = count > 1 ? std::strtoul(words[1], nullptr, 10) : 20'000;
  const int repetitions = count > 2 ? std::atoi(words[2]) : 5;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line as soon as it is known
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const support::Nginx nginx;
  const std::size_t parallel = count > 3 ? std::strtoul(words[3], nullptr, 10) : 8;
  for (const std::size_t bytes : {100U, 1024U, 16'384U})
    compare(nginx, messages, repetitions, parallel, bytes);
}
