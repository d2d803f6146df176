// SPDX-License-Identifier: MIT
//
// A whole session of an outbox with a real server, once for every byte at which the link between them fails,
// and what must be true whatever happened to it.
#pragma once

#include "support/flaky_proxy.hpp"
#include "support/report.hpp"
#include "support/sanitizer.hpp"
#include "support/temp_dir.hpp"

#include <satchel/satchel.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace network {

using std::chrono::milliseconds;
using support::FlakyProxy;
using support::Harm;
using support::LinkFault;
using support::Way;

/// Messages of one session, and the key of each: two keys with two messages, and one without.
constexpr std::size_t kMessages = 5;
constexpr std::size_t kWindow = 4;
inline std::string key_of(std::size_t index) {
  return std::string{index == 4 ? "" : index % 2 == 0 ? "a" : "b"};
}

/// How long a sink waits for its server. In an emulator the handshake of TLS alone takes more than 100 ms.
inline const milliseconds kPatience{support::kSanitized || std::getenv("TEST_LAUNCHER") != nullptr ? 1000
                                                                                                   : 100};
constexpr std::chrono::seconds kHang{60};

inline std::string_view to_string(Harm harm) {
  constexpr std::string_view kNames[] = {"none", "cut",     "reset",     "half close", "stall",
                                         "late", "trickle", "duplicate", "delay"};
  return kNames[static_cast<std::size_t>(harm)];
}

/// A message on its arrival at the server.
struct Arrival {
  std::size_t session = 0;
  std::size_t message = 0;
};

/// "session/message"; nothing: no message of ours.
inline std::optional<Arrival> parse_arrival(const std::string& payload) {
  const std::size_t slash = payload.find('/');
  if (slash == std::string::npos || slash == 0 || payload.size() != slash + 2) return std::nullopt;
  if (payload.find_first_not_of("0123456789") != slash) return std::nullopt;
  const auto message = static_cast<std::size_t>(payload[slash + 1] - '0');
  if (message >= kMessages) return std::nullopt;
  return Arrival{std::stoul(payload), message};
}
inline std::string payload_of(std::size_t session, std::size_t message) {
  return std::to_string(session) + "/" + std::to_string(message);
}

/// Counts what the relay tells.
class Witness final : public satchel::Observer {
 public:
  void delivered(const satchel::MessageId&, int attempts) noexcept override { add(delivered_, attempts); }
  void died(const satchel::MessageId&, satchel::DeadReason, const std::string& error) noexcept override {
    {
      const std::lock_guard lock{mutex_};
      death_ = error;
    }
    add(dead_, 0);
  }
  void retrying(const satchel::MessageId&, int, const std::string& error, milliseconds) noexcept override {
    const std::lock_guard lock{mutex_};
    death_ = error;
    ++attempts_;
  }
  void sink_down(const std::string&, const std::string&, bool, milliseconds) noexcept override {
    add(downs_, 0);
  }

  bool wait_settled(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kHang, [&] { return delivered_ + dead_ >= count; });
  }
  bool wait_down(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kHang, [&] { return downs_ >= count; });
  }
  std::size_t delivered() const { return get(delivered_); }
  std::size_t dead() const { return get(dead_); }
  std::size_t downs() const { return get(downs_); }
  std::size_t attempts() const { return get(attempts_); }
  std::string last_error() const {
    const std::lock_guard lock{mutex_};
    return death_;
  }

 private:
  void add(std::size_t& counter, int attempts) {
    const std::lock_guard lock{mutex_};
    ++counter;
    attempts_ += static_cast<std::size_t>(attempts);
    changed_.notify_all();
  }
  std::size_t get(const std::size_t& counter) const {
    const std::lock_guard lock{mutex_};
    return counter;
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t delivered_ = 0;
  std::size_t dead_ = 0;
  std::size_t attempts_ = 0;
  std::size_t downs_ = 0;
  std::string death_;
};

inline satchel::Options brisk_options(std::shared_ptr<Witness> witness) {
  satchel::Options options;
  options.observer = std::move(witness);
  options.probe_backoff = {.base = milliseconds{1}, .cap = milliseconds{4}};
  options.retry_backoff = options.probe_backoff;
  options.blocked_probe = milliseconds{4};
  options.settle_linger = milliseconds{0};
  options.window = kWindow;
  return options;
}

/// Where the sessions go.
struct Target {
  std::string name;
  std::uint16_t port = 0;
  /// The sink of the lane with this number, which reaches the server through this port.
  std::function<std::unique_ptr<satchel::Sink>(std::uint16_t port, std::size_t lane)> sink;
  /// Duplicates that one lost connection may cause.
  std::size_t per_loss = kWindow;
};

