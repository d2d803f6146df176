// SPDX-License-Identifier: MIT
#include "world.hpp"

#include <array>

namespace simulation {

/// Half of all devices live without any.
void World::draw_policies() {
  peers_.emplace_back();
  if (one_in(2)) return;
  if (one_in(2)) {
    peers_.front().route = {.name = "far", .topics = {"far/#"}};
    peers_.push_back({nullptr, {.name = "near"}});
  }
  draw_clock();
  for (Peer& peer : peers_) draw_route(peer.route);
  priorities_ = one_in(2);
  delays_ = one_in(3);
  coalesces_ = one_in(3);
  options_.bulk_share = chance(5);
  if (one_in(3)) options_.dead_key = satchel::DeadKey::block;
  if (one_in(4)) options_.drain_jitter = std::chrono::milliseconds{chance(3000)};
  if (one_in(4)) options_.max_age = std::chrono::milliseconds{100 + chance(10'000)};
  if (one_in(3)) options_.announce_topic = "announced";
  if (one_in(3)) {
    satchel::TopicRule rule{.filter = "topic2"};
    rule.retry.max_attempts = static_cast<int>(1 + chance(4));
    if (one_in(2)) rule.retry.max_age = std::chrono::milliseconds{chance(3000)};
    options_.topics.push_back(rule);
  }
  if (one_in(3)) draw_quota();
}

void World::draw_route(satchel::RouteOptions& route) {
  if (one_in(4)) route.messages_per_second = 1.0 + static_cast<double>(chance(50));
  if (one_in(6)) route.bytes_per_second = 20.0 + static_cast<double>(chance(2000));
  if (one_in(5)) {
    const std::uint64_t bytes = 500 + chance(3000);
    route.budget = {.bytes = bytes,
                    .urgent_reserve = one_in(2) ? chance(bytes / 2) : 0,
                    .period = satchel::DataBudget::Period::day};
  }
  if (one_in(3)) route.drain = one_in(2) ? satchel::Drain::newest_first : satchel::Drain::interleaved;
  if (one_in(4)) route.window = 1 + chance(5);
  route.sequence = one_in(3);
  constexpr std::uint64_t kDay = 24 * 60;
  const std::uint64_t now =
      static_cast<std::uint64_t>(clock_->wall().time.time_since_epoch() / std::chrono::minutes{1}) % kDay;
  for (std::uint64_t hours = one_in(4) ? 1 + chance(2) : 0; hours > 0; --hours) {
    const std::uint64_t from = (now + kDay - 2 + chance(6)) % kDay;
    route.quiet.push_back({std::chrono::minutes{from}, std::chrono::minutes{(from + chance(10)) % kDay}});
  }
}

void World::draw_clock() {
  if (one_in(2)) return;
  constexpr std::uint64_t kTenYears = 315'360'000'000;
  clock_->set_wall(satchel::WallTime{std::chrono::milliseconds{1'700'000'000'000 + chance(kTenYears)}},
                   !one_in(4));
  clock_steps_ = one_in(3);
}

void World::draw_quota() {
  satchel::Quota& quota = options_.quota;
  if (!one_in(4)) quota.messages = 3 + chance(30);
  const bool announces = !options_.announce_topic.empty();
  if (one_in(3) && !announces) quota.bytes = 300 + chance(3000);
  constexpr std::array<satchel::WhenFull, 4> kinds{satchel::WhenFull::reject, satchel::WhenFull::drop_oldest,
                                                   satchel::WhenFull::drop_newest,
                                                   satchel::WhenFull::drop_lowest};
  quota.when_full = kinds[chance(kinds.size())];
  // Otherwise pages count, and what goes from the middle shortens no span.
  quota.exact = quota.when_full == satchel::WhenFull::drop_lowest || quota.bytes != 0 || one_in(2);
  if (!quota.exact || !priorities_) return;
  if (one_in(2)) quota.bulk.messages = 2 + chance(10);
  if (one_in(3) && !announces) quota.normal.bytes = 300 + chance(1000);
  if (one_in(4)) quota.urgent.messages = 2 + chance(10);
}

}  // namespace simulation
