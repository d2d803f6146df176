// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace satchel::store {

/// One kind of reading pending messages.
struct ClaimShape {
  enum class By : std::uint8_t {
    row_order,  ///< all rows
    priority,   ///< those with ?2 in the priority column
    key,        ///< those of the key ?2
    row,        ///< the row ?2
  };
  By by = By::row_order;
  bool down = false;      ///< from the newest to the oldest; by row order and priority only
  bool attempts = false;  ///< together with what is known of failed attempts
  bool heads = false;     ///< only what tells whether the row is wanted: no payload is read
};

/// Its SQL text. Rows are greater than ?1, and less than ?3 where it goes down. The columns are those of
/// `ClaimColumn`.
std::string claim_sql(const ClaimShape& shape);

/// The place of each column in the result. `heads` ends with `delay`.
enum ClaimColumn : int {
  kId,
  kTopic,
  kPriority,
  kDelay,
  kPayload,
  kKey,
  kContentType,
  kHeaders,
  kBoot,
  kCreated,
  kTimeToLive,
  kRetry,
  kSequence,
  kAttempts,
  kSuspect,
  kDueBoot,
  kDue,
  kAged,
};

/// A number for each shape, below `kClaimShapes`.
std::size_t index_of(const ClaimShape& shape) noexcept;
inline constexpr std::size_t kClaimShapes = 32;

}  // namespace satchel::store
