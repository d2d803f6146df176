// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/message.hpp>
#include <satchel/sink.hpp>
#include <satchel/sink_url.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// Answers one delivery of an asynchronous sink function. Copies stand for the same delivery; the first
/// answer counts. When the last copy goes without an answer, the message is answered with retry. Any thread;
/// never throws; may be used after the sink is gone.
class Completion {
 public:
  /// Answers the delivery.
  void operator()(Receipt receipt) const noexcept;

 private:
  friend class CustomSink;
  struct State;
  explicit Completion(std::shared_ptr<State> state) : state_{std::move(state)} {}
  std::shared_ptr<State> state_;
};

/// What can be said of a sink made of a function.
struct CustomSinkOptions {
  /// What `name()` says.
  std::string name{"custom"};
  /// Deliveries that the sink takes at once: those of a blocking function wait for their turn. 1 to 65,535.
  std::size_t capacity = 32;
};

/// A sink made of a function; see `sink`.
class CustomSink final : public Sink {
 public:
  using Blocking = std::function<Receipt(Delivery&&)>;
  using Asynchronous = std::function<void(Delivery&&, Completion)>;

  /// Throws `InvalidOption`.
  CustomSink(Blocking function, CustomSinkOptions options);
  /// For a function that answers later. Throws `InvalidOption`.
  CustomSink(Asynchronous function, CustomSinkOptions options);
  ~CustomSink() override;
  CustomSink(CustomSink&&) noexcept;
  CustomSink& operator=(CustomSink&&) noexcept;

  void start(SinkEvents& events) override;
  void resume() override;
  void send(std::vector<Delivery> batch) override;
  /// A function that hangs goes on hanging, and the next deliveries wait for it; its late answer is not
  /// passed on.
  void reset() override;
  /// Waits for what is under way as long as time allows. A function that hangs is left behind with its
  /// thread: what it refers to has to live on.
  void stop(std::chrono::milliseconds timeout) noexcept override;
  std::size_t capacity() const noexcept override;
  std::string name() const override;

 private:
  class Core;
  friend struct Completion::State;
  std::shared_ptr<Core> core_;
};

/// The message that a delivery carries.
Message to_message(Delivery delivery);

/// A sink in one line:
///
///     outbox.attach(satchel::sink([](const satchel::Message& message) {
///       return write_to_uart(message.payload) ? satchel::delivered() : satchel::down("the UART is busy");
///     }));
///
/// `function` is called on a thread of the sink's own, for one message after the other, with a `const
/// Message&` or, for the id and the rest, a `const Delivery&`. It returns a receipt when the message has its
/// fate (it may block); or it takes a `Completion` as second argument, returns at once and calls that later.
/// What it throws is answered with retry, its text as the reason. That thread has all signals blocked but
/// those of a crash: a process that is started from it inherits the mask and has to reset it
/// (`posix_spawnattr_setsigmask`).
template <typename Function>
CustomSink sink(Function function, CustomSinkOptions options = {}) {
  // Shared, so that a function that can only be moved will do.
  const auto shared = std::make_shared<Function>(std::move(function));
  if constexpr (std::is_invocable_r_v<Receipt, Function&, const Message&>) {
    return CustomSink{CustomSink::Blocking{[shared](Delivery&& delivery) -> Receipt {
                        const Message message = to_message(std::move(delivery));
                        return (*shared)(message);
                      }},
                      std::move(options)};
  } else if constexpr (std::is_invocable_r_v<Receipt, Function&, const Delivery&>) {
    return CustomSink{CustomSink::Blocking{[shared](Delivery&& delivery) -> Receipt {
                        return (*shared)(std::as_const(delivery));
                      }},
                      std::move(options)};
  } else if constexpr (std::is_invocable_v<Function&, const Message&, Completion>) {
    return CustomSink{CustomSink::Asynchronous{[shared](Delivery&& delivery, Completion completion) {
                        const Message message = to_message(std::move(delivery));
                        (*shared)(message, std::move(completion));
                      }},
                      std::move(options)};
  } else {
    static_assert(std::is_invocable_v<Function&, const Delivery&, Completion>,
                  "a sink function takes a const Message& or a const Delivery& and returns a Receipt, or "
                  "takes a Completion too");
    return CustomSink{CustomSink::Asynchronous{[shared](Delivery&& delivery, Completion completion) {
                        (*shared)(std::as_const(delivery), std::move(completion));
                      }},
                      std::move(options)};
  }
}

/// The sink behind `stdout:`: prints `id topic payload` and a line feed for each message, separated by tabs;
/// what is not printable is escaped as in C. Throws `InvalidOption` when the URL says more than that.
std::unique_ptr<Sink> make_stdout_sink(const SinkUrl& url);

}  // namespace satchel

#pragma GCC visibility pop
