// SPDX-License-Identifier: MIT
#include "oracle.hpp"

#include "base/retry.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>

namespace simulation {

using satchel::DeadReason;
using satchel::Verdict;

std::string lane_of(const satchel::Message& message) {
  if (message.key.empty()) return {};
  const auto priority = static_cast<int>(message.priority.value_or(satchel::Priority::normal));
  return message.key + (is_far(message.topic) ? " far " : " near ") + std::to_string(priority);
}

int Oracle::attempts_of(const Fate& fate) const {
  return satchel::limits_of(fate.message.topic, fate.message.retry, options_).max_attempts;
}

bool Oracle::has_aged(const Fate& fate) const {
  const auto limit = satchel::limits_of(fate.message.topic, fate.message.retry, options_).max_age;
  // The storage keeps whole milliseconds.
  return limit.count() > 0 && fate.first_failed &&
         clock_.now() - *fate.first_failed >= limit - std::chrono::milliseconds{1};
}

bool Oracle::may_be_given_up(const Fate& fate) const {
  return fate.countable - fate.excused >= attempts_of(fate) || has_aged(fate);
}

void Oracle::may_count(Fate& fate, satchel::BootTime now) {
  ++fate.countable;
  if (!fate.first_failed) fate.first_failed = now;
}

void Oracle::demand(bool holds, Row row, const std::string& what) {
  if (!holds) defects_.push_back("message " + std::to_string(row) + ": " + what);
}

void Oracle::check() const {
  if (!defects_.empty()) throw Broken{defects_.front()};
}

void Oracle::say(const std::string& what) const {
  if (!trace_) return;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now().time_since_epoch());
  std::cerr << since.count() << " ms  " << what << '\n';
}

void Oracle::enqueued(const satchel::MessageId& id, const satchel::Message& message, Nature nature) {
  demand(fates_.empty() || id.row > fates_.rbegin()->first, id.row, "its id is not above all earlier ones");
  say("enqueued " + std::to_string(id.row) + " key '" + message.key + "' topic " + message.topic +
      " nature " + std::to_string(static_cast<int>(nature)) + " delay " +
      std::to_string(message.not_before.value_or(std::chrono::milliseconds{0}).count()));
  Fate fate;
  fate.id = id;
  fate.message = message;
  fate.nature = nature;
  fate.created = clock_.now();
  fates_.emplace(id.row, fate);
  if (const std::string lane = lane_of(message); !lane.empty()) waiting_[lane].insert(id.row);
}

void Oracle::sent(const satchel::Delivery& delivery) {
  const Row row = delivery.id.row;
  say("sent " + std::to_string(row) + " attempts " + std::to_string(delivery.attempts));
  Fate& fate = fate_of(delivery);
  demand(delivery.id == fate.id, row, "it was sent under another id");
  demand(delivery.payload == fate.message.payload && delivery.topic == fate.message.topic &&
             delivery.key == fate.message.key,
         row, "it was sent changed");
  demand(!fate.in_flight, row, "it was sent while it was in flight");
  demand(fate.delivered_in != incarnation_, row, "it was sent again after it was delivered");
  demand(fate.sent == 0 || fate.causes > 0, row, "it was sent again without a cause");
  demand(delivery.attempts <= fate.countable, row,
         "it has " + std::to_string(delivery.attempts) + " attempts, but only " +
             std::to_string(fate.countable) + " events could count as one");
  demand(!delivery.remaining || delivery.remaining->count() > 0, row, "it was sent with no time left");
  demand(!fate.expired && !fate.told_dead && !fate.dropped, row, "it was sent after its end was told");
  // The storage keeps whole milliseconds.
  const auto delay = fate.message.not_before.value_or(std::chrono::milliseconds{0});
  demand(clock_.now() - fate.created >= delay - std::chrono::milliseconds{1}, row,
         "it was sent before it was due");
  demand_order(fate);
  demand_no_dead(fate);
  demand_number(fate, delivery.sequence);
  fate.causes = 0;
  ++fate.sent;
  fate.in_flight = true;
  fate.noted = true;
}

/// What the outbox announces was enqueued by nobody outside.
Fate& Oracle::fate_of(const satchel::Delivery& delivery) {
  const Row row = delivery.id.row;
  const auto found = fates_.find(row);
  if (found != fates_.end()) return found->second;
  demand(!options_.announce_topic.empty() && delivery.topic == options_.announce_topic, row,
         "it was sent and never enqueued");
  Fate fate;
  fate.id = delivery.id;
  fate.message = {.topic = delivery.topic, .payload = delivery.payload};
  fate.created = clock_.now();
  fate.announcement = true;
  return fates_.emplace(row, std::move(fate)).first->second;
}