/// What became of one session, as this side saw it.
struct Session {
  LinkFault fault;
  FlakyProxy::Figures link;
  std::size_t delivered = 0;
  std::size_t dead = 0;
  std::size_t attempts = 0;
  std::uint64_t pending = 0;
  bool hung = false;
  milliseconds took{0};
  std::string last_error;
};

/// One session after the other on a file and a proxy of its own.
class Lane {
 public:
  Lane(const Target& target, std::size_t index)
      : target_(target), index_(index), proxy_(target.port), directory_(support::TempDir::Where::memory) {}

  Session run(std::size_t number, const LinkFault& fault) {
    const auto begin = std::chrono::steady_clock::now();
    proxy_.arm(fault);
    Session result;
    result.fault = fault;
    const auto witness = std::make_shared<Witness>();
    {
      satchel::Outbox outbox{directory_.path() + "/device.db", brisk_options(witness)};
      outbox.attach(target_.sink(proxy_.port(), index_));
      auto tx = outbox.begin();
      for (std::size_t i = 0; i < kMessages; ++i)
        tx.enqueue({.topic = "f", .payload = payload_of(number, i), .key = key_of(i)});
      tx.commit();
      outbox.start();
      result.hung = !witness->wait_settled(kMessages);
      result.hung = !outbox.stop(std::chrono::seconds{10}) || result.hung;
      result.pending = outbox.status().pending;
    }
    result.link = proxy_.figures();
    result.delivered = witness->delivered();
    result.dead = witness->dead();
    result.attempts = witness->attempts();
    result.last_error = witness->last_error();
    result.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    return result;
  }

 private:
  const Target& target_;
  const std::size_t index_;
  FlakyProxy proxy_;
  support::TempDir directory_;
};

/// The faults of a sweep over a session of so many bytes: every `stride`-th byte of each way, and each fault
/// on bytes of its own.
inline std::vector<LinkFault> faults_for(const FlakyProxy::Figures& clean, const std::vector<Harm>& harms,
                                         const std::vector<Way>& ways, std::size_t stride) {
  std::vector<LinkFault> faults;
  for (const Harm harm : harms) {
    for (const Way way : ways) {
      // Nobody would get what is held back of an answer.
      if (harm == Harm::late && way == Way::down) continue;
      const std::size_t bytes = way == Way::up ? clean.up : clean.down;
      for (std::size_t at = static_cast<std::size_t>(harm) % stride; at <= bytes; at += stride)
        faults.push_back({harm, way, at});
    }
  }
  return faults;
}

/// Runs the faults, several sessions at once, because most of the time of many of them is waiting.
inline std::vector<Session> run_sessions(const Target& target, const std::vector<LinkFault>& faults) {
  constexpr std::size_t kLanes = 8;
  std::vector<Session> sessions(faults.size());
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> lanes;
  for (std::size_t index = 0; index < kLanes; ++index) {
    lanes.emplace_back([&, index] {
      Lane lane{target, index};
      for (std::size_t number = next++; number < faults.size(); number = next++)
        sessions[number] = lane.run(number, faults[number]);
    });
  }
  for (std::thread& lane : lanes) lane.join();
  return sessions;
}

/// What breaks the promise, and the figures of the report.
struct Findings {
  std::size_t sessions = 0;
  std::size_t fired = 0;
  std::size_t lost_connections = 0;
  std::size_t lost = 0;
  std::size_t invented = 0;
  std::size_t duplicates = 0;
  std::size_t over_bound = 0;
  std::size_t disordered = 0;
  std::size_t attempts = 0;
  std::size_t dead = 0;
  std::size_t unsettled = 0;
  std::size_t hung = 0;
  milliseconds slowest{0};
};

inline void describe(const Target& target, const Session& session, const std::string& what) {
  static std::size_t said = 0;
  // The control loses a lot.
  if (++said > 20) return;
  std::cout << target.name << ": " << to_string(session.fault.harm) << " after byte " << session.fault.at
            << (session.fault.way == Way::up ? " up: " : " down: ") << what << " ("
            << session.link.connections << " connections, " << session.took.count() << " ms) "
            << session.last_error << "\n";
}

/// Looks at what the sender says of itself.
inline Findings judge_senders(const Target& target, const std::vector<Session>& sessions) {
  Findings findings;
  findings.sessions = sessions.size();
  for (const Session& session : sessions) {
    if (session.link.fired) ++findings.fired;
    if (session.link.connections > 1) findings.lost_connections += session.link.connections - 1;
    findings.attempts += session.attempts;
    findings.dead += session.dead;
    findings.slowest = std::max(findings.slowest, session.took);
    if (session.attempts + session.dead > 0) describe(target, session, "a message was blamed");
    if (session.hung) {
      ++findings.hung;
      describe(target, session, "it hung");
    }
    if (session.delivered + session.dead != kMessages || session.pending != 0) {
      ++findings.unsettled;
      describe(target, session, "pending or settled twice");
    }
  }
  return findings;
}

