// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// How a delivery ended. What the relay does about it:
enum class Verdict : std::uint8_t {
  delivered,  ///< the first hop has it: the message is deleted
  retry,      ///< this message failed this time: one attempt is counted, it is sent again after a backoff
  reject,     ///< it can never succeed: dead letter at once
  down,       ///< the sink failed, not the message: no attempt is counted, the route waits and probes
  blocked,    ///< credentials, rights or configuration: no attempt is counted, an alarm is raised, slow probe
};

/// One message on its way out: everything that a sink may put on the wire.
struct Delivery {
  /// Names this hand-over; goes back in the receipt. A message that is sent again has a new one.
  std::uint64_t claim = 0;
  MessageId id;                 ///< the same for every copy
  std::string topic;            ///< as in `Message`
  std::string payload;          ///< as in `Message`
  std::string key;              ///< as in `Message`; empty: none
  std::string content_type;     ///< as in `Message`; empty: none
  std::vector<Header> headers;  ///< as in `Message`
  /// When it was enqueued; nothing while the wall clock has not been trusted since then.
  std::optional<WallTime> created;
  /// What is left of `Message::expires_after`, always positive; nothing: it does not expire.
  std::optional<std::chrono::milliseconds> remaining;
  /// Attempts counted so far: 0 at the first delivery.
  int attempts = 0;
  /// Its number on its route, see `RouteOptions::sequence`.
  std::optional<std::int64_t> sequence{};
};

/// What became of one delivery.
struct Receipt {
  std::uint64_t claim = 0;               ///< `Delivery::claim`
  Verdict verdict = Verdict::delivered;  ///< how it ended
  /// With retry, down and blocked: not before this time has passed, when the peer asked for that. The relay
  /// caps it and uses its own backoff when it is zero.
  std::chrono::milliseconds after{0};
  /// For people: what happened, with the peer's code. Never a secret. Empty when delivered.
  std::string reason{};
  /// With down: the message was on the wire when the connection broke, so it may be the cause of it, and it
  /// may have arrived.
  bool exposed = false;
};

/// Receipts in short form; the relay fills in `claim` where a sink answers for one message.
Receipt delivered();
Receipt retry(std::string reason, std::chrono::milliseconds after = {});    ///< `Verdict::retry`
Receipt reject(std::string reason);                                         ///< `Verdict::reject`
Receipt down(std::string reason, std::chrono::milliseconds after = {});     ///< `Verdict::down`
Receipt blocked(std::string reason, std::chrono::milliseconds after = {});  ///< `Verdict::blocked`

/// How a sink talks back to the relay. Every method may be called from any thread, also from within a call of
/// the relay into the sink; none blocks, none throws.
class SinkEvents {
 public:
  virtual ~SinkEvents() = default;

  /// Answers deliveries, many at once where possible. Each delivery gets exactly one receipt.
  virtual void receipts(std::vector<Receipt> batch) noexcept = 0;

  /// The sink can take messages. Answers `Sink::resume`.
  virtual void up() noexcept = 0;

  /// The sink cannot take messages: `cause` is a down or a blocked receipt (its `claim` is not used). Answers
  /// `Sink::resume`, or reports the loss of a connection. Deliveries under way are answered separately,
  /// before.
  virtual void down(Receipt cause) noexcept = 0;
};

/// Port: carries messages to the first hop. A sink decides nothing: it reports what happened, and the relay
/// retries, waits and gives up.
///
/// The relay calls every method from one thread at a time and keeps at most `capacity()` deliveries with
/// the sink. No call may block for longer than it takes to hand the work over; a sink that has to wait (for
/// a socket, a server) does so on a thread of its own.
class Sink {
 public:
  virtual ~Sink() = default;

  /// Called once, before anything but `linger`. `events` outlives the sink's `stop`. What it throws counts as
  /// `down`: the next probe calls it again, so it must then leave the sink as it was.
  virtual void start(SinkEvents& events) = 0;

  /// Asks the sink to become usable: to connect. It answers with `SinkEvents::up` or `down`, at once or
  /// later. Called at the start and for every probe after a `down`; a sink without a connection answers `up`.
  virtual void resume() = 0;

  /// Takes over the deliveries. Called only between `up` and `down`.
  virtual void send(std::vector<Delivery> batch) = 0;

  /// Gives up everything under way: every delivery without a receipt gets `down` with `exposed`, connections
  /// are dropped and `SinkEvents::down` follows. Called when a receipt stays out for too long.
  virtual void reset() = 0;

  /// Ends the sink within `timeout`: connections are closed in an orderly way where time allows, threads are
  /// ended or left to end by themselves. After it returns no event is sent. May be called without `start`.
  virtual void stop(std::chrono::milliseconds timeout) noexcept = 0;

  /// Deliveries that it can have under way at once; may change with each `up`. At least 1.
  virtual std::size_t capacity() const noexcept = 0;

  /// The longest time for which it keeps a delivery before it begins to send it. 0: it begins at once. At
  /// most half of `Options::claim_timeout`, or `Outbox::attach` refuses the sink.
  virtual std::chrono::milliseconds linger() const noexcept { return std::chrono::milliseconds{0}; }

  /// For people: what it is connected to, without secrets: `mqtt://broker.example:1883`.
  virtual std::string name() const = 0;
};

}  // namespace satchel

#pragma GCC visibility pop
