// SPDX-License-Identifier: MIT
#pragma once

#include "support/deliveries.hpp"
#include "support/scripted_http.hpp"
#include "support/sink_recorder.hpp"

#include <satchel/http.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

using satchel::Delivery;
using satchel::HttpOptions;
using satchel::HttpSink;
using satchel::Receipt;

/// An HttpSink in the hands of a test: started, up, and stopped at the end.
class Harness {
 public:
  explicit Harness(HttpOptions options) : sink_{std::move(options)} {
    sink_.start(recorder);
    sink_.resume();
    if (!recorder.wait_up()) throw std::runtime_error{"the sink did not come up"};
  }
  /// Waits for the network thread: one that is left behind would free what is OpenSSL's beside the end of the
  /// process, which does so as well.
  ~Harness() { sink_.stop(std::chrono::seconds{2}); }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  void send(std::vector<Delivery> batch) { sink_.send(std::move(batch)); }

  /// Sends one more message and waits for its receipt.
  Receipt post(Delivery message) {
    const std::uint64_t claim = message.claim;
    sink_.send({std::move(message)});
    return receipt_of(claim);
  }
  Receipt post(std::uint64_t claim) { return post(delivery(claim)); }

  Receipt receipt_of(std::uint64_t claim) {
    for (std::size_t count = 1;; ++count) {
      const auto receipts = recorder.wait_receipts(count);
      if (receipts.size() < count) throw std::runtime_error{"no receipt for claim " + std::to_string(claim)};
      for (const Receipt& receipt : receipts) {
        if (receipt.claim == claim) return receipt;
      }
      count = receipts.size();
    }
  }

  /// Stops the sink and returns how long that took.
  std::chrono::milliseconds stop(std::chrono::milliseconds timeout) {
    const auto begin = std::chrono::steady_clock::now();
    sink_.stop(timeout);
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  }

  HttpSink& sink() noexcept { return sink_; }

  SinkRecorder recorder;

 private:
  HttpSink sink_;
};

inline HttpOptions options_for(const std::string& url) {
  HttpOptions options;
  options.url = url;
  return options;
}

/// How often the newest thread of this name went to sleep so far: each time it had been woken before. -1:
/// there is no such thread.
inline long context_switches(const std::string& thread) {
  long newest = -1;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::string name;
    std::ifstream file{task.path() / "comm"};
    std::getline(file, name);
    if (name == thread) newest = std::max(newest, std::stol(task.path().filename().string()));
  }
  std::ifstream status{"/proc/self/task/" + std::to_string(newest) + "/status"};
  const std::string wanted = "voluntary_ctxt_switches:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(wanted)) return std::stol(line.substr(wanted.size()));
  }
  return -1;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace support
