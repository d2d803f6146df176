// SPDX-License-Identifier: MIT
//
// The whole life of an outbox, step by step, as an application lives it that goes on after every error; and
// what it was told, kept outside of the file.
#pragma once

#include <satchel/error.hpp>
#include <satchel/options.hpp>
#include <satchel/outbox.hpp>
#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace calls {

/// What an application knows about one of its transactions.
enum class Fate : std::uint8_t { failed, unknown, committed };

struct Entry {
  Fate fate = Fate::failed;
  std::vector<std::string> payloads;
};

/// Where the steps are, for a step to be told apart.
struct Hooks {
  /// Called before each step with its name.
  std::function<void(const char*)> before{};
  /// Called around what the test itself writes down.
  std::function<void()> spare{};
  std::function<void()> unspare{};
  /// The fault keeps a failed opening from removing what it has made.
  bool nothing_can_be_removed = false;
  /// True once a fault has hit.
  std::function<bool()> hit = [] { return false; };
};

/// What kind of outbox it is.
enum class Manner : std::uint8_t {
  plain,    ///< retries, dead letters, a replay, a discard
  policies  ///< relaxed; a quota that drops, messages that coalesce or expire, announcements
};

class Life {
 public:
  Life(std::string path, const std::string& vfs, Hooks hooks, Manner manner = Manner::plain);
  ~Life();
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  /// All steps. No exception leaves it.
  void run();
  /// After the fault is gone: the outbox that is open has to get everything out by itself.
  void recover();
  /// Opens the file anew, takes the dead back, delivers what is left and compares with what was told.
  void compare();

  /// What is wrong, in words; empty: nothing.
  const std::vector<std::string>& breaches() const noexcept { return breaches_; }
  int errors() const noexcept { return errors_; }
  int unknowns() const noexcept { return unknowns_; }
  /// Failures of the relay that no call threw.
  int background() const noexcept { return background_; }
  /// Messages that were dropped or expired, as the observer was told.
  int dropped() const noexcept { return dropped_; }
  int duplicates() const;
  int committed() const;

 private:
  struct Note;  // what the test writes down

  template <class Action>
  Fate attempt(const char* name, Action&& action);
  bool have_outbox();
  void make_outbox();
  void transact(int number, bool commit = true);
  void run_plain();
  void run_policies();
  void close_unless_hit();
  void note_droppable(const std::vector<satchel::Message>& messages);
  void relay(int rounds, std::chrono::milliseconds pace);
  void repair_dead();
  void breach(const char* where, const char* what);
  std::optional<satchel::Receipt> answer(const satchel::Delivery& delivery);
  void check_rows(satchel::Outbox& outbox);

  const std::string path_;
  const Hooks hooks_;
  const Manner manner_;
  std::shared_ptr<satchel::testing::ManualClock> clock_;
  satchel::Options options_;
  std::unique_ptr<satchel::Outbox> outbox_;
  bool opened_once_ = false;
  bool left_behind_ = false;
  bool accept_bad_ = false;
  std::map<int, std::vector<satchel::Message>> plan_;
  std::map<int, Entry> entries_;
  std::map<std::string, int> received_;
  std::map<std::string, Fate> discarded_;
  std::set<std::string> droppable_;  ///< payloads that need not arrive
  std::string latest_;               ///< of those that take one another's place
  std::vector<std::string> breaches_;
  int errors_ = 0;
  int unknowns_ = 0;
  int background_ = 0;
  int dropped_ = 0;
};

}  // namespace calls
