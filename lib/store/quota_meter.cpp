// SPDX-License-Identifier: MIT
#include "store/quota_meter.hpp"

#include "store/priorities.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace satchel::store {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;
/// Pages that a message may take besides those that it fills: the leaf of the table and what splits above
/// it, and the same of an index.
constexpr std::uint64_t kTablePages = 4;
constexpr std::uint64_t kIndexPages = 9;
/// Bytes of a row besides its texts, and of a page besides its content.
constexpr std::uint64_t kRowBytes = 100;
constexpr std::uint64_t kPageBytes = 40;

constexpr const char* kCountsTable =
    "CREATE TABLE satchel_quota(priority INTEGER PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT "
    "NULL) STRICT";

/// SQL for the class and the bytes of a row.
std::string class_of(const char* row) {
  return fmt::format("CASE {0}priority WHEN 1 THEN 1 WHEN 2 THEN 2 ELSE 0 END", row);
}
std::string bytes_of(const char* row) {
  std::string sum;
  for (const char* column : {"topic", "payload", "key", "content_type", "headers"}) {
    sum += fmt::format("{}coalesce(length(CAST({}{} AS BLOB)), 0)", sum.empty() ? "" : " + ", row, column);
  }
  return sum;
}

std::string change(const char* row, const char* sign) {
  return fmt::format(
      "UPDATE satchel_quota SET messages = messages {0} 1, bytes = bytes {0} ({1}) WHERE priority = {2} AND "
      "{3}topic <> '';",
      sign, bytes_of(row), class_of(row), row);
}

/// Name and definition of each trigger. An update counts as a removal and an addition: a dead letter may
/// become a message in the place of a tombstone.
std::array<std::pair<std::string, std::string>, 3> triggers() {
  const auto make = [](const char* name, const char* when, const std::string& what) {
    return std::pair{
        std::string{name},
        fmt::format("CREATE TRIGGER {} AFTER {} ON satchel_message BEGIN {} END", name, when, what)};
  };
  return {make("satchel_quota_insert", "INSERT", change("NEW.", "+")),
          make("satchel_quota_delete", "DELETE", change("OLD.", "-")),
          make("satchel_quota_update", "UPDATE OF topic, payload, key, content_type, headers, priority",
               change("OLD.", "-") + " " + change("NEW.", "+"))};
}

bool has(SQLite::Database& database, const std::string& name, const std::string& sql) {
  Statement found{database, "SELECT 1 FROM sqlite_schema WHERE name = ?1 AND (?2 = '' OR sql = ?2)"};
  return found.bind_text(1, name).bind_text(2, sql).step();
}

std::uint64_t number(Statement& statement) {
  Use use{statement};
  return use->step() ? static_cast<std::uint64_t>(std::max<std::int64_t>(use->integer(0), 0)) : 0;
}

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max()
                                                           : a + b;
}

bool any_limit(const Quota& quota) {
  const auto share = [](const Quota::Share& one) { return one.messages != 0 || one.bytes != 0; };
  return quota.messages != 0 || quota.bytes != 0 || quota.keep_free != 0 || share(quota.urgent) ||
         share(quota.normal) || share(quota.bulk);
}

std::optional<std::string> over(const std::string& name, std::uint64_t used, std::uint64_t more,
                                std::uint64_t limit) {
  if (limit == 0 || plus(used, more) <= limit) return std::nullopt;
  return fmt::format("{} is {}; {} are used and {} needed", name, limit, used, more);
}

}  // namespace

Need need_of(const Message& message) {
  Need need;
  need.priority = message.priority.value_or(Priority::normal);
  need.bytes =
      message.topic.size() + message.payload.size() + message.key.size() + message.content_type.size();
  // As they are kept: with quotation marks, colon and comma.
  for (const Header& header : message.headers) need.bytes += header.name.size() + header.value.size() * 2 + 6;
  if (!message.headers.empty()) need.bytes += 2;
  need.indexed = !message.key.empty() || need.priority != Priority::normal || message.not_before.has_value();
  return need;
}

QuotaMeter::QuotaMeter(sqlite3* database, const Quota& quota, std::string path)
    : quota_{quota},
      path_{std::move(path)},
      limits_{any_limit(quota)},
      newest_{database, "SELECT max(id) FROM main.satchel_message"},
      oldest_{database, "SELECT id FROM main.satchel_message NOT INDEXED WHERE topic <> '' ORDER BY id"},
      pages_{database, "PRAGMA main.page_count"},
      free_pages_{database, "PRAGMA main.freelist_count"},
      counts_{database, "SELECT priority, messages, bytes FROM main.satchel_quota"} {
  if (quota.bytes == 0 || quota.exact) return;
  Statement size{database, "PRAGMA main.page_size"};
  page_size_ = number(size);
}