bool Oracle::takes_far(const satchel::Message& message) const { return !alone_ && is_far(message.topic); }

/// The numbers of a route go up with the rows, and a copy has that of the message.
void Oracle::demand_number(Fate& fate, const std::optional<std::int64_t>& number) {
  const Row row = fate.id.row;
  const bool far = takes_far(fate.message);
  demand(number.has_value() == numbered_.contains(far), row, "it has no number, or one that nobody wanted");
  if (fate.sent > 0) demand(fate.number == number, row, "a copy of it has another number");
  fate.number = number;
  if (!number) return;
  auto& numbers = numbers_[far];
  const auto here = numbers.emplace(row, *number).first;
  demand(here == numbers.begin() || std::prev(here)->second < *number, row,
         "an earlier message has a greater number");
  demand(std::next(here) == numbers.end() || std::next(here)->second > *number, row,
         "a later message has a smaller number");
}

/// No earlier message of the key may be waiting, and none may be in flight.
void Oracle::demand_order(const Fate& fate) {
  if (fate.message.key.empty()) return;
  for (const Row other : waiting_[lane_of(fate.message)]) {
    const Fate& one = fates_.at(other);
    if (other != fate.id.row) {
      demand(!one.in_flight, fate.id.row,
             "it was sent while " + std::to_string(other) + " of its key was in flight");
    }
    if (other >= fate.id.row || fate.replayed || one.replayed || one.erased) continue;
    // One that comes later takes its place when it is due.
    if (one.message.not_before || fate.message.not_before) continue;
    // Its end is decided by now, and told when it is recorded.
    const bool over = one.message.expires_after && clock_.now() - one.created >= *one.message.expires_after;
    if (over || may_be_given_up(one)) continue;
    demand(false, fate.id.row, "it was sent before " + std::to_string(other) + " of its key");
  }
}

/// A dead letter keeps the others of its key back where it shall.
void Oracle::demand_no_dead(const Fate& fate) {
  if (options_.dead_key != satchel::DeadKey::block || fate.message.key.empty()) return;
  for (const Row other : dead_[fate.message.key]) {
    demand(other == fate.id.row, fate.id.row,
           "it was sent although " + std::to_string(other) + " of its key is a dead letter");
  }
}

void Oracle::arrived(Row row) {
  Fate& fate = fates_.at(row);
  ++fate.arrived;
  receiver_.arrived(fate.id, takes_far(fate.message), fate.number);
  if (fate.announcement)
    demand(receiver_.announced(fate.message.payload, alone_), row, "it announces nothing that can be read");
}

void Oracle::answered(Row row, const satchel::Receipt& receipt, bool was_alone) {
  say("answered " + std::to_string(row) + " verdict " + std::to_string(static_cast<int>(receipt.verdict)) +
      ' ' + receipt.reason);
  Fate& fate = fates_.at(row);
  fate.in_flight = false;
  if (receipt.verdict == Verdict::delivered) {
    fate.delivered_in = incarnation_;
  } else {
    ++fate.causes;
  }
  const bool broke_alone = receipt.verdict == Verdict::down && receipt.exposed && was_alone;
  if (receipt.verdict == Verdict::retry || receipt.verdict == Verdict::reject || broke_alone)
    may_count(fate, clock_.now());
  // From here on the relay may go on with its key.
  const bool may_end = receipt.verdict == Verdict::delivered || receipt.verdict == Verdict::reject ||
                       (receipt.verdict == Verdict::retry && may_be_given_up(fate));
  if (may_end) waiting_[lane_of(fate.message)].erase(row);
}

void Oracle::claim_void(bool alone_counts) {
  say(alone_counts ? "the claim is void, at most one in flight" : "the claim is void");
  for (auto& [row, fate] : fates_) {
    if (fate.noted && alone_counts) may_count(fate, clock_.now());
  }
}

void Oracle::crashed(bool alone_counts) {
  say("crash");
  claim_void(alone_counts);
  forgot();
}

void Oracle::forgot() {
  ++incarnation_;
  for (auto& [row, fate] : fates_) {
    fate.in_flight = false;
    fate.noted = false;
    // A receipt that was not recorded in time is void: the copy that follows is within the stated bound.
    ++fate.causes;
  }
}

void Oracle::note_is_corrected() {
  for (auto& [row, fate] : fates_) fate.noted = fate.in_flight;
}

void Oracle::leading(bool leads) noexcept {
  say(leads ? "leads" : "stands by");
  if (!leads) forgot();
}

