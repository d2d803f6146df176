// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace satchel::relay {

/// A message read ahead, and when.
struct Loaded {
  StoredMessage message;
  BootTime read_at;
  std::size_t bytes = 0;
};

/// Order within a key. Each key that has something going on has a lane: at most one message of it is out (in
/// flight, in backoff, waiting to be sent again), a few are read ahead, and of all later ones only the first
/// row that was passed over is remembered, so that a lane's memory does not grow with its backlog. A lane
/// without any of these is forgotten.
///
/// What is known of a key at any time: every pending row of it below the relay's cursor is out, or loaded, or
/// not below `skipped`.
class Lanes {
 public:
  /// `most` lanes. Beyond the first message of each, all together keep `most_loaded` messages and half of
  /// `most_bytes` that the cursor came across.
  /// `in_order`: the cursor comes across the rows in ascending order, so that those below a row are known.
  Lanes(std::size_t most, std::size_t most_loaded, std::size_t most_bytes, bool in_order = true) noexcept
      : most_{most}, most_loaded_{most_loaded}, most_bytes_{most_bytes}, in_order_{in_order} {}
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  std::size_t size() const noexcept { return lanes_.size(); }
  bool full() const noexcept { return lanes_.size() >= most_; }
  bool known(const std::string& key) const { return lanes_.count(key) != 0; }
  bool loaded(const std::string& key, std::int64_t row) const;
  std::size_t loaded_count() const noexcept { return loaded_count_; }
  std::size_t loaded_bytes() const noexcept { return loaded_bytes_; }

  /// A message that the cursor came across: loaded when there is room, passed over otherwise.
  void offer(Loaded message);

  /// The lowest row that could be sent now, without its lane being entered.
  const Loaded* front() const;
  /// Takes what `front` showed; its message is out from now on.
  Loaded take_front();
  std::size_t ready_count() const noexcept { return ready_.size(); }

  /// Marks a row as out. False: another row of the key is out; then this one is passed over.
  bool occupy(const std::string& key, std::int64_t row);
  /// The message that was out has come to its end: the next one may go.
  void free(const std::string& key, std::int64_t row);
  /// The message that was out is to be read again, as the first of its key.
  void put_back(const std::string& key, std::int64_t row);

  /// Rows of the key from `row` on have to be looked at, also when there is no lane yet.
  void read_from(const std::string& key, std::int64_t row);
  /// Forgets the key, but for a message of it that is out.
  void drop(const std::string& key);

  /// Forgets what was read ahead, to be read again.
  void unload(const std::string& key);
  void unload_all();

  /// Rows from `row` on are not known any more, in no lane: the cursor has gone past them.
  void pass_over_all(std::int64_t row);

  /// Nothing of the key is sent while its first message waits for a topic.
  void hold(const std::string& key, const std::string& topic);
  void release(const std::string& topic);

  /// A lane that has to be read: its key and the row to begin with.
  struct Hungry {
    std::string key;
    std::int64_t from = 0;
  };
  std::optional<Hungry> hungry() const;
  /// What a read for `hungry` found that is not out already; `last`: highest row found, nothing when there is
  /// no more.
  void feed(const std::string& key, std::vector<Loaded> found, std::optional<std::int64_t> last);

 private:
  struct Lane {
    std::int64_t out = 0;
    std::deque<Loaded> loaded{};
    std::int64_t skipped = 0;
    std::string held_topic{};
    // Where it is listed: row under which it stands in ready_ or hungry_, 0 when not.
    std::int64_t listed_ready = 0;
    std::int64_t listed_hungry = 0;
  };
  using Node = std::pair<const std::string, Lane>;

  void pass_over(Lane& lane, std::int64_t row) noexcept;
  void unload(Lane& lane);
  void discard(Lane& lane) noexcept;
  void load(Lane& lane, Loaded message);
  void relist(Node& node);

  std::size_t most_;
  std::size_t most_loaded_;
  std::size_t most_bytes_;
  bool in_order_;
  std::unordered_map<std::string, Lane> lanes_{};
  std::set<std::pair<std::int64_t, Node*>> ready_{};
  std::set<std::pair<std::int64_t, Node*>> hungry_{};
  std::size_t loaded_count_ = 0;
  std::size_t loaded_bytes_ = 0;
};

}  // namespace satchel::relay
