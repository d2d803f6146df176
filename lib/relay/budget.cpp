// SPDX-License-Identifier: MIT
#include "relay/budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace satchel::relay {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using Span = BootTimeTag::duration;

// More than this between two looks is a step of the wall clock: no drift, no leap second.
constexpr milliseconds kStep = std::chrono::hours{1};
constexpr milliseconds kMost = std::chrono::hours{1};
// What a calendar can say; a clock beyond it is not believed.
constexpr WallTime kEarliest = std::chrono::sys_days{std::chrono::year{1} / 1 / 1};
constexpr WallTime kLatest = std::chrono::sys_days{std::chrono::year{9999} / 1 / 1};

constexpr std::string_view kVersion = "1";
constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

// FNV-1a: finds a text that was cut or changed by accident.
std::uint32_t sum_of(std::string_view text) noexcept {
  std::uint32_t sum = 2'166'136'261U;
  for (const char character : text) {
    sum = (sum ^ static_cast<unsigned char>(character)) * 16'777'619U;
  }
  return sum;
}

// Takes what is in front of the next space off the text.
std::string_view taken_word(std::string_view& text) noexcept {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

template <class Number>
bool taken(std::string_view& text, Number& number) noexcept {
  const std::string_view word = taken_word(text);
  const char* end = word.data() + word.size();
  const auto [rest, failure] = std::from_chars(word.data(), end, number);
  return failure == std::errc{} && rest == end;
}

bool believable(WallTime time) noexcept { return time >= kEarliest && time < kLatest; }

}  // namespace

bool Budget::admits(std::size_t bytes, bool urgent, BootTime now, const WallReading& wall) noexcept {
  if (!limits()) return true;
  look(now, wall);
  return fits(used_, bytes, urgent);
}

void Budget::take(std::size_t bytes, BootTime now, const WallReading& wall) noexcept {
  if (!limits()) return;
  look(now, wall);
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  used_ = bytes > most - used_ ? most : used_ + bytes;
}

std::optional<BootTime> Budget::next(std::size_t bytes, bool urgent, BootTime now,
                                     const WallReading& wall) noexcept {
  if (admits(bytes, urgent, now, wall)) return std::nullopt;
  const bool calendar = wall.trusted && believable(wall.time);
  Span left = (calendar ? length() + length() / 2 : length()) - elapsed_;
  if (calendar) left = std::min<Span>(left, start_of(*number_ + 1) - wall.time);
  return now + std::clamp<Span>(left, milliseconds{1}, kMost);
}

std::uint64_t Budget::used(BootTime now, const WallReading& wall) noexcept {
  if (!limits()) return 0;
  look(now, wall);
  return used_;
}

std::string Budget::note(const std::string& boot_id) const {
  const auto milliseconds_of = [](auto time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  };
  const std::string body =
      fmt::format("{} {} {} {} {} {} {} {} {} {}", kVersion, used_, elapsed_.count(), first_ ? 1 : 0,
                  number_.value_or(kNone), trusted_ ? milliseconds_of(trusted_->wall) : kNone,
                  trusted_ && trusted_->this_boot ? trusted_->boot.time_since_epoch().count() : kNone,
                  trusted_ ? trusted_->elapsed.count() : 0,
                  looked_ ? looked_->time_since_epoch().count() : kNone, boot_id);
  return fmt::format("{:08x} {}", sum_of(body), body);
}

