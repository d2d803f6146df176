// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/satchel.h>
#include <satchel/error.hpp>
#include <satchel/message.hpp>
#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace satchel::capi {

/// Sizes of the versions of a structure before this one.
template <class Struct>
inline constexpr std::array<std::size_t, 0> kEarlierSizes{};
template <>
inline constexpr std::array<std::size_t, 2> kEarlierSizes<satchel_message>{
    offsetof(satchel_message, not_before_ms), offsetof(satchel_message, max_attempts)};
template <>
inline constexpr std::array<std::size_t, 2> kEarlierSizes<satchel_options>{
    offsetof(satchel_options, bulk_share), offsetof(satchel_options, on_log)};
template <>
inline constexpr std::array<std::size_t, 1> kEarlierSizes<satchel_status>{offsetof(satchel_status, urgent)};

/// Throws `UsageError` for a size that no version of the structure has.
template <class Struct>
void check_size(std::size_t size, const char* operation) {
  const bool newer = size >= sizeof(Struct) && size <= 16 * sizeof(Struct);
  const auto& earlier = kEarlierSizes<Struct>;
  if (newer || std::find(earlier.begin(), earlier.end(), size) != earlier.end()) return;
  throw UsageError{operation, "a structure has the size " + std::to_string(size),
                   "set its size to sizeof, " + std::to_string(sizeof(Struct)) + " here"};
}

/// The caller's structure as this library knows it. One that is smaller comes from an older header: what that
/// one did not know is as in `defaults`. One that is larger comes from a newer header: what this library does
/// not know has to be zero. Throws `UsageError`.
template <class Struct>
Struct read(const Struct* given, const char* operation, const Struct& defaults = {}) {
  if (given == nullptr) throw UsageError{operation, "a structure is NULL", "pass one"};
  const std::size_t size = given->size;
  check_size<Struct>(size, operation);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof(Struct) &&
      std::any_of(bytes + sizeof(Struct), bytes + size, [](unsigned char byte) { return byte != 0; })) {
    throw UsageError{operation, "a structure has a value that this library does not know",
                     "link the library that belongs to the header"};
  }
  Struct known = defaults;
  std::memcpy(&known, given, std::min(size, sizeof known));
  return known;
}

/// Throws `UsageError` for NULL.
template <class Pointer>
Pointer* given(Pointer* pointer, const char* operation, const char* what) {
  if (pointer == nullptr) throw UsageError{operation, std::string{what} + " is NULL", "pass one"};
  return pointer;
}

inline std::string text(const char* text) { return text == nullptr ? std::string{} : std::string{text}; }

satchel_options to_c(const Options& options) noexcept;
/// Throws `InvalidOption` for what the types of `Options` cannot hold; the ranges are checked at open.
Options to_cpp(const satchel_options& options);

/// Throws `UsageError`.
Message to_cpp(const satchel_message& message, const char* operation);

/// Throws `UsageError` and `InvalidOption`; the ranges are checked by `attach`.
RouteOptions to_cpp(const satchel_route& route);

satchel_message_id to_c(const MessageId& id) noexcept;
MessageId to_cpp(const satchel_message_id& id) noexcept;

satchel_status to_c(const Status& status) noexcept;
/// Borrows all texts.
satchel_route_status to_c(const RouteStatus& route) noexcept;

/// Throws `InvalidOption` for a number that `int` cannot hold.
int attempts_of(std::int64_t attempts, const char* operation);
/// Of a message and of a topic's rule; nothing where all is 0. Throws `InvalidOption`.
template <class Struct>
std::optional<RetryPolicy> retry_of(const Struct& c, const char* operation);
std::optional<Priority> priority_of(int priority, const char* operation);

/// A dead letter as C sees it, which borrows all texts of the C++ one.
class LetterView {
 public:
  explicit LetterView(const DeadLetter& letter);
  const satchel_dead_letter* get() const noexcept { return &letter_; }
  LetterView(const LetterView&) = delete;
  LetterView& operator=(const LetterView&) = delete;

 private:
  std::vector<satchel_header> headers_;
  satchel_message message_{};
  satchel_dead_letter letter_{};
};

}  // namespace satchel::capi
