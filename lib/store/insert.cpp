// SPDX-License-Identifier: MIT
#include "store/insert.hpp"

#include "base/headers.hpp"
#include "base/route_topics.hpp"
#include "store/priorities.hpp"
#include "store/retry_text.hpp"

#include <algorithm>
#include <string>

namespace satchel::store {
namespace {

#define SATCHEL_INSERT \
  "INSERT INTO main.satchel_message(topic, payload, key, content_type, headers, boot, created, ttl"
constexpr const char* kPlainValues = SATCHEL_INSERT ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
constexpr const char* kPlainSelect = SATCHEL_INSERT ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE true";
constexpr const char* kFull = SATCHEL_INSERT
    ", priority, delay, retry, sequence) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE true";
#undef SATCHEL_INSERT

std::optional<std::int64_t> ms(const std::optional<std::chrono::milliseconds>& time) {
  if (!time) return std::nullopt;
  return time->count();
}

/// The route with a sequence that a message of this topic takes.
std::optional<std::string> route_of(std::string_view topic, SharedFile& file) {
  if (!file.sequenced.load()) return std::nullopt;
  const std::shared_ptr<const std::vector<RouteOptions>> routes = file.sequenced_routes();
  if (!routes) return std::nullopt;
  const auto takes = [topic](const RouteOptions& route) { return takes_topic(route.topics, topic); };
  const auto route = std::find_if(routes->begin(), routes->end(), takes);
  if (route == routes->end() || !route->sequence) return std::nullopt;
  return route->name;
}

}  // namespace

Inserter::Inserter(sqlite3* database, bool as_select)
    : database_{database},
      plain_{database, as_select ? kPlainSelect : kPlainValues},
      full_{database, kFull} {}

std::int64_t Inserter::insert(const Message& message, const std::optional<std::int64_t>& sequence,
                              const EnqueueTime& at) {
  const std::string headers = message.headers.empty() ? std::string{} : encode_headers(message.headers);
  const auto priority = message.priority ? code_of(*message.priority) : std::nullopt;
  const bool delayed = message.not_before && message.not_before->count() > 0;
  const std::string retry = message.retry ? encode_retry(*message.retry) : std::string{};
  const bool plain = !priority && !delayed && retry.empty() && !sequence;
  Use row{plain ? plain_ : full_};
  row->bind_text(1, message.topic)
      .bind_blob(2, message.payload)
      .bind_optional_text(3, message.key)
      .bind_optional_text(4, message.content_type)
      .bind_optional_text(5, headers)
      .bind(6, at.boot)
      .bind(7, at.now)
      .bind(8, ms(message.expires_after));
  if (!plain) {
    row->bind(9, priority)
        .bind(10, delayed ? ms(message.not_before) : std::nullopt)
        .bind_optional_text(11, retry)
        .bind(12, sequence);
  }
  row->run();
  return sqlite3_last_insert_rowid(database_);
}

Sequencer::Sequencer(sqlite3* database)
    : count_{database,
             "INSERT INTO main.satchel_state(name, value) VALUES ('sequence:' || ?1, 1)"
             " ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value"},
      uncount_{database, "UPDATE main.satchel_state SET value = value - 1 WHERE name = 'sequence:' || ?1"} {}

std::optional<std::int64_t> Sequencer::next(std::string_view topic, SharedFile& file) {
  const std::optional<std::string> route = route_of(topic, file);
  if (!route) return std::nullopt;
  Use number{count_};
  number->bind_text(1, *route);
  std::optional<std::int64_t> next;
  // A RETURNING statement has done its work only when it was stepped to its end.
  while (number->step()) next = number->integer(0);
  return next;
}

void Sequencer::take_back(std::string_view topic, SharedFile& file) {
  const std::optional<std::string> route = route_of(topic, file);
  if (!route) return;
  Use number{uncount_};
  number->bind_text(1, *route).run();
}

}  // namespace satchel::store