void Oracle::erased(Row row) {
  say("erased " + std::to_string(row));
  fates_.at(row).erased = true;
  waiting_[lane_of(fates_.at(row).message)].erase(row);
}

void Oracle::discarded(Row row) {
  say("discarded " + std::to_string(row));
  Fate& fate = fates_.at(row);
  fate.erased = fate.discarded = true;
  dead_[fate.message.key].erase(row);
}

bool limits(const satchel::Quota& quota) {
  const auto any = [](const satchel::Quota::Share& share) { return share.messages != 0 || share.bytes != 0; };
  return quota.messages != 0 || quota.bytes != 0 || any(quota.urgent) || any(quota.normal) || any(quota.bulk);
}

namespace {

int rank(const satchel::Message& message) {
  switch (message.priority.value_or(satchel::Priority::normal)) {
    case satchel::Priority::urgent:
      return 2;
    case satchel::Priority::normal:
      return 1;
    case satchel::Priority::bulk:
      break;
  }
  return 0;
}

}  // namespace

std::pair<std::uint64_t, std::uint64_t> Oracle::load(const std::set<Row>& pending,
                                                     std::optional<satchel::Priority> priority) const {
  std::pair<std::uint64_t, std::uint64_t> all{0, 0};
  for (const Row row : pending) {
    const auto found = fates_.find(row);
    if (found == fates_.end() || found->second.announcement) continue;
    const satchel::Message& message = found->second.message;
    if (priority && message.priority.value_or(satchel::Priority::normal) != *priority) continue;
    ++all.first;
    all.second += message.topic.size() + message.payload.size() + message.key.size();
  }
  return all;
}

void Oracle::given_up(Row row, const satchel::Message& by) {
  Fate& fate = fates_.at(row);
  say("dropped " + std::to_string(row));
  demand(!fate.in_flight, row, "it was dropped while it was in flight");
  demand(fate.delivered_in != incarnation_, row, "it was dropped after its delivery");
  demand(!fate.expired && !fate.told_dead, row, "it was dropped after its end was told");
  const bool replaced =
      by.coalesce.value_or(false) && by.key == fate.message.key && by.topic == fate.message.topic;
  const satchel::WhenFull when_full = options_.quota.when_full;
  const bool limited = limits(options_.quota);
  const bool for_room =
      limited && (when_full == satchel::WhenFull::drop_oldest || when_full == satchel::WhenFull::drop_lowest);
  // The storage keeps whole milliseconds.
  const bool over = limited && fate.message.expires_after &&
                    clock_.now() - fate.created >= *fate.message.expires_after - std::chrono::milliseconds{1};
  if (for_room && when_full == satchel::WhenFull::drop_lowest && !replaced && !over) {
    demand(rank(fate.message) <= rank(by), row, "it made room for one of a lower priority");
  }
  demand(replaced || for_room || over, row, "it was dropped for no reason");
  fate.dropped = true;
  waiting_[lane_of(fate.message)].erase(row);
}

void Oracle::replayed(Row row) {
  say("replayed " + std::to_string(row));
  Fate& fate = fates_.at(row);
  fate.replayed = true;
  dead_[fate.message.key].erase(row);
  fate.told_dead = false;
  fate.excused = fate.countable;
  fate.first_failed.reset();
  fate.delivered_in = 0;
  ++fate.causes;
}

void Oracle::delivered(const satchel::MessageId& id, int) noexcept {
  say("told delivered " + std::to_string(id.row));
  const Fate& fate = fates_.at(id.row);
  demand(fate.arrived > 0, id.row, "delivered was told and it never arrived");
  if (recorded_) recorded_();
}

void Oracle::retrying(const satchel::MessageId& id, int attempts, const std::string& error,
                      std::chrono::milliseconds) noexcept {
  const Fate& fate = fates_.at(id.row);
  say("told retrying " + std::to_string(id.row) + " attempts " + std::to_string(attempts) + ": " + error);
  demand(attempts <= fate.countable, id.row, "more attempts are told than there were");
  demand(attempts < attempts_of(fate), id.row, "it is retried beyond its limit");
}

