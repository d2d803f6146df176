// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <satchel/error.hpp>

#include <algorithm>
#include <vector>

namespace simulation {

using namespace std::chrono_literals;
using satchel::Delivery;
using satchel::Receipt;

World::World(Kind kind, std::uint64_t seed) : random_{seed} {
  options_.window = 1 + chance(20);
  options_.window_bytes = one_in(3) ? 200 : 1 << 20;
  options_.batch_size = 1 + chance(10);
  options_.max_unsettled = 1 + chance(30);
  options_.max_attempts = static_cast<int>(3 + chance(3));
  options_.settle_linger = std::chrono::milliseconds{chance(40)};
  options_.retry_backoff = {10ms, 2.0, 2000ms};
  options_.probe_backoff = {100ms, 2.0, 5000ms};
  options_.blocked_probe = 3000ms;
  options_.stable_after = 5s;
  options_.claim_timeout = 20s;
  draw_policies();
  if (kind == Kind::memory) {
    backend_ = memory_backend(*clock_, seed ^ 0x5EEDU);
    // It drops nothing, and numbers nothing.
    options_.quota = {};
    options_.announce_topic.clear();
    coalesces_ = false;
    for (Peer& peer : peers_) peer.route.sequence = false;
  } else {
    backend_ = store_backend(clock_, options_);
  }
  oracle_ = std::make_unique<Oracle>(*clock_, options_);
  std::vector<satchel::RouteOptions> routes;
  for (Peer& peer : peers_) {
    peer.manners = std::make_unique<Manners>(peer.route);
    if (clock_steps_) peer.manners->clock_steps();
    routes.push_back(peer.route);
    if (peer.route.sequence) oracle_->numbers(peer.route.name == "far", peers_.size() == 1);
  }
  backend_->number(routes);
  rides_ = one_in(2);
  // A commit of the application records no more than that they were delivered.
  if (!may_ride()) {
    oracle_->on_recorded([this] {
      for (Peer& peer : peers_) peer.manners->recorded();
    });
  }
  boot();
}

World::~World() { relay_.reset(); }

void World::open(Peer& peer) {
  peer.sink = std::make_unique<Wire>(1 + chance(30), [this, &peer] { lose_under_way(peer); });
  if (peer.away) peer.sink->refuse(satchel::down("away"));
  peer.sink->answer([this, &peer](const Delivery& delivery) {
    oracle_->sent(delivery);
    const Row row = delivery.id.row;
    oracle_->demand(peers_.size() == 1 || is_far(delivery.topic) == (peer.route.name == "far"), row,
                    "it took the wrong route");
    const bool urgent = oracle_->fate(row).message.priority == satchel::Priority::urgent;
    const std::string rude = peer.manners->sent(delivery, urgent, clock_->now(), clock_->wall());
    oracle_->demand(rude.empty(), row, rude);
    return std::nullopt;
  });
}

void World::boot() {
  ++boots_;
  for (const Peer& peer : peers_) {
    oracle_->say("route '" + peer.route.name + "' drains in order " +
                 std::to_string(static_cast<int>(peer.route.drain)));
  }
  std::vector<satchel::relay::Relay::Way> ways;
  for (Peer& peer : peers_) {
    peer.manners->began();
    open(peer);
    ways.push_back({*peer.sink, peer.route});
  }
  relay_ = std::make_unique<satchel::relay::Relay>(
      options_, satchel::relay::Relay::Ports{backend_->storage(), *clock_, *oracle_, std::move(ways)}, [] {},
      random_());
  relay_->let_ride(rides_);
}

std::size_t World::under_way() const {
  std::size_t count = 0;
  for (const Peer& peer : peers_) count += peer.sink->under_way().size();
  return count;
}

void World::live() {
  const std::uint64_t acts = 30 + chance(60);
  for (std::uint64_t i = 0; i < acts; ++i) {
    act();
    step();
    oracle_->check();
  }
  come_to_rest();
  oracle_->at_end(backend_->pending(), backend_->dead());
}

void World::act() {
  const std::uint64_t what = chance(100);
  if (what < 30) {
    enqueue();
  } else if (what < 62) {
    answer_some();
  } else if (what < 80) {
    pass_time();
  } else if (what < 84) {
    cut(some_peer());
  } else if (what < 87) {
    crash();
  } else if (what < 89) {
    erase_one();
  } else if (what < 91) {
    if (one_in(4)) {
      discard_one();
    } else {
      replay_one();
    }
  } else {
    disturb();
  }
}

void World::enqueue() {
  for (std::uint64_t count = 1 + chance(6); count > 0; --count) {
    satchel::Message message;
    message.topic = some_topic();
    message.key = some_key();
    message.payload = std::string(chance(60), 'x') + std::to_string(random_());
    if (one_in(6)) message.expires_after = std::chrono::milliseconds{1 + chance(20'000)};
    Nature nature = Nature::good;
    if (message.topic == "forbidden") nature = Nature::forbidden;
    if (const std::uint64_t odd = chance(40); odd < 3 && nature == Nature::good)
      nature = Nature::flaky;
    else if (odd == 3)
      nature = Nature::reject;
    else if (odd == 4)
      nature = Nature::poison;
    else if (odd == 5 && one_in(4))
      nature = Nature::killer;
    add_policies(message);
    enqueue(std::move(message), nature);
  }
}

void World::add_policies(satchel::Message& message) {
  if (peers_.size() > 1 && one_in(2)) message.topic.insert(0, "far/");
  if (priorities_ && one_in(2))
    message.priority = one_in(2) ? satchel::Priority::urgent : satchel::Priority::bulk;
  if (delays_ && one_in(4)) {
    const std::uint64_t longest = one_in(3) ? 30'000 : 300;
    message.not_before = std::chrono::milliseconds{chance(longest)};
    // It would expire before it may be sent otherwise.
    if (message.expires_after) *message.expires_after += *message.not_before;
  }
  if (coalesces_ && !message.key.empty() && one_in(2)) message.coalesce = true;
  if (one_in(20)) {
    message.retry = satchel::RetryPolicy{.max_attempts = static_cast<int>(1 + chance(6))};
    if (one_in(2)) message.retry->max_age = std::chrono::milliseconds{chance(5000)};
  }
}

/// What the storage drops to make room for it, or because it takes their place, is seen from outside.
void World::enqueue(satchel::Message message, Nature nature) {
  const satchel::Quota& quota = options_.quota;
  const bool may_drop = limits(quota) || message.coalesce;
  const std::set<Row> before = may_drop ? backend_->pending() : std::set<Row>{};
  satchel::MessageId id;
  try {
    id = backend_->storage().save(message);
  } catch (const satchel::QuotaExceeded&) {
    oracle_->say("refused for the quota");
    if (!limits(quota)) throw Broken{"a message was refused without a quota"};
    if (backend_->pending() != before) throw Broken{"a message was refused, and others are gone"};
    return;
  }
  if (id.row != 0) oracle_->enqueued(id, message, nature);
  if (!may_drop) return;
  const std::set<Row> after = see_drops(before, message);
  if (id.row != 0) check_quota(after, message.priority.value_or(satchel::Priority::normal));
}

/// Of what was pending before, what is gone now has made room. What is pending after that.
std::set<Row> World::see_drops(const std::set<Row>& before, const satchel::Message& by) {
  std::set<Row> after = backend_->pending();
  for (const Row row : before) {
    // Or they were delivered, and have ridden.
    // An announcement that was not sent yet is nobody's loss: what it says goes into the next one.
    if (after.count(row) != 0 || !oracle_->knows(row) || (may_ride() && oracle_->has_arrived(row))) continue;
    oracle_->given_up(row, by);
  }
  return after;
}

/// What the application has enqueued is within the limits of all and of its own priority. Those of another
/// may be exceeded: a replay does not ask.
void World::check_quota(const std::set<Row>& pending, satchel::Priority enqueued) {
  const auto check = [&](std::uint64_t messages, std::uint64_t bytes,
                         std::optional<satchel::Priority> priority) {
    const auto [count, size] = oracle_->load(pending, priority);
    if ((messages != 0 && count > messages) || (bytes != 0 && size > bytes))
      throw Broken{"more waits than the quota allows: " + std::to_string(count) + " messages, " +
                   std::to_string(size) + " bytes, of " + std::to_string(messages) + " and " +
                   std::to_string(bytes)};
  };
  const satchel::Quota& quota = options_.quota;
  check(quota.messages, quota.exact ? quota.bytes : 0, std::nullopt);
  const satchel::Quota::Share& share = enqueued == satchel::Priority::urgent ? quota.urgent
                                       : enqueued == satchel::Priority::bulk ? quota.bulk
                                                                             : quota.normal;
  check(share.messages, share.bytes, enqueued);
}

std::string World::some_key() {
  const std::uint64_t which = chance(8);
  return which < 4 ? std::string{} : "key" + std::to_string(which);
}

std::string World::some_topic() {
  const std::uint64_t which = chance(12);
  if (which == 0) return "forbidden";
  return "topic" + std::to_string(which % 3);
}

void World::answer_some() {
  Peer& peer = some_peer();
  std::vector<Delivery> under_way = peer.sink->under_way();
  std::shuffle(under_way.begin(), under_way.end(), random_);
  const std::size_t count = under_way.empty() ? 0 : 1 + chance(under_way.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Nature nature = oracle_->fate(under_way[i].id.row).nature;
    if (nature == Nature::killer) {
      crash();
      return;
    }
    if (nature == Nature::poison) {
      cut(peer);
      return;
    }
    answer(peer, under_way[i]);
  }
}

void World::answer(Peer& peer, const Delivery& delivery) {
  const Row row = delivery.id.row;
  const Nature nature = oracle_->fate(row).nature;
  if (nature == Nature::reject) return reply(peer, delivery, satchel::reject("rejected"));
  if (forbidden_.count(delivery.topic.substr(delivery.topic.rfind('/') + 1)) != 0)
    return reply(peer, delivery, satchel::blocked("not authorised"));
  if (nature == Nature::flaky && !one_in(3)) {
    return reply(peer, delivery,
                 satchel::retry("not now", one_in(2) ? 0ms : std::chrono::milliseconds{chance(500)}));
  }
  if (one_in(60) && !at_rest_)
    return reply(peer, delivery, satchel::down("server busy", std::chrono::milliseconds{chance(2000)}));
  oracle_->arrived(row);
  reply(peer, delivery, satchel::delivered());
}

void World::reply(Peer& peer, const Delivery& delivery, Receipt receipt) {
  oracle_->answered(delivery.id.row, receipt, false);
  peer.sink->reply(delivery.claim, std::move(receipt));
}

/// The connection breaks; what was on its way may have arrived.
void World::cut(Peer& peer) {
  if (!peer.sink->is_up()) return;
  lose_under_way(peer);
  peer.sink->fall(one_in(10) && !at_rest_ ? satchel::blocked("certificate expired")
                                          : satchel::down("connection lost"));
}

void World::lose_under_way(const Peer& peer) {
  const std::vector<Delivery> under_way = peer.sink->under_way();
  Receipt lost = satchel::down("connection lost");
  lost.exposed = true;
  for (const Delivery& delivery : under_way) {
    const Nature nature = oracle_->fate(delivery.id.row).nature;
    const bool can_arrive = nature == Nature::good || nature == Nature::flaky;
    if (can_arrive && one_in(2)) oracle_->arrived(delivery.id.row);
    oracle_->answered(delivery.id.row, lost, under_way.size() == 1);
  }
}

void World::crash() {
  std::size_t in_flight = 0;
  std::vector<Delivery> all;
  for (const Peer& peer : peers_) {
    const std::vector<Delivery> some = peer.sink->under_way();
    all.insert(all.end(), some.begin(), some.end());
  }
  for (const Delivery& delivery : all) {
    // A message that somebody deleted is not among the suspects that a storage has to name.
    if (!oracle_->fate(delivery.id.row).erased) ++in_flight;
    const Nature nature = oracle_->fate(delivery.id.row).nature;
    if ((nature == Nature::good || nature == Nature::flaky) && one_in(2)) oracle_->arrived(delivery.id.row);
  }
  // The record of what is in flight is as of the last hand-over: a message may be alone in truth and not in
  // it, never the other way round.
  relay_.reset();
  for (Peer& peer : peers_) peer.sink.reset();
  backend_->crash();
  oracle_->crashed(in_flight <= 1);
  boot();
}

void World::erase_one() {
  if (oracle_->fates().empty()) return;
  auto one = oracle_->fates().begin();
  std::advance(one, static_cast<std::ptrdiff_t>(chance(oracle_->fates().size())));
  // What the outbox says about others is not for others to delete.
  if (!one->second.announcement && backend_->erase(one->first)) oracle_->erased(one->first);
}

void World::replay_one() {
  const std::set<Row> dead = backend_->dead();
  if (dead.empty()) return;
  auto one = dead.begin();
  std::advance(one, static_cast<std::ptrdiff_t>(chance(dead.size())));
  oracle_->replayed(*one);
  backend_->replay(oracle_->fate(*one).id);
}

/// False: the storage has no room to announce it.
bool World::discard_one() {
  const std::set<Row> dead = backend_->dead();
  if (dead.empty()) return true;
  auto one = dead.begin();
  std::advance(one, static_cast<std::ptrdiff_t>(chance(dead.size())));
  const std::set<Row> before = backend_->pending();
  try {
    backend_->discard(oracle_->fate(*one).id);
  } catch (const satchel::QuotaExceeded&) {
    if (options_.announce_topic.empty() || !limits(options_.quota) || backend_->dead() != dead) throw;
    return false;
  }
  oracle_->discarded(*one);
  see_drops(before, {});
  return true;
}

void World::go_away(Peer& peer) {
  peer.away = !peer.away;
  peer.sink->refuse(peer.away
                        ? std::optional{one_in(4) ? satchel::blocked("no rights") : satchel::down("away")}
                        : std::nullopt);
  if (peer.away) cut(peer);
}

void World::forbid() {
  if (!forbidden_.empty()) return forbidden_.clear();
  forbidden_ = {"forbidden"};
  if (one_in(3)) forbidden_.insert("topic1");
}

void World::disturb() {
  switch (chance(9)) {
    case 0:
      go_away(some_peer());
      return;
    case 1:
      forbid();
      return;
    case 2:
      backend_->trouble(one_in(2) ? static_cast<int>(chance(300)) : 0);
      return;
    case 3:
      backend_->occupy(one_in(2));
      return;
    case 4:
      // In truth the other relay sends what it found, too; here it ends at once.
      if (one_in(3) && backend_->usurp()) {
        oracle_->claim_void(under_way() <= 1);
        for (Peer& peer : peers_) peer.manners->began();
      }
      return;
    case 5:
      relay_->pause(chance(peers_.size()), one_in(2));
      return;
    case 6:
      if (one_in(3)) backend_->renew();
      return;
    case 7:
      if (clock_steps_) step_clock();
      return;
    default:
      // A peer that says nothing for longer than the claim timeout.
      if (one_in(4)) clock_->advance(25s);
      return;
  }
}

/// Up to fifty years to either side.
void World::step_clock() {
  constexpr std::int64_t kFiftyYears = 1'576'800'000'000;
  const auto step = static_cast<std::int64_t>(chance(2 * kFiftyYears)) - kFiftyYears;
  clock_->set_wall(clock_->wall().time + std::chrono::milliseconds{one_in(2) ? step : step / 100'000},
                   one_in(2));
}

void World::pass_time() {
  const auto next = relay_->next_step();
  if (next && *next > clock_->now() && !one_in(4)) {
    clock_->set_now(*next);
  } else {
    clock_->advance(std::chrono::milliseconds{1 + chance(one_in(5) ? 3000 : 30)});
  }
}

void World::step() {
  const std::uint64_t most = one_in(3) ? chance(4) : 1000;
  for (std::uint64_t i = 0; i < most; ++i) {
    if (relay_->step()) continue;
    const satchel::relay::Snapshot now = relay_->snapshot();
    if (now.leading && now.in_flight == 0 && now.unsettled == 0 && !now.failure) oracle_->note_is_corrected();
    return;
  }
}

/// Everything that was in the way goes away; what is left must come to its end.
void World::come_to_rest() {
  at_rest_ = true;
  forbidden_.clear();
  backend_->trouble(0);
  backend_->occupy(false);
  for (std::size_t route = 0; route < peers_.size(); ++route) {
    peers_[route].away = false;
    peers_[route].sink->refuse(std::nullopt);
    relay_->pause(route, false);
  }
  int waits = 0;
  for (int rounds = 0; rounds < 4000; ++rounds) {
    for (int steps = 0; steps < 1000 && relay_->step(); ++steps) {
    }
    oracle_->check();
    if (under_way() != 0) {
      answer_some();
      clock_->advance(5ms);
      continue;
    }
    if (backend_->pending().empty()) return;
    // The device goes on with its work: that is how a bad message is told from a bad peer. Counted in waits,
    // as a cycle of send, break and probe may pass every twentieth round with something under way.
    if (++waits % 20 == 0) {
      for (const char* topic : {"topic0", "far/topic0"})
        enqueue({.topic = topic, .payload = "life goes on"}, Nature::good);
      continue;
    }
    const auto next = relay_->next_step();
    if (!next && options_.dead_key == satchel::DeadKey::block && !backend_->dead().empty()) {
      // Where there is no room to announce it, somebody has to make some.
      if (!discard_one()) erase_one();
      continue;
    }
    if (!next) {
      throw Broken{"the relay waits for nothing, and message " +
                   std::to_string(*backend_->pending().begin()) + " is pending"};
    }
    if (*next <= clock_->now()) throw Broken{"the relay wants to be stepped again and does nothing"};
    clock_->set_now(*next);
  }
  throw Broken{"it does not come to rest"};
}

}  // namespace simulation
