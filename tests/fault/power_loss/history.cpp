// SPDX-License-Identifier: MIT
#include "history.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace power {

namespace {

constexpr Tick kNever = std::numeric_limits<Tick>::max();
/// Serials and transactions of one history begin behind those of the history before.
constexpr Serial kSpan = 1'000'000;

std::string number(std::int64_t value) { return std::to_string(value); }
std::string name(Serial serial) { return "message " + std::to_string(serial); }

}  // namespace

Nature nature_of(Serial serial) noexcept {
  static constexpr std::array<Nature, 8> natures{Nature::good,     Nature::good,   Nature::good,
                                                 Nature::good,     Nature::flaky,  Nature::flaky,
                                                 Nature::hopeless, Nature::refused};
  return natures[Dice{serial * 31 + 7}.below(natures.size())];
}

satchel::Message message_of(Serial serial) {
  Dice dice{serial};
  satchel::Message message;
  message.topic = "device/" + std::to_string(dice.below(5));
  if (dice.one_in(3)) message.key = "key-" + std::to_string(dice.below(4));
  if (dice.one_in(6)) message.headers.push_back({"trace", std::to_string(serial)});
  // A few are longer than a page, whatever its size.
  std::size_t size = dice.below(120);
  if (dice.one_in(12)) size = 600 + dice.below(5000);
  if (dice.one_in(10)) message.expires_after = std::chrono::milliseconds{1000 + dice.below(3000)};
  message.payload = std::to_string(serial) + ":";
  for (std::size_t i = 0; i < size; ++i)
    message.payload.push_back(static_cast<char>('a' + (serial + i) % 26));
  if (dice.one_in(8)) message.not_before = std::chrono::milliseconds{20 + dice.below(700)};
  if (!message.key.empty() && dice.one_in(3)) message.coalesce = true;
  return message;
}

std::optional<Serial> serial_of(const std::string& topic, const std::string& payload,
                                const std::string& key) {
  Serial serial = 0;
  const char* end = payload.data() + payload.size();
  if (std::from_chars(payload.data(), end, serial).ec != std::errc{}) return std::nullopt;
  const satchel::Message message = message_of(serial);
  if (message.topic != topic || message.payload != payload || message.key != key) return std::nullopt;
  return serial;
}

const char* to_string(Flaw flaw) noexcept {
  static constexpr std::array<const char*, kFlaws> names{"lost",     "half",     "unexpected", "order",
                                                         "recalled", "identity", "attempts",   "duplicates",
                                                         "stuck",    "damaged"};
  return names[static_cast<std::size_t>(flaw)];
}

History::History(Device& device, const satchel::Options& options, const History* before, Tick cut)
    : device_{device},
      full_{options.durability == satchel::Durability::full},
      max_attempts_{options.max_attempts},
      before_{before},
      cut_{cut},
      serials_{before == nullptr ? 0 : (before->serials_ / kSpan + 1) * kSpan},
      transactions_{static_cast<std::int64_t>(serials_)},
      commits_{{0, 0, true, {}}},
      // One that was given only after the cut is not known to the file.
      identity_{before == nullptr || before->identity_since_ > cut ? std::nullopt : before->identity_} {}

void History::adopt(Content content) {
  // A file that was made anew has an identity of its own.
  if (!content.table) identity_.reset();
  for (const auto& [row, serial] : content.pending) rows_[row] = serial;
  for (const auto& [row, letter] : content.dead) rows_[row] = letter.first;
  // Under the ids that they were given: the identity may be another one by now.
  for (const auto& [row, serial] : rows_) {
    const auto known = before_->fates_.find(serial);
    if (known != before_->fates_.end()) fates_[serial].id = known->second.id;
  }
  // Nothing has changed the content since it was found.
  commits_.front().content = std::move(content);
}

void History::inherit(Content content, const satchel::Identity& identity) {
  for (const auto& [row, serial] : content.pending) {
    rows_[row] = serial;
    fates_[serial].id = {identity, row};
    serials_ = std::max(serials_, serial);
  }
  for (const auto& [transaction, messages] : content.business)
    transactions_ = std::max(transactions_, transaction);
  commits_.front().content = std::move(content);
}

