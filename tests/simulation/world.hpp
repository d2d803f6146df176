// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/testing/manual_clock.hpp>
#include <satchel/testing/scripted_sink.hpp>

#include "backend.hpp"
#include "manners.hpp"
#include "oracle.hpp"
#include "relay/relay.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

enum class Kind { memory, store };

/// A scripted sink that says when the relay resets it.
class Wire final : public satchel::testing::ScriptedSink {
 public:
  Wire(std::size_t capacity, std::function<void()> on_reset)
      : ScriptedSink{capacity}, on_reset_{std::move(on_reset)} {}
  void reset() override {
    on_reset_();
    ScriptedSink::reset();
  }

 private:
  const std::function<void()> on_reset_;
};

/// One device with its peer, in virtual time: a relay over a storage, a scripted sink, and chance. The same
/// seed is the same life.
class World {
 public:
  World(Kind kind, std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Throws when a rule is broken.
  void live();

  void trace() { oracle_->trace(true); }
  std::uint64_t messages() const noexcept { return oracle_->fates().size(); }

 private:
  /// A route and its peer.
  struct Peer {
    std::unique_ptr<Wire> sink{};
    satchel::RouteOptions route{};
    bool away = false;
    std::unique_ptr<Manners> manners{};
  };

  void draw_policies();
  void draw_route(satchel::RouteOptions& route);
  void draw_quota();
  void draw_clock();
  void boot();
  void open(Peer& peer);
  void act();
  void come_to_rest();

  void enqueue();
  void enqueue(satchel::Message message, Nature nature);
  std::set<Row> see_drops(const std::set<Row>& before, const satchel::Message& by);
  void check_quota(const std::set<Row>& pending, satchel::Priority enqueued);
  void add_policies(satchel::Message& message);
  void answer_some();
  void answer(Peer& peer, const satchel::Delivery& delivery);
  void reply(Peer& peer, const satchel::Delivery& delivery, satchel::Receipt receipt);
  void cut(Peer& peer);
  void lose_under_way(const Peer& peer);
  std::size_t under_way() const;
  /// Deliveries may be recorded by a save.
  bool may_ride() const { return rides_ || options_.settle_linger > std::chrono::milliseconds{0}; }
  void crash();
  void erase_one();
  void replay_one();
  bool discard_one();
  void step_clock();
  void go_away(Peer& peer);
  void forbid();
  void disturb();
  void pass_time();
  void step();

  std::uint64_t chance(std::uint64_t below) { return random_() % below; }
  bool one_in(std::uint64_t times) { return chance(times) == 0; }
  std::string some_key();
  std::string some_topic();
  Peer& some_peer() { return peers_[chance(peers_.size())]; }

  std::mt19937_64 random_;
  std::shared_ptr<satchel::testing::ManualClock> clock_ = std::make_shared<satchel::testing::ManualClock>();
  satchel::Options options_;
  std::unique_ptr<Oracle> oracle_;
  std::unique_ptr<Backend> backend_;
  std::vector<Peer> peers_;
  std::unique_ptr<satchel::relay::Relay> relay_;
  std::set<std::string> forbidden_;
  bool priorities_ = false;
  bool delays_ = false;
  bool coalesces_ = false;
  bool at_rest_ = false;
  bool clock_steps_ = false;
  bool rides_ = false;  ///< also those that nothing would linger for
  std::uint64_t boots_ = 0;
};

}  // namespace simulation
