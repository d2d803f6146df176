// SPDX-License-Identifier: MIT
#include "store/claim_sql.hpp"

namespace satchel::store {

std::string claim_sql(const ClaimShape& shape) {
  using By = ClaimShape::By;
  std::string sql = "SELECT m.id, m.topic, m.priority, m.delay";
  if (!shape.heads) {
    sql += ", m.payload, m.key, m.content_type, m.headers, m.boot, m.created, m.ttl, m.retry, m.sequence";
  }
  const bool attempts = shape.attempts && !shape.heads;
  if (attempts) sql += ", a.attempts, a.suspect, a.boot, a.due, a.aged";
  sql += " FROM satchel_message m";
  // The indexes are named: no statistics may ever lead the planner elsewhere.
  if (shape.by == By::row_order) sql += " NOT INDEXED";
  if (shape.by == By::priority) sql += " INDEXED BY satchel_message_by_priority";
  if (shape.by == By::key) sql += " INDEXED BY satchel_message_by_key";
  if (attempts) sql += " LEFT JOIN satchel_attempt a ON a.id = m.id";
  sql += " WHERE m.id > ?1";
  if (shape.by == By::priority) sql += " AND m.priority = ?2";
  if (shape.by == By::key) sql += " AND m.key = ?2";
  if (shape.by == By::row) return sql + " AND m.id = ?2";
  return sql + (shape.down ? " AND m.id < ?3 ORDER BY m.id DESC" : " ORDER BY m.id");
}

std::size_t index_of(const ClaimShape& shape) noexcept {
  return static_cast<std::size_t>(shape.by) * 8 + (shape.down ? 4 : 0) + (shape.attempts ? 2 : 0) +
         (shape.heads ? 1 : 0);
}

}  // namespace satchel::store