std::optional<Shortage> QuotaMeter::shortage(const Need& need, const WithSink& with_sink) {
  return quota_.exact ? by_counts(need) : by_bounds(need, with_sink);
}

std::uint64_t QuotaMeter::span(const WithSink& with_sink) {
  const std::uint64_t newest = number(newest_);
  std::uint64_t beside = 0;
  Use rows{oldest_};
  while (rows->step()) {
    const std::int64_t row = rows->integer(0);
    const std::uint64_t all = newest - static_cast<std::uint64_t>(row) + 1 + beside;
    // Only near the limit it is worth knowing that the oldest are with a sink.
    if (plus(all, 2) <= quota_.messages || !with_sink(row)) return all;
    ++beside;
  }
  return beside;
}

std::optional<Shortage> QuotaMeter::by_bounds(const Need& need, const WithSink& with_sink) {
  if (quota_.messages != 0) {
    if (auto text = over("quota.messages", span(with_sink), need.messages, quota_.messages))
      return Shortage{*std::move(text)};
  }
  if (quota_.bytes == 0) return std::nullopt;
  const std::uint64_t used = (number(pages_) - std::min(number(free_pages_), number(pages_))) * page_size_;
  const std::uint64_t fill = (need.bytes + need.messages * kRowBytes) / (page_size_ - kPageBytes);
  const std::uint64_t pages = fill + need.messages * (kTablePages + (need.indexed ? kIndexPages : 0));
  if (auto text = over("quota.bytes", used, pages * page_size_, quota_.bytes))
    return Shortage{*std::move(text)};
  return std::nullopt;
}

std::optional<Shortage> QuotaMeter::by_counts(const Need& need) {
  Used all;
  Used mine;
  {
    Use rows{counts_};
    while (rows->step()) {
      const auto value = [&](int column) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(rows->integer(column), 0));
      };
      all.messages += value(1);
      all.bytes += value(2);
      if (priority_of(rows->optional_integer(0)) == need.priority) mine = {value(1), value(2)};
    }
  }
  const bool urgent = need.priority == Priority::urgent;
  const bool bulk = need.priority == Priority::bulk;
  const Quota::Share& share = urgent ? quota_.urgent : bulk ? quota_.bulk : quota_.normal;
  const std::string name = urgent ? "quota.urgent" : bulk ? "quota.bulk" : "quota.normal";
  if (auto text = over(name + ".messages", mine.messages, need.messages, share.messages))
    return Shortage{*std::move(text), need.priority};
  if (auto text = over(name + ".bytes", mine.bytes, need.bytes, share.bytes))
    return Shortage{*std::move(text), need.priority};
  if (auto text = over("quota.messages", all.messages, need.messages, quota_.messages))
    return Shortage{*std::move(text)};
  if (auto text = over("quota.bytes", all.bytes, need.bytes, quota_.bytes)) return Shortage{*std::move(text)};
  return std::nullopt;
}

std::optional<Shortage> QuotaMeter::short_of_disk(const Need& need) {
  if (quota_.keep_free == 0) return std::nullopt;
  const std::uint64_t wanted = need.bytes + kRowBytes;
  if (!disk_left_ || plus(since_ask_, wanted) > std::min(*disk_left_, kMiB)) {
    struct statvfs disk {};
    // A file system that does not answer is not known to be full.
    if (::statvfs(path_.c_str(), &disk) != 0) return std::nullopt;
    const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    disk_left_ = free - std::min(free, quota_.keep_free);
    since_ask_ = 0;
    if (wanted > *disk_left_) {
      disk_left_.reset();
      return Shortage{fmt::format("the file system has {} bytes free, of which quota.keep_free keeps {}",
                                  free, quota_.keep_free)};
    }
  }
  since_ask_ += wanted;
  return std::nullopt;
}

bool exact_counts_are(SQLite::Database& database, bool wanted) {
  if (!wanted) {
    Statement any{database, "SELECT 1 FROM sqlite_schema WHERE name GLOB 'satchel_quota*'"};
    return !any.step();
  }
  bool all = has(database, "satchel_quota", kCountsTable);
  for (const auto& [name, sql] : triggers()) all = all && has(database, name, sql);
  return all;
}

void set_exact_counts(SQLite::Database& database, bool wanted) {
  for (const auto& [name, sql] : triggers()) database.exec("DROP TRIGGER IF EXISTS " + name);
  database.exec("DROP TABLE IF EXISTS satchel_quota");
  if (!wanted) return;
  database.exec(kCountsTable);
  database.exec(
      fmt::format("INSERT INTO satchel_quota VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0);"
                  "INSERT OR REPLACE INTO satchel_quota SELECT {} AS class, count(*), sum({})"
                  " FROM satchel_message WHERE topic <> '' GROUP BY class",
                  class_of(""), bytes_of("")));
  for (const auto& [name, sql] : triggers()) database.exec(sql);
}

}  // namespace satchel::store
