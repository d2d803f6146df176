// SPDX-License-Identifier: MIT
#pragma once

#include "store/ages.hpp"
#include "store/boots.hpp"
#include "store/claim_sql.hpp"
#include "store/connection.hpp"
#include "store/identity.hpp"

#include <satchel/storage.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace satchel::store {

/// Reads pending messages. Writes nothing and leaves no read open. Relay thread only.
class Claims {
 public:
  explicit Claims(Connection& connection);

  /// The rows that fit the query, without tombstones.
  Claimed read(const ClaimQuery& query, const Present& present);

  /// Re-reads what names and dates the rows. Call it after `read`, so that it is at least as new as the rows.
  void name(std::vector<StoredMessage>& messages, const std::vector<IdentityRange>& ranges) const;

  /// Tombstones met by `read` or left by outcomes, that a newer row may have made superfluous; bounded.
  const std::vector<std::int64_t>& tombstones() const noexcept { return tombstones_; }
  /// To be called when these were swept together with outcomes whose highest row is `settled`: of all of them
  /// only the newest can still be there. No `read` meets it again, because reading goes on behind it.
  void swept(std::int64_t settled);

 private:
  struct Prepared {
    Prepared(Connection& connection, const ClaimShape& shape)
        : sql{claim_sql(shape)}, statement{connection.database(), sql.c_str()} {}
    const std::string sql;
    Statement statement;
  };
  Statement& statement(const ClaimShape& shape);
  static bool wanted(const ClaimQuery& query, Statement& row);
  /// The whole of a row of which only the head was read.
  StoredMessage read_row(std::int64_t row, bool with_attempts, const Present& present);
  StoredMessage decode(Statement& row, bool with_attempts, const Present& present);
  void date(StoredMessage& message, Statement& row, const Present& present);
  /// Nothing was found: throws when there is a row that no id leads to.
  void miss_none();
  Moment first_seen(std::int64_t row, const Present& present);

  Connection& connection_;
  Statement any_attempts_;
  Statement any_message_;
  Statement same_row_;
  std::array<std::unique_ptr<Prepared>, kClaimShapes> statements_;
  Offsets offsets_;
  std::vector<std::int64_t> tombstones_;
  /// When rows without a time of their own were first seen; only those that can expire.
  std::map<std::int64_t, std::int64_t> first_seen_;
};

}  // namespace satchel::store
