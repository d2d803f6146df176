// SPDX-License-Identifier: MIT
#include "world.hpp"

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
  oracle_ = std::make_unique<Oracle>(*clock_, options_.max_attempts);
  backend_ = kind == Kind::memory ? memory_backend(*clock_, seed ^ 0x5EEDU) : store_backend(clock_);
  boot();
}

World::~World() { relay_.reset(); }

void World::boot() {
  ++boots_;
  sink_ = std::make_unique<Wire>(1 + chance(30), [this] { lose_under_way(); });
  if (away_) sink_->refuse(satchel::down("away"));
  sink_->answer([this](const Delivery& delivery) {
    oracle_->sent(delivery);
    return std::nullopt;
  });
  relay_ = std::make_unique<satchel::relay::Relay>(
      options_, satchel::relay::Relay::Ports{backend_->storage(), *sink_, *clock_, *oracle_}, [] {},
      random_());
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
    cut();
  } else if (what < 87) {
    crash();
  } else if (what < 89) {
    erase_one();
  } else if (what < 91) {
    replay_one();
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
    const satchel::MessageId id = backend_->storage().save(message);
    oracle_->enqueued(id, message, nature);
  }
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
  std::vector<Delivery> under_way = sink_->under_way();
  std::shuffle(under_way.begin(), under_way.end(), random_);
  const std::size_t count = under_way.empty() ? 0 : 1 + chance(under_way.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Nature nature = oracle_->fate(under_way[i].id.row).nature;
    if (nature == Nature::killer) {
      crash();
      return;
    }
    if (nature == Nature::poison) {
      cut();
      return;
    }
    answer(under_way[i]);
  }
}

void World::answer(const Delivery& delivery) {
  const Row row = delivery.id.row;
  const Nature nature = oracle_->fate(row).nature;
  if (nature == Nature::reject) return reply(delivery, satchel::reject("rejected"));
  if (forbidden_.count(delivery.topic) != 0) return reply(delivery, satchel::blocked("not authorised"));
  if (nature == Nature::flaky && !one_in(3)) {
    return reply(delivery,
                 satchel::retry("not now", one_in(2) ? 0ms : std::chrono::milliseconds{chance(500)}));
  }
  if (one_in(60) && !quiet_)
    return reply(delivery, satchel::down("server busy", std::chrono::milliseconds{chance(2000)}));
  oracle_->arrived(row);
  reply(delivery, satchel::delivered());
}

void World::reply(const Delivery& delivery, Receipt receipt) {
  oracle_->answered(delivery.id.row, receipt, false);
  sink_->reply(delivery.claim, std::move(receipt));
}

/// The connection breaks; what was on its way may have arrived.
void World::cut() {
  if (!sink_->is_up()) return;
  lose_under_way();
  sink_->fall(one_in(10) && !quiet_ ? satchel::blocked("certificate expired")
                                    : satchel::down("connection lost"));
}

void World::lose_under_way() {
  const std::vector<Delivery> under_way = sink_->under_way();
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
  for (const Delivery& delivery : sink_->under_way()) {
    // A message that somebody deleted is not among the suspects that a storage has to name.
    if (!oracle_->fate(delivery.id.row).erased) ++in_flight;
    const Nature nature = oracle_->fate(delivery.id.row).nature;
    if ((nature == Nature::good || nature == Nature::flaky) && one_in(2)) oracle_->arrived(delivery.id.row);
  }
  // The record of what is in flight is as of the last hand-over: a message may be alone in truth and not in
  // it, never the other way round.
  relay_.reset();
  sink_.reset();
  backend_->crash();
  oracle_->crashed(in_flight <= 1);
  boot();
}

void World::erase_one() {
  if (oracle_->fates().empty()) return;
  auto one = oracle_->fates().begin();
  std::advance(one, static_cast<std::ptrdiff_t>(chance(oracle_->fates().size())));
  if (backend_->erase(one->first)) oracle_->erased(one->first);
}

void World::replay_one() {
  const std::set<Row> dead = backend_->dead();
  if (dead.empty()) return;
  auto one = dead.begin();
  std::advance(one, static_cast<std::ptrdiff_t>(chance(dead.size())));
  oracle_->replayed(*one);
  backend_->replay(oracle_->fate(*one).id);
}

void World::disturb() {
  switch (chance(6)) {
    case 0:
      away_ = !away_;
      sink_->refuse(away_ ? std::optional{one_in(4) ? satchel::blocked("no rights") : satchel::down("away")}
                          : std::nullopt);
      if (away_) cut();
      return;
    case 1:
      if (forbidden_.empty()) {
        forbidden_ = {"forbidden"};
        if (one_in(3)) forbidden_.insert("topic1");
      } else {
        forbidden_.clear();
      }
      return;
    case 2:
      backend_->trouble(one_in(2) ? static_cast<int>(chance(300)) : 0);
      return;
    case 3:
      backend_->occupy(one_in(2));
      return;
    case 4:
      // In truth the other relay sends what it found, too; here it ends at once.
      if (one_in(3) && backend_->usurp()) oracle_->claim_void(sink_->under_way().size() <= 1);
      return;
    default:
      // A peer that says nothing for longer than the claim timeout.
      if (one_in(4)) clock_->advance(25s);
      return;
  }
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
  quiet_ = true;
  away_ = false;
  forbidden_.clear();
  backend_->trouble(0);
  backend_->occupy(false);
  sink_->refuse(std::nullopt);
  for (int rounds = 0; rounds < 4000; ++rounds) {
    for (int steps = 0; steps < 1000 && relay_->step(); ++steps) {
    }
    oracle_->check();
    if (!sink_->under_way().empty()) {
      answer_some();
      clock_->advance(5ms);
      continue;
    }
    if (backend_->pending().empty()) return;
    // The device goes on with its work: that is how a bad message is told from a bad peer.
    if (rounds % 20 == 19) {
      satchel::Message message;
      message.topic = "topic0";
      message.payload = "life goes on";
      oracle_->enqueued(backend_->storage().save(message), message, Nature::good);
      continue;
    }
    const auto next = relay_->next_step();
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
