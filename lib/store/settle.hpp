// SPDX-License-Identifier: MIT
#pragma once

#include "store/ages.hpp"
#include "store/connection.hpp"
#include "store/identity.hpp"
#include "store/remover.hpp"

#include <satchel/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satchel::store {

/// The first `limit` bytes of a text, cut between two characters.
std::string shortened(const std::string& text, std::size_t limit);

/// A message that is not going to be delivered.
struct DroppedRow {
  std::int64_t row = 0;  ///< 0: it never had one
  std::string topic;
  std::optional<std::int64_t> sequence;
  bool unconfirmed = false;
  /// Not empty: it was an announcement itself, and this is what it announced.
  std::string announcement{};
};

/// Names that `Settlement::notes` may use.
inline constexpr std::int64_t kMostNotes = 1000;

/// Longest error text that is kept with a message.
inline constexpr std::size_t kMaxErrorBytes = 1024;

/// Writes outcomes inside a transaction of the relay's connection. Relay thread only.
class Settler {
 public:
  explicit Settler(Connection& connection);

  /// See `Remover::epoch`.
  std::int64_t epoch() { return remover_.epoch(); }
  std::int64_t raise_epoch();

  /// Leaves the texts of errors out from now on, or not any more: what a message needs to fail and to die is
  /// then little more than what it takes up already.
  void leave_out_texts(bool on) noexcept { without_texts_ = on; }

  /// Deletes delivered rows; returns how many of them were still there.
  std::int64_t delivered(const std::vector<std::int64_t>& rows);
  /// Deletes expired rows; returns those that were still there.
  std::vector<DroppedRow> expired(const std::vector<std::int64_t>& rows);
  void failed(const Failure& failure, const Present& present);
  /// False: the message was not there any more, and there is no dead letter.
  bool died(const Death& death, const Identity& identity, const Present& present);
  /// Removes tombstones that a newer row has made superfluous.
  void sweep(const std::vector<std::int64_t>& tombstones);
  /// Removes records of failures whose message is gone.
  void sweep_attempts();
  void count(const char* name, std::int64_t by);
  /// Keeps a named value. Of names beyond `kMostNotes` nothing is kept.
  void note(const std::string& name, const std::string& value);
  std::map<std::string, std::string> notes();
  /// True when the row is a pending message.
  bool pending(std::int64_t row);

 private:
  std::string text_of(const std::string& error) const;

  Connection& connection_;
  bool without_texts_ = false;
  Remover remover_;
  Statement raise_epoch_;
  Statement expired_;
  Statement fail_;
  Statement bury_;
  Statement sweep_;
  Statement count_;
  Statement pending_;
  Statement change_note_;
  Statement add_note_;
};

/// Name of the counter of dead letters of one reason.
const char* counter_of(DeadReason reason) noexcept;

}  // namespace satchel::store