bool Budget::restore(std::string_view note, const std::string& boot_id, BootTime now) noexcept {
  constexpr std::size_t kSum = 9;
  std::uint32_t sum = 0;
  const std::string_view written = taken_word(note);
  const auto read = std::from_chars(written.data(), written.data() + written.size(), sum, 16);
  if (written.size() + 1 != kSum || read.ec != std::errc{} || sum != sum_of(note)) return false;

  std::uint64_t used = 0;
  int first = 0;
  std::array<std::int64_t, 6> times{};
  auto& [elapsed, number, trusted_wall, trusted_boot, trusted_elapsed, looked] = times;
  const bool complete = taken_word(note) == kVersion && taken(note, used) && taken(note, elapsed) &&
                        taken(note, first) && taken(note, number) && taken(note, trusted_wall) &&
                        taken(note, trusted_boot) && taken(note, trusted_elapsed) && taken(note, looked);
  if (!complete) return false;
  const bool same_boot = note == boot_id;

  used_ = used;
  first_ = first != 0;
  const auto within = [this](std::int64_t time) {
    return std::clamp<Span>(Span{time}, Span{0}, 2 * length());
  };
  elapsed_ = within(elapsed);
  number_ = number == kNone ? std::nullopt : std::optional{number};
  trusted_.reset();
  if (const WallTime wall{milliseconds{trusted_wall}}; believable(wall)) {
    const bool here = same_boot && trusted_boot >= 0 && BootTime{Span{trusted_boot}} <= now;
    trusted_ = Trusted{wall, here ? BootTime{Span{trusted_boot}} : BootTime{}, here, within(trusted_elapsed)};
  }
  // Of another boot: how long the device was off is not known, but that it has run since its boot is.
  const BootTime before{Span{same_boot ? std::max<std::int64_t>(looked, 0) : 0}};
  looked_ = std::min(before, now);
  return true;
}

void Budget::look(BootTime now, const WallReading& wall) noexcept {
  if (looked_ && now > *looked_) elapsed_ = std::min<Span>(elapsed_ + (now - *looked_), 2 * length());
  looked_ = now;
  if (wall.trusted && believable(wall.time)) {
    follow(wall, now);
  } else if (elapsed_ >= length()) {
    begin_period();
    number_.reset();
    trusted_.reset();
  }
}

void Budget::follow(const WallReading& wall, BootTime now) noexcept {
  const std::int64_t number = number_of(wall.time);
  bool came_by_itself = true;
  if (trusted_ && trusted_->this_boot) {
    const milliseconds shown = wall.time - trusted_->wall;
    const auto passed = std::chrono::duration_cast<milliseconds>(now - trusted_->boot);
    came_by_itself = shown - passed <= kStep && passed - shown <= kStep;
  } else if (trusted_ && wall.time > trusted_->wall) {
    // The first look after a reboot: only now it is known how long the device was off.
    const Span since = std::min<Span>(wall.time - trusted_->wall, 2 * length());
    elapsed_ = std::max<Span>(elapsed_, trusted_->elapsed + since);
  }
  const bool later = number_ && number > *number_;
  number_ = number;
  if (later && came_by_itself && (first_ || elapsed_ >= length() / 2)) begin_period();
  if (elapsed_ >= length() + length() / 2) begin_period();
  trusted_ = Trusted{wall.time, now, true, elapsed_};
}

void Budget::begin_period() noexcept {
  used_ = 0;
  elapsed_ = Span{0};
  first_ = false;
}

bool Budget::fits(std::uint64_t used, std::size_t bytes, bool urgent) const noexcept {
  const std::uint64_t reserve = urgent ? 0 : std::min(options_.urgent_reserve, options_.bytes);
  const std::uint64_t limit = options_.bytes - reserve;
  if (used == 0) return limit > 0;
  return used < limit && bytes <= limit - used;
}

milliseconds Budget::length() const noexcept {
  return options_.period == DataBudget::Period::day ? days{1} : days{30};
}

std::int64_t Budget::number_of(WallTime time) const noexcept {
  const auto day = std::chrono::floor<days>(time);
  if (options_.period == DataBudget::Period::day) return day.time_since_epoch().count();
  const std::chrono::year_month_day date{day};
  return (static_cast<int>(date.year()) - 1970) * 12LL + static_cast<unsigned>(date.month()) - 1;
}

WallTime Budget::start_of(std::int64_t number) const noexcept {
  if (options_.period == DataBudget::Period::day) return WallTime{days{number}};
  const std::chrono::year_month first{std::chrono::year{1970}, std::chrono::January};
  return std::chrono::sys_days{(first + std::chrono::months{number}) / 1};
}

}  // namespace satchel::relay