void History::enqueued(Serial serial, const satchel::MessageId& id) {
  // After a cut that took rows the file may begin a new identity.
  const bool may_change = !full_ && before_ != nullptr;
  if (identity_ && *identity_ != id.identity && !may_change)
    defect(Flaw::identity, name(serial) + " has another identity");
  if (identity_ != id.identity) identity_since_ = device_.next_tick();
  identity_ = id.identity;
  Fate& fate = fates_[serial];
  fate.id = id;
  fate.transaction = transactions_;
  device_.next_tick();
}

void History::begin_commit(Content after, bool durable) {
  commits_.push_back({device_.next_tick(), kNever, durable, std::move(after)});
  committing_ = true;
  recording_ = false;
}

void History::begin_round() {
  round_began_ = device_.next_tick();
  recording_ = false;
}

void History::end_commit() {
  Commit& commit = commits_.back();
  const Content& before = commits_[commits_.size() - 2].content;
  commit.end = device_.next_tick();
  committing_ = false;
  for (const auto& [row, serial] : commit.content.pending) {
    if (before.pending.count(row) != 0) continue;
    fates_[serial].pending_since = commits();
    fates_[serial].told.reset();
    rows_[row] = serial;
  }
}

void History::no_commit() {
  device_.next_tick();
  if (committing_) commits_.pop_back();
  committing_ = false;
}

void History::unknown_commit() {
  Commit& commit = commits_.back();
  ghosts_.push_back({commit.begin, commits_.size() - 2, std::move(commit.content)});
  no_commit();
}

void History::handed(Serial serial, const satchel::MessageId& id, int attempts) {
  ++handed_over_;
  const Tick now = device_.next_tick();
  if (const std::optional<Serial> other = handed_as(id, kNever); other && *other != serial)
    defect(Flaw::identity, name(serial) + " is sent under the id of " + name(*other));
  handed_.try_emplace({id.identity, id.row}, now, serial);
  const auto there = head().pending.find(id.row);
  if (there == head().pending.end() || there->second != serial) {
    defect(Flaw::unexpected, name(serial) + " is sent and not pending");
    return;
  }
  Fate& fate = fates_[serial];
  if (fate.id != id) defect(Flaw::identity, name(serial) + " is sent under another id");
  fate.steps.emplace_back(now, Step::handed);
  const auto known = head().attempts.find(id.row);
  const int counted = known == head().attempts.end() ? 0 : known->second;
  if (!fate.exposed && attempts != counted)
    defect(Flaw::attempts,
           name(serial) + " is sent with " + number(attempts) + " attempts, not " + number(counted));
  if (floor_.empty() || floor_.back().second < fate.pending_since)
    floor_.emplace_back(now, fate.pending_since);
}

void History::accepted(Serial serial) {
  fates_[serial].steps.emplace_back(device_.next_tick(), Step::accepted);
}

void History::returned(Serial serial, bool exposed) {
  Fate& fate = fates_[serial];
  fate.steps.emplace_back(device_.next_tick(), Step::returned);
  fate.exposed = fate.exposed || exposed;
}

/// The content of the commit that is told about: what is told without an operation of the disk in between was
/// recorded together.
Content& History::settled() {
  const Tick now = device_.next_tick();
  if (!recording_ || told_at_operation_ != device_.operations()) {
    commits_.push_back({std::max(round_began_, commits_.back().end), now, false, commits_.back().content});
    told_at_operation_ = device_.operations();
    recording_ = true;
  }
  return commits_.back().content;
}

const History::Fate* History::fate_of(const satchel::MessageId& id) const {
  const auto row = rows_.find(id.row);
  if (row == rows_.end()) return nullptr;
  const auto fate = fates_.find(row->second);
  return fate == fates_.end() || fate->second.id != id ? nullptr : &fate->second;
}

