// SPDX-License-Identifier: MIT
//
// What `Status` and `FileReport` say of a file. Every statement here stops at a limit: a file with millions
// of messages is read as far as one with a hundred thousand.
#pragma once

#include "store/connection.hpp"
#include "store/reader.hpp"

#include <satchel/clock.hpp>
#include <satchel/quota.hpp>
#include <satchel/status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::store {

/// Of the messages that wait, at most `kCountedExactly` of each.
struct Parts {
  std::uint64_t urgent = 0;
  std::uint64_t bulk = 0;
  std::uint64_t delayed = 0;
  std::uint64_t failing = 0;
};

/// `schema`: the version of the file, of which the first has neither priorities nor delays.
Parts count_parts(Connection& reader, std::int64_t schema);

struct Figures {
  Counts counts;
  Parts parts;
  std::optional<std::chrono::milliseconds> oldest_age;
  DroppedByReason dropped;
  QuotaLeft quota_left;
  std::uint64_t wal_bytes = 0;
  std::uint64_t device_bytes = 0;
};

/// `path`: of the database file.
Figures measure(Connection& reader, const std::string& path, const Quota& quota, const Clock& clock);

/// What is left of `quota`, when so much of the file is in use.
QuotaLeft quota_left(const Quota& quota, Connection& reader, const Counts& counts);

/// Calls `visit` with the topic of each of the oldest messages, at most `limit`.
void visit_topics(Connection& reader, std::size_t limit, const std::function<void(std::string_view)>& visit);

/// Size of the file at `path`; 0: there is none.
std::uint64_t size_of_file(const std::string& path) noexcept;
/// What the user of this process could still write to the file system of `path`.
std::uint64_t room_beside(const std::string& path) noexcept;

}  // namespace satchel::store