/// Looks at what arrived, in its order; what is no message of ours was counted by the caller in `invented`.
inline Findings judge(const Target& target, const std::vector<Session>& sessions,
                      const std::vector<Arrival>& arrivals, std::size_t invented) {
  Findings findings = judge_senders(target, sessions);
  findings.invented = invented;
  std::vector<std::vector<std::size_t>> arrived(sessions.size());
  for (const Arrival& arrival : arrivals) {
    if (arrival.session < sessions.size())
      arrived[arrival.session].push_back(arrival.message);
    else
      ++findings.invented;
  }
  for (std::size_t number = 0; number < sessions.size(); ++number) {
    const Session& session = sessions[number];
    std::set<std::size_t> seen;
    std::map<std::string, std::size_t> newest;
    bool in_order = true;
    for (const std::size_t message : arrived[number]) {
      if (!seen.insert(message).second) continue;
      const std::string key = key_of(message);
      if (!key.empty() && newest.count(key) > 0 && newest[key] > message) in_order = false;
      newest[key] = message;
    }
    const std::size_t copies = arrived[number].size() - seen.size();
    findings.lost += kMessages - seen.size();
    findings.duplicates += copies;
    if (seen.size() < kMessages) describe(target, session, "a message is lost");
    if (!in_order) {
      ++findings.disordered;
      describe(target, session, "the order of a key is not kept");
    }
    std::size_t losses = session.link.connections > 0 ? session.link.connections - 1 : 0;
    // An answer with bytes too many can be of no use while the connection goes on.
    if (session.fault.harm == Harm::duplicate && session.link.fired) ++losses;
    if (copies > losses * target.per_loss) {
      ++findings.over_bound;
      describe(target, session, "more copies than the bound: " + std::to_string(copies));
    }
  }
  return findings;
}

/// One line for the report of the faults.
inline void report(const std::string& topic, const std::string& done, const Findings& found,
                   std::size_t stride) {
  std::cout << "REPORT " << topic << " | " << done << " | sessions=" << found.sessions
            << ", faults=" << found.fired << ", every_nth_byte=" << stride
            << ", connections_lost=" << found.lost_connections << ", messages=" << found.sessions * kMessages
            << ", lost=" << found.lost << ", invented=" << found.invented
            << ", duplicates=" << found.duplicates << ", over_bound=" << found.over_bound
            << ", disordered=" << found.disordered << ", attempts_counted=" << found.attempts
            << ", dead_letters=" << found.dead << ", slowest_ms=" << found.slowest.count() << std::endl;
}

/// The same where nobody looked at what arrived.
inline void report_senders(const std::string& topic, const std::string& done, const Findings& found,
                           std::size_t stride) {
  std::cout << "REPORT " << topic << " | " << done << " | sessions=" << found.sessions
            << ", faults=" << found.fired << ", every_nth_byte=" << stride
            << ", connections_lost=" << found.lost_connections << ", messages=" << found.sessions * kMessages
            << ", sessions_without_all_receipts=" << found.unsettled << ", hung=" << found.hung
            << ", dead_letters=" << found.dead << ", slowest_ms=" << found.slowest.count() << std::endl;
}

/// Every n-th byte is hit: `TEST_NETWORK_STRIDE`, or what the session's size allows.
inline std::size_t stride(std::size_t usual) {
  return static_cast<std::size_t>(
      support::size_from_environment("TEST_NETWORK_STRIDE", static_cast<long>(usual)));
}
/// In TLS a session has five times the bytes and costs twice the time: fewer.
inline std::size_t tls_stride(std::size_t usual) { return stride(usual) * 13; }

/// All that a link can do.
inline const std::vector<Harm> kHarms{Harm::cut,  Harm::reset,   Harm::half_close, Harm::stall,
                                      Harm::late, Harm::trickle, Harm::delay,      Harm::duplicate};
inline const std::vector<Way> kBoth{Way::up, Way::down};

/// The same but for bytes that come twice.
inline std::vector<Harm> without_duplicate() {
  std::vector<Harm> harms = kHarms;
  harms.pop_back();
  return harms;
}

/// The bytes of a session over a link that does no harm.
inline FlakyProxy::Figures size_of(const Target& target) {
  Lane lane{target, 98};
  const Session session = lane.run(0, {});
  REQUIRE(session.delivered == kMessages);
  REQUIRE(session.link.connections == 1);
  return session.link;
}

/// Nothing that breaks the promise was found, and there were faults.
inline void demand_all(const Findings& found) {
  CHECK(found.fired > 0);
  CHECK(found.lost == 0);
  CHECK(found.invented == 0);
  CHECK(found.over_bound == 0);
  CHECK(found.disordered == 0);
  CHECK(found.attempts == 0);
  CHECK(found.dead == 0);
  CHECK(found.unsettled == 0);
  CHECK(found.hung == 0);
}

}  // namespace network
