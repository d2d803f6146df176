// SPDX-License-Identifier: MIT
#include <satchel/log.hpp>

#include <fmt/format.h>

#include <string>
#include <utility>

namespace satchel {
namespace {

/// A text from outside must not begin a line of its own, nor steer a terminal.
std::string flat(std::string line) {
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
  }
  return line;
}

class LogObserver final : public PassingObserver {
 public:
  LogObserver(LogCallback callback, LogLevel least, std::shared_ptr<Observer> next)
      : PassingObserver{std::move(next)}, callback_{std::move(callback)}, least_{least} {}

  void delivered(const MessageId& id, int attempts) noexcept override {
    say(LogLevel::debug,
        [&] { return fmt::format("delivered {} after {} failed attempts", id.to_string(), attempts); });
    PassingObserver::delivered(id, attempts);
  }
  void retrying(const MessageId& id, int attempts, const std::string& error,
                std::chrono::milliseconds backoff) noexcept override {
    say(LogLevel::warning, [&] {
      return fmt::format("attempt {} of {} failed: {}; again in {} ms", attempts, id.to_string(), error,
                         backoff.count());
    });
    PassingObserver::retrying(id, attempts, error, backoff);
  }
  void died(const MessageId& id, DeadReason reason, const std::string& error) noexcept override {
    say(LogLevel::error,
        [&] { return fmt::format("dead letter {} ({}): {}", id.to_string(), to_string(reason), error); });
    PassingObserver::died(id, reason, error);
  }
  void expired(const MessageId& id) noexcept override {
    say(LogLevel::warning, [&] { return fmt::format("expired {}", id.to_string()); });
    PassingObserver::expired(id);
  }
  void dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept override {
    // Taking the place of an older value is what it was asked to do.
    const LogLevel level = reason == DropReason::coalesced ? LogLevel::debug : LogLevel::warning;
    say(level,
        [&] { return fmt::format("dropped {} of topic {} ({})", messages, topic, to_string(reason)); });
    PassingObserver::dropped(reason, topic, messages);
  }
  void sink_up(const std::string& sink) noexcept override {
    say(LogLevel::info, [&] { return fmt::format("sink {} is up", sink); });
    PassingObserver::sink_up(sink);
  }
  void sink_down(const std::string& sink, const std::string& reason, bool alarm,
                 std::chrono::milliseconds pause) noexcept override {
    say(alarm ? LogLevel::error : LogLevel::warning, [&] {
      return fmt::format("sink {} is {}: {}; {}; next probe in {} ms", sink, alarm ? "blocked" : "down",
                         reason, remedy_of(alarm ? SinkState::blocked : SinkState::down), pause.count());
    });
    PassingObserver::sink_down(sink, reason, alarm, pause);
  }
  void leading(bool leads) noexcept override {
    say(LogLevel::info, [&] { return std::string{leads ? "the relay of the file" : "standing by"}; });
    PassingObserver::leading(leads);
  }
  void failing(const std::string& problem, const std::string& hint) noexcept override {
    say(LogLevel::error, [&] { return fmt::format("the relay cannot work: {}; {}", problem, hint); });
    PassingObserver::failing(problem, hint);
  }
  void healed() noexcept override {
    say(LogLevel::info, [&] { return std::string{"the relay works again"}; });
    PassingObserver::healed();
  }
  void gate_held(std::chrono::milliseconds held) noexcept override {
    say(LogLevel::warning,
        [&] { return fmt::format("a transaction kept the others waiting for {} ms", held.count()); });
    PassingObserver::gate_held(held);
  }
  void salvaged(const SalvageReport& report) noexcept override {
    say(LogLevel::error, [&] { return std::string{"the file was damaged, and was salvaged"}; });
    PassingObserver::salvaged(report);
  }
  void notice(const std::string& text) noexcept override {
    say(LogLevel::warning, [&] { return text; });
    PassingObserver::notice(text);
  }

 private:
  template <class Text>
  void say(LogLevel level, Text text) noexcept {
    if (level < least_ || !callback_) return;
    try {
      callback_(level, flat(text()));
    } catch (...) {
      return;  // nothing depends on a log
    }
  }

  const LogCallback callback_;
  const LogLevel least_;
};

}  // namespace

std::shared_ptr<Observer> log_to(LogCallback callback, LogLevel least, std::shared_ptr<Observer> next) {
  return std::make_shared<LogObserver>(std::move(callback), least, std::move(next));
}

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "unknown";
}

}  // namespace satchel
