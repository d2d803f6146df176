// SPDX-License-Identifier: MIT
#include "sinks/http/batcher.hpp"

#include <iterator>
#include <utility>

namespace satchel::http {

void Batcher::close(Opened::iterator open) {
  ready_.push_back(std::move(open->items));
  by_url_.erase(open->url);
  open_.erase(open);
}

void Batcher::add(Item item, Moment now) {
  // A message that failed before may be what a whole batch failed for: alone it cannot take others with it.
  const bool alone = limits_.count == 1 || item.delivery.attempts > 0;
  if (alone) {
    ready_.emplace_back();
    ready_.back().push_back(std::move(item));
    return;
  }
  const std::size_t bytes = item.encoded.size() + 1;
  auto found = by_url_.find(item.url);
  if (found != by_url_.end() && found->second->bytes + bytes > limits_.bytes) {
    close(found->second);
    found = by_url_.end();
  }
  if (found == by_url_.end()) {
    // 1: the brackets of an array, less one comma.
    open_.push_back({item.url, {}, 1, now});
    found = by_url_.emplace(item.url, std::prev(open_.end())).first;
  }
  const auto open = found->second;
  open->items.push_back(std::move(item));
  open->bytes += bytes;
  if (open->items.size() >= limits_.count || open->bytes >= limits_.bytes) close(open);
}

void Batcher::add_first(Batch batch) { ready_.push_front(std::move(batch)); }

std::optional<Batch> Batcher::take(Moment now) {
  if (ready_.empty() && !open_.empty() && open_.front().since + limits_.linger <= now) close(open_.begin());
  if (ready_.empty()) return std::nullopt;
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  return batch;
}

std::optional<Moment> Batcher::next_ready() const {
  if (!ready_.empty()) return Moment::min();
  if (open_.empty()) return std::nullopt;
  return open_.front().since + limits_.linger;
}

Batch Batcher::drain() {
  Batch all;
  while (!open_.empty()) close(open_.begin());
  for (Batch& batch : ready_) {
    all.insert(all.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  }
  ready_.clear();
  return all;
}

}  // namespace satchel::http
