// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace satchel::relay {

/// Topics that the peer does not let this device publish to. Messages of the others go on. A held topic is
/// tried now and then with one message; its other rows are not remembered, only from where to read again.
class Topics {
 public:
  /// Topics that may be held at once; with more the whole route counts as blocked.
  static constexpr std::size_t kMost = 16;

  bool holds(const std::string& topic) const { return held_.count(topic) != 0; }
  bool empty() const noexcept { return held_.empty(); }
  std::size_t size() const noexcept { return held_.size(); }

  /// True: a block of `topic` concerns the route as a whole, because nothing was delivered since another
  /// topic was held
  /// (`deliveries` counts them), or because too many are held.
  bool blocks_route(const std::string& topic, std::uint64_t deliveries) const;

  /// Holds a topic, or holds it again after a failed try; `row` is the message to try with next.
  void hold(const std::string& topic, std::int64_t row, BootTime next, std::uint64_t deliveries);

  /// A row of a held topic without a key was passed over.
  void pass_over(const std::string& topic, std::int64_t row);

  /// A held topic whose time for a try has come, and the row to try.
  struct Try {
    std::string topic;
    std::int64_t row = 0;
  };
  std::optional<Try> due(BootTime now) const;
  /// The try is under way: none is due until the next `hold` or `retry_at_once`.
  void trying(const std::string& topic);
  /// The try came to nothing because of an outage.
  void retry_at_once(const std::string& topic, BootTime now);
  /// Each is tried at once, but for those whose try is under way.
  void hurry(BootTime now);

  /// Ends the hold. Returns from where the rows have to be read again; nothing: none without a key was passed
  /// over.
  std::optional<std::int64_t> release(const std::string& topic);

  /// Any held topic; only while there is one.
  std::string first() const { return held_.begin()->first; }

  std::optional<BootTime> next() const;

 private:
  struct Held {
    std::int64_t row = 0;
    std::int64_t skipped = 0;
    std::optional<BootTime> next{};
  };
  std::map<std::string, Held> held_;
  std::uint64_t deliveries_ = 0;
};

}  // namespace satchel::relay
