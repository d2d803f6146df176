// SPDX-License-Identifier: MIT
#pragma once

#include "store/relay_file.hpp"
#include "store/relay_health.hpp"
#include "store/relay_snapshot.hpp"

#include <satchel/clock.hpp>
#include <satchel/observer.hpp>
#include <satchel/options.hpp>
#include <satchel/status.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel::outbox {

/// Notes in `<file>-relay` how the relay of a file is doing, for those who look from outside, and passes
/// everything on to the observer that was there. It writes when a route changes its state, and what it counts
/// about once a second while that changes; never otherwise, and without a sync. Best effort: what cannot be
/// noted is left out. For one relay, on its thread.
class Health final : public PassingObserver {
 public:
  /// `path`: of the database. `topics`: of each route.
  Health(std::string path, const Options& options, std::vector<std::vector<std::string>> topics);

  void sink_up(const std::string& sink) noexcept override;
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override;
  void failing(const std::string& problem, const std::string& hint) noexcept override;
  void healed() noexcept override;
  void leading(bool leads) noexcept override;

  void round_begins(BootTime now) noexcept;
  /// The relay's thread waits from now on: it does not hang. Of a relay that rests many times a second that
  /// is noted a moment later (`due`), unless nobody is going to come back for it: `at_once`.
  void rests(BootTime now, bool at_once) noexcept;

  /// What the relay knows now. `last`: nothing comes after it, so that it is noted at once.
  void tell(const Status& status, bool last) noexcept;
  /// The time of `due` has come for what is not noted yet.
  bool wants(BootTime now) const noexcept;
  /// When to tell again at the latest, because something is not noted yet; nothing: all is.
  std::optional<BootTime> due() const noexcept;

 private:
  bool turned(const std::string& name, SinkState state, const std::string& problem);
  void take_over();
  void stand_by();
  void follow_states(std::vector<RouteStatus>& routes);
  void write(Status status);
  template <class Change>
  void note(Change change) noexcept;
  template <class Action>
  void try_to(Action action) noexcept;

  // Constant after construction.
  const std::string path_;
  const std::shared_ptr<Clock> clock_;
  // Relay thread only.
  store::RelayHealth health_;
  std::optional<store::RelayFile> file_;
  bool leads_ = false;
  std::optional<BootTime> round_;   ///< the one that goes on, as noted
  std::optional<BootTime> rested_;  ///< when a rest was noted last
  store::RelaySnapshot snapshot_;
  std::string states_;                 ///< of the routes, as noted last
  std::vector<std::uint64_t> counts_;  ///< as noted last
  std::optional<BootTime> written_;
  std::optional<BootTime> due_;
};

}  // namespace satchel::outbox
