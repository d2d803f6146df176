// SPDX-License-Identifier: MIT
#include "manners.hpp"

#include <algorithm>
#include <chrono>

namespace simulation {

using std::chrono::days;

namespace {

std::uint64_t size_of(const satchel::Delivery& delivery) {
  std::size_t bytes =
      delivery.topic.size() + delivery.payload.size() + delivery.key.size() + delivery.content_type.size();
  for (const satchel::Header& header : delivery.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

std::string Manners::sent(const satchel::Delivery& delivery, bool urgent, satchel::BootTime now,
                          const satchel::WallReading& wall) {
  const std::uint64_t bytes = size_of(delivery);
  if (!urgent && is_quiet(wall)) return "it was sent in a quiet hour";
  if (route_.messages_per_second > 0 && !messages_.take(route_.messages_per_second, 1, now))
    return "it was sent above the rate of messages";
  if (route_.bytes_per_second > 0 && !bytes_.take(route_.bytes_per_second, static_cast<double>(bytes), now))
    return "it was sent above the rate of bytes";
  if (route_.budget.bytes > 0 && !within_budget(bytes, urgent, now, wall))
    return "it was sent beyond the data budget, of which " + std::to_string(used_) + " of " +
           std::to_string(route_.budget.bytes) + " bytes were used with it";
  return {};
}

void Manners::began() {
  messages_.reset();
  bytes_.reset();
  used_ -= std::min(used_, unrecorded_);
  unrecorded_ = 0;
}

bool Manners::Allowance::take(double per_second, double amount, satchel::BootTime now) {
  const double most = std::max(per_second, 1.0);
  const double passed = left_ ? std::chrono::duration<double>(now - at_).count() : 0;
  left_ = std::min(most, left_.value_or(most) + passed * per_second);
  at_ = now;
  // What is more than fits goes when all of it is there, and is paid off afterwards.
  const bool allowed = *left_ + 1e-3 >= std::min(amount, most);
  *left_ -= amount;
  return allowed;
}

/// A day begins at midnight where the clock is trusted. Otherwise it lasts for 24 hours, from a look at the
/// clock that nobody outside sees: then only the first one is judged.
bool Manners::within_budget(std::uint64_t bytes, bool urgent, satchel::BootTime now,
                            const satchel::WallReading& wall) {
  if (!first_sent_) first_sent_ = now;
  if (steps_ || (!wall.trusted && now - *first_sent_ > std::chrono::hours{23})) return true;
  const std::int64_t today = std::chrono::floor<days>(wall.time).time_since_epoch().count();
  if (wall.trusted && today_ != today) used_ = unrecorded_ = 0;
  today_ = today;
  const std::uint64_t limit = route_.budget.bytes - (urgent ? 0 : route_.budget.urgent_reserve);
  const bool allowed = used_ == 0 ? limit > 0 : used_ + bytes <= limit;
  used_ += bytes;
  unrecorded_ += bytes;
  return allowed;
}

bool Manners::is_quiet(const satchel::WallReading& wall) const {
  if (!wall.trusted) return false;
  const auto time = wall.time - std::chrono::floor<days>(wall.time);
  return std::any_of(route_.quiet.begin(), route_.quiet.end(), [time](const satchel::QuietHours& hours) {
    return hours.from <= hours.to ? time >= hours.from && time < hours.to
                                  : time >= hours.from || time < hours.to;
  });
}

}  // namespace simulation