void History::told_delivered(const satchel::MessageId& id) {
  const Fate* known = fate_of(id);
  if (known == nullptr) return defect(Flaw::unexpected, "row " + number(id.row) + " is told and not known");
  const bool accepted = std::any_of(known->steps.begin(), known->steps.end(),
                                    [](const auto& step) { return step.second == Step::accepted; });
  if (!accepted) defect(Flaw::lost, "row " + number(id.row) + " is told delivered and was not");
  Content& content = settled();
  content.pending.erase(id.row);
  content.attempts.erase(id.row);
  fates_[rows_[id.row]].told = device_.tick();
}

void History::told_retrying(const satchel::MessageId& id, int attempts) {
  if (fate_of(id) == nullptr)
    return defect(Flaw::unexpected, "row " + number(id.row) + " is told and not known");
  settled().attempts[id.row] = attempts;
}

void History::told_dead(const satchel::MessageId& id, satchel::DeadReason reason) {
  if (fate_of(id) == nullptr)
    return defect(Flaw::unexpected, "row " + number(id.row) + " is told and not known");
  const Serial serial = rows_[id.row];
  const Nature nature = nature_of(serial);
  const auto failed = head().attempts.find(id.row);
  if (reason == satchel::DeadReason::crashed) {
    // A power cut that spares the note of what is in flight looks like the end of the process.
    ++crashed_;
    if (before_ == nullptr || failed == head().attempts.end() || failed->second + 1 < max_attempts_)
      defect(Flaw::attempts, name(serial) + " died of a crash too early");
  } else if (nature == Nature::good || nature == Nature::flaky) {
    defect(Flaw::attempts, name(serial) + " died and is harmless");
  }
  Content& content = settled();
  content.pending.erase(id.row);
  content.attempts.erase(id.row);
  content.dead[id.row] = {serial, static_cast<int>(reason)};
  const bool rejected = reason == satchel::DeadReason::rejected;
  ++content.counters[rejected                                 ? "dead:rejected"
                     : reason == satchel::DeadReason::crashed ? "dead:crashed"
                                                              : "dead:attempts"];
}

void History::told_expired(const satchel::MessageId& id) {
  if (fate_of(id) == nullptr)
    return defect(Flaw::unexpected, "row " + number(id.row) + " is told and not known");
  if (!message_of(rows_[id.row]).expires_after)
    defect(Flaw::lost, name(rows_[id.row]) + " expired and cannot");
  Content& content = settled();
  // One that a commit of the application has dropped meanwhile, as expired, is counted by that commit.
  if (content.pending.count(id.row) == 0) return;
  content.pending.erase(id.row);
  content.attempts.erase(id.row);
  ++content.counters["expired"];
}

std::optional<Serial> History::handed_as(const satchel::MessageId& id, Tick until) const {
  const auto found = handed_.find({id.identity, id.row});
  if (found != handed_.end() && found->second.first <= until) return found->second.second;
  return before_ == nullptr ? std::nullopt : before_->handed_as(id, cut_);
}

/// The last commit that must be there.
std::size_t History::least(Tick cut, bool& by_hand_over) const {
  std::size_t least = 0;
  for (std::size_t i = commits_.size(); i-- > 0 && least == 0;) {
    if (commits_[i].durable && commits_[i].end <= cut) least = i;
  }
  by_hand_over = false;
  for (const auto& [tick, commit] : floor_) {
    if (tick > cut || commit <= least) continue;
    least = commit;
    by_hand_over = true;
  }
  return least;
}

/// The last commit that may be there: one that was under way may be complete.
std::size_t History::most(Tick cut) const {
  std::size_t most = 0;
  while (most + 1 < commits_.size() && commits_[most + 1].begin <= cut) {
    ++most;
    if (commits_[most].end > cut) break;
  }
  return most;
}

