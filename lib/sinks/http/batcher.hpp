// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/http/item.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

namespace satchel::http {

using Moment = std::chrono::steady_clock::time_point;

struct BatchLimits {
  std::size_t count = 1;
  std::size_t bytes = 0;
  std::chrono::milliseconds linger{0};
};

/// Collects what waits for a request into batches, one address each. One thread at a time.
class Batcher {
 public:
  explicit Batcher(BatchLimits limits) : limits_{limits} {}

  void add(Item item, Moment now);
  /// Before everything else: the halves of a batch that was refused.
  void add_first(Batch batch);

  /// The next batch that is full, or whose oldest message has waited for `linger`, or that failed before and
  /// goes alone; nothing: none is ready.
  std::optional<Batch> take(Moment now);
  /// When `take` will find the next one; nothing: only after another `add`.
  std::optional<Moment> next_ready() const;
  /// Everything that still waits.
  Batch drain();

 private:
  struct Open {
    std::string url;
    Batch items;
    std::size_t bytes = 0;
    Moment since;
  };
  using Opened = std::list<Open>;
  void close(Opened::iterator open);

  const BatchLimits limits_;
  std::deque<Batch> ready_;
  /// In the order in which they were begun, so that the first is due first.
  Opened open_;
  std::unordered_map<std::string, Opened::iterator> by_url_;
};

}  // namespace satchel::http
