// SPDX-License-Identifier: MIT
#include "store/flight.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace satchel::store {

void Flight::lead(const std::vector<std::int64_t>& rows) {
  const Lock lock{mutex_};
  with_sink_ = rows;
  led_.store(true);
}

void Flight::resign() noexcept {
  const Lock lock{mutex_};
  with_sink_.clear();
  led_.store(false);
}

std::vector<std::int64_t> Flight::depart(std::vector<std::int64_t>& rows,
                                         const std::vector<std::int64_t>& delivered) {
  std::vector<std::int64_t> left;
  const Lock lock{mutex_};
  if (!condemned_.empty()) {
    std::erase_if(rows, [&](std::int64_t row) SATCHEL_REQUIRES(mutex_) {
      if (condemned_.count(row) == 0) return false;
      left.push_back(row);
      return true;
    });
  }
  with_sink_.clear();
  std::set_union(rows.begin(), rows.end(), delivered.begin(), delivered.end(),
                 std::back_inserter(with_sink_));
  return left;
}

void Flight::settled(const std::vector<std::int64_t>& rows) {
  std::vector<std::int64_t> left;
  const Lock lock{mutex_};
  std::set_difference(with_sink_.begin(), with_sink_.end(), rows.begin(), rows.end(),
                      std::back_inserter(left));
  with_sink_ = std::move(left);
}

bool Flight::with_sink(std::int64_t row) const {
  const Lock lock{mutex_};
  return std::binary_search(with_sink_.begin(), with_sink_.end(), row);
}

bool Flight::condemn(std::int64_t row) {
  const Lock lock{mutex_};
  if (std::binary_search(with_sink_.begin(), with_sink_.end(), row)) return false;
  condemned_.insert(row);
  return true;
}

void Flight::pardon(std::int64_t row) {
  const Lock lock{mutex_};
  condemned_.erase(row);
}

void Flight::end(bool committed) noexcept {
  const Lock lock{mutex_};
  if (condemned_.empty()) return;
  // Before they are forgotten: the relay, which may have read them, looks for them once more from now on.
  if (committed) drops_.fetch_add(1);
  condemned_.clear();
}

}  // namespace satchel::store