void Oracle::died(const satchel::MessageId& id, DeadReason reason, const std::string& error) noexcept {
  Fate& fate = fates_.at(id.row);
  fate.told_dead = true;
  say("told dead " + std::to_string(id.row) + ": " + error);
  waiting_[lane_of(fate.message)].erase(id.row);
  // Somebody else deleted it while it was in flight: told, and in no file.
  if (!fate.erased && !fate.dropped) dead_[fate.message.key].insert(id.row);
  if (reason == DeadReason::rejected) {
    demand(fate.nature == Nature::reject, id.row, "it died as rejected and nobody rejected it");
  } else {
    const bool enough =
        reason == DeadReason::age ? has_aged(fate) : fate.countable - fate.excused >= attempts_of(fate);
    demand(enough, id.row, "it died after too few attempts, or too early: " + error);
    const bool innocent = fate.nature == Nature::good || fate.nature == Nature::forbidden;
    // Chance may end the process again and again while one message is alone in flight, or, where one attempt
    // is all there is, the connection once; nobody can tell that from a killer.
    const bool chance = reason == DeadReason::crashed || reason == DeadReason::age || attempts_of(fate) == 1;
    demand(!innocent || chance, id.row, "an innocent died: " + error);
    if (innocent) fate.unlucky = true;
  }
}

void Oracle::expired(const satchel::MessageId& id) noexcept {
  Fate& fate = fates_.at(id.row);
  fate.expired = true;
  say("told expired " + std::to_string(id.row));
  waiting_[lane_of(fate.message)].erase(id.row);
  demand(fate.message.expires_after.has_value(), id.row, "it expired and has no time to live");
  const auto age = clock_.now() - fate.created;
  demand(
      age >= fate.message.expires_after.value_or(std::chrono::milliseconds{0}) - std::chrono::milliseconds{1},
      id.row, "it expired too early");
}

void Oracle::at_end(const std::set<Row>& pending, const std::set<Row>& dead) {
  for (const auto& [row, fate] : fates_) {
    const bool is_dead = dead.count(row) != 0;
    demand(pending.count(row) == 0, row, "it is still pending at the end");
    demand(fate.arrived > 0 || is_dead || fate.expired || fate.erased || fate.dropped, row, "it is lost");
    demand(!is_dead || fate.told_dead || incarnation_ > 1, row, "it is dead and nobody was told");
    if (fate.nature == Nature::poison || fate.nature == Nature::killer || fate.nature == Nature::reject) {
      demand(fate.arrived == 0, row, "it arrived although it cannot");
      demand(is_dead || fate.expired || fate.erased || fate.dropped, row,
             "it is no dead letter although it cannot be delivered");
    }
    if (fate.nature == Nature::good || fate.nature == Nature::forbidden)
      demand(!is_dead || fate.unlucky, row, "an innocent is dead");
  }
  for (const Row row : pending) demand(fates_.count(row) != 0, row, "it was never enqueued");
  demand_no_gaps(dead);
  check();
}

/// A receiver may miss a dead letter, what somebody else deleted, and what would have been announced where
/// nothing is.
bool Oracle::may_be_missed(const Fate& fate, const std::set<Row>& dead) const {
  const bool deleted = fate.erased && !fate.discarded;
  const bool silent = fate.dropped || fate.expired || fate.discarded;
  return deleted || dead.contains(fate.id.row) || (silent && options_.announce_topic.empty());
}

/// Who gets everything that arrives can tell what it misses.
void Oracle::demand_no_gaps(const std::set<Row>& dead) {
  std::map<satchel::Identity, std::pair<Row, Row>> ranges;
  // What a lost announcement would have explained is not known; by chance one may have become a dead letter.
  for (const auto& [row, fate] : fates_) {
    if (fate.announcement && fate.arrived == 0) return;
    ranges.try_emplace(fate.id.identity, row, row).first->second.second = row;
  }
  for (const auto& [identity, range] : ranges) {
    for (const Row row : receiver_.missing(identity, range.first, range.second)) {
      const auto fate = fates_.find(row);
      demand(fate != fates_.end() && may_be_missed(fate->second, dead), row,
             "its receiver misses it, and nobody has told why");
    }
  }
  for (const bool far : numbered_) demand_no_missing_number(far, dead);
}

/// So can the receiver of one route that numbers its messages.
void Oracle::demand_no_missing_number(bool far, const std::set<Row>& dead) {
  std::int64_t last = 0;
  std::set<std::int64_t> known;
  for (const auto& [row, fate] : fates_) {
    if (takes_far(fate.message) != far) continue;
    last = std::max(last, fate.number.value_or(0));
    if (!may_be_missed(fate, dead)) continue;
    if (!fate.number) return;  // it may never have been sent: then its number is not known
    known.insert(*fate.number);
  }
  for (const std::int64_t number : receiver_.missing_numbers(far, last))
    demand(known.contains(number), number, "a receiver misses this number of its route");
}

}  // namespace simulation
