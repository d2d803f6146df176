// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/options.hpp>
#include <satchel/route.hpp>
#include <satchel/storage.hpp>
#include <satchel/testing/manual_clock.hpp>

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace simulation {

/// A storage under simulation, and what happens to it from outside.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual satchel::Storage& storage() = 0;
  /// Ends the process that has it open, without a release, and opens it in a new one.
  virtual void crash() = 0;
  /// A DELETE by somebody else. False: the row was not pending.
  virtual bool erase(std::int64_t row) = 0;
  /// False: it is no dead letter.
  virtual bool replay(const satchel::MessageId& id) = 0;
  /// Deletes a dead letter for good.
  virtual bool discard(const satchel::MessageId& id) = 0;
  virtual std::set<std::int64_t> pending() = 0;
  virtual std::set<std::int64_t> dead() = 0;

  /// From now on calls fail with the given probability in a thousand. False: it cannot be made to fail.
  virtual bool trouble(int) { return false; }
  /// While occupied settle returns false. False: cannot be done.
  virtual bool occupy(bool) { return false; }
  /// Numbers the messages of those routes that want it.
  virtual void number(const std::vector<satchel::RouteOptions>&) {}
  /// New messages get another identity.
  virtual void renew() {}
  /// Takes the claim away. False: cannot be done.
  virtual bool usurp() { return false; }
};

std::unique_ptr<Backend> memory_backend(const satchel::testing::ManualClock& clock, std::uint64_t seed);

/// The real store on a file of its own, in memory where possible.
std::unique_ptr<Backend> store_backend(std::shared_ptr<satchel::testing::ManualClock> clock,
                                       const satchel::Options& options);

}  // namespace simulation