std::string History::attempts_fault(const Content& found, const Content& known) const {
  for (const auto& [row, serial] : found.pending) {
    const auto fate = fates_.find(serial);
    if (fate != fates_.end() && fate->second.exposed) continue;
    const auto there = found.attempts.find(row);
    const auto told = known.attempts.find(row);
    const int is = there == found.attempts.end() ? 0 : there->second;
    const int should = told == known.attempts.end() ? 0 : told->second;
    if (is != should) return name(serial) + " has " + number(is) + " attempts, not " + number(should);
  }
  return {};
}

std::size_t History::judge(const Content& found, Tick cut, std::vector<Defect>& defects) const {
  bool by_hand_over = false;
  const std::size_t lowest = least(cut, by_hand_over);
  const std::size_t highest = most(cut);
  std::string fault;
  for (std::size_t i = highest + 1; i-- > lowest;) {
    if (!commits_[i].content.same(found)) continue;
    fault = attempts_fault(found, commits_[i].content);
    if (fault.empty()) return highest - i;
  }
  for (const Ghost& ghost : ghosts_) {
    const bool possible = ghost.begin <= cut && ghost.base >= lowest && ghost.base <= highest;
    if (possible && ghost.content.same(found)) return 0;
  }
  if (!fault.empty()) {
    defects.push_back({Flaw::attempts, fault});
  } else {
    classify(found, lowest, highest, by_hand_over, defects);
  }
  return 0;
}

/// Says what is wrong with a file that is in no state that it may be in.
void History::classify(const Content& found, std::size_t lowest, std::size_t highest, bool by_hand_over,
                       std::vector<Defect>& defects) const {
  const std::size_t before = defects.size();
  const Content& sure = commits_[lowest].content;
  const Content& latest = commits_[highest].content;
  const auto report = [&](Flaw flaw, const std::string& text) { defects.push_back({flaw, text}); };
  for (const auto& [transaction, messages] : sure.business) {
    if (found.business.count(transaction) == 0)
      report(by_hand_over ? Flaw::recalled : Flaw::lost, "transaction " + number(transaction) + " is gone");
  }
  for (const auto& [transaction, messages] : found.business) {
    if (latest.business.count(transaction) == 0)
      report(Flaw::unexpected, "transaction " + number(transaction) + " was never committed");
  }
  std::set<Serial> there;
  for (const auto& [row, serial] : found.pending) there.insert(serial);
  for (const auto& [row, letter] : found.dead) there.insert(letter.first);
  for (const auto& [serial, fate] : fates_) {
    if (fate.transaction == 0) continue;
    const bool row_there = found.business.count(fate.transaction) != 0;
    const bool ended = latest.pending.count(fate.id.row) == 0 && latest.dead.count(fate.id.row) == 0;
    if (there.count(serial) != 0 && !row_there)
      report(Flaw::half, name(serial) + " is there without its row");
    if (there.count(serial) == 0 && row_there && !ended)
      report(Flaw::half, name(serial) + " is gone and its row is there");
  }
  for (const Serial serial : there) {
    if (fates_.count(serial) == 0) report(Flaw::unexpected, name(serial) + " is not known");
  }
  for (const auto& [row, serial] : sure.pending) {
    const bool ended = latest.pending.count(row) == 0;
    if (there.count(serial) == 0 && !ended && before == defects.size())
      report(Flaw::lost, name(serial) + " has gone without an end");
  }
  if (before == defects.size()) {
    report(Flaw::order, "not the state after any commit from " + std::to_string(lowest) + " to " +
                            std::to_string(highest) + " of " + std::to_string(commits()));
  }
}

Copies History::copies(const Content& found, Tick cut) const {
  Copies copies;
  for (const auto& [row, serial] : found.pending) {
    const auto fate = fates_.find(serial);
    if (fate == fates_.end()) continue;
    std::optional<Step> last;
    for (const auto& [tick, step] : fate->second.steps) {
      if (tick <= cut) last = step;
    }
    if (last == Step::handed) ++copies.in_flight;
    if (last != Step::accepted) continue;
    const bool recorded = fate->second.told && *fate->second.told <= cut;
    ++(recorded ? copies.unsynced : copies.unsettled);
  }
  return copies;
}

}  // namespace power
