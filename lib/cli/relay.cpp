// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "signals.hpp"
#include "text.hpp"

#include <satchel/error.hpp>
#include <satchel/sink_url.hpp>
#include <satchel/systemd.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <deque>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

namespace satchel::cli {
namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

struct RelayOptions {
  std::string file;
  std::string sink;
  bool until_empty = false;
  std::string timeout;
  std::string prefix;
};

/// How fast a count grows, over the last seconds.
class Rate {
 public:
  double add(Time now, std::uint64_t count) {
    seen_.emplace_back(now, count);
    while (seen_.size() > 2 && now - seen_[1].first > std::chrono::seconds{5}) seen_.pop_front();
    const double seconds = std::chrono::duration<double>(now - seen_.front().first).count();
    return seconds > 0 ? static_cast<double>(count - seen_.front().second) / seconds : 0;
  }

 private:
  std::deque<std::pair<Time, std::uint64_t>> seen_;
};

std::string bar(double part, std::size_t width) {
  const auto full = static_cast<std::size_t>(part * static_cast<double>(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

/// What is told while it goes on: one line that is written over on a terminal, otherwise a line now and then.
class Progress {
 public:
  explicit Progress(const Terminal& out) : out_{out} {}

  void show(const Status& status, Time now) {
    draw(status, counts(status, now) + obstacle(status, now), now);
  }

  /// The relay has ended: what is left is not held up by anything.
  void end(const Status& status, Time now) {
    draw(status, counts(status, now), now);
    if (out_.is_terminal()) out_.write("\n");
  }

 private:
  std::string counts(const Status& status, Time now) {
    const double rate = rate_.add(now, status.delivered);
    std::string text = fmt::format("{}/{}  {:.0f}/s", grouped(status.delivered),
                                   grouped(status.delivered + status.pending), rate);
    if (status.pending > 0 && rate >= 1) {
      text += "  " +
              duration_text(milliseconds{
                  static_cast<std::int64_t>(1000.0 * static_cast<double>(status.pending) / rate)}) +
              " left";
    }
    return text;
  }

  std::string obstacle(const Status& status, Time now) const {
    // Taking over takes a moment.
    if (!status.leading && now < begun_ + std::chrono::seconds{2}) return "  starting";
    if (!status.leading) return "  another process is the relay; standing by";
    if (status.sink == SinkState::up) return {};
    std::string text = "  sink ";
    text += to_string(status.sink);
    if (!status.sink_problem.empty()) text += ": " + visible(status.sink_problem);
    return text;
  }

  void draw(const Status& status, const std::string& text, Time now) {
    if (!out_.is_terminal()) return tell(text, now);
    const std::uint64_t all = status.delivered + status.pending;
    const double part = all == 0 ? 1.0 : static_cast<double>(status.delivered) / static_cast<double>(all);
    const std::string line = shortened(bar(part, 20) + " " + text, out_.columns() - 1);
    if (line != last_) out_.write("\r" + line + "\x1b[K");
    last_ = line;
  }

  void tell(const std::string& text, Time now) {
    if (text == last_ || now < next_) return;
    out_.write(text + "\n");
    last_ = text;
    next_ = now + std::chrono::seconds{10};
  }

  const Terminal& out_;
  const Time begun_ = std::chrono::steady_clock::now();
  Rate rate_;
  std::string last_;
  Time next_{};
};

/// For how long nothing has moved while the sink refuses topics and takes others.
class Standstill {
 public:
  Time::duration add(Time now, const Status& status) {
    const std::uint64_t moved = status.delivered + status.retried + status.expired + status.died;
    const bool held = status.leading && status.sink == SinkState::up && !status.sink_problem.empty();
    const bool busy = status.in_flight > 0 || status.unsettled > 0 || status.delayed > 0;
    if (!held || busy || moved != moved_) since_ = now;
    moved_ = moved;
    return now - since_;
  }

 private:
  std::uint64_t moved_ = 0;
  Time since_ = std::chrono::steady_clock::now();
};

/// After which nothing moves any more: much longer than reading what waits behind refused messages takes.
constexpr std::chrono::seconds kStill{10};

/// Why it cannot come to an end by itself; empty: it can. `retry` is the longest pause before a retry.
std::string hopeless(const Status& status, Time::duration still, milliseconds retry) {
  if (status.leading && status.sink == SinkState::blocked)
    return "the sink does not let the messages through: " + status.sink_problem;
  // Those that have failed may be of other topics.
  const Time::duration limit = status.failing > 0 ? kStill + retry : Time::duration{kStill};
  if (still >= limit) return "the sink does not take all topics: " + status.sink_problem;
  return {};
}

/// Of a header, or of a parameter of the address.
bool holds_secret(std::string name) {
  constexpr std::array<std::string_view, 8> kSecrets{"authorization", "api-key", "api_key",  "apikey",
                                                     "token",         "secret",  "password", "cookie"};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return std::any_of(kSecrets.begin(), kSecrets.end(),
                     [&name](std::string_view part) { return name.find(part) != std::string::npos; });
}

/// A command line can be read by every user of the machine.
void refuse_secrets(const SinkUrl& url) {
  constexpr std::string_view kHeader = "header.";
  for (const auto& [parameter, value] : url.query) {
    const std::string name =
        parameter.starts_with(kHeader) ? parameter.substr(kHeader.size()) : std::string{};
    if (holds_secret(name)) {
      throw InvalidOption{"read --sink", fmt::format("the value of header {} is on the command line", name),
                          fmt::format("every user can read it there: header_file.{0}=/path or "
                                      "header_env.{0}=VARIABLE names what holds it",
                                      name)};
    }
    if (parameter != "query") continue;
    std::istringstream parts{value};
    for (std::string part; std::getline(parts, part, '&');) {
      const std::string inner = part.substr(0, part.find('='));
      if (!holds_secret(inner)) continue;
      throw InvalidOption{"read --sink",
                          fmt::format("the value of {} is on the command line", visible(inner)),
                          "every user can read it there: send it as a header, with header_file.NAME=/path or "
                          "header_env.NAME=VARIABLE"};
    }
  }
}

void relay(const RelayOptions& wanted, Context& context) {
  refuse_secrets(SinkUrl::parse(wanted.sink));
  const Time deadline = wanted.timeout.empty()
                            ? Time::max()
                            : std::chrono::steady_clock::now() + parse_duration("--timeout", wanted.timeout);
  Signals signals;
  static_cast<void>(Inspector{wanted.file});
  Options options = visiting_options(wanted.prefix);
  // The application may be stopped, and others may insert: it is not known who does.
  options.external_writers = true;
  const auto notifier = std::make_shared<SystemdNotifier>();
  options.observer = notifier;
  const milliseconds retry = options.retry_backoff.cap;
  Outbox outbox{wanted.file, std::move(options)};
  outbox.attach(wanted.sink);
  const std::uint64_t dead_before = outbox.status().dead;
  outbox.start();
  notifier->ready();
  Progress progress{context.out};
  Standstill standstill;
  std::string problem;
  for (bool over = false; !over;) {
    const Time now = std::chrono::steady_clock::now();
    const Status status = outbox.status();
    progress.show(status, now);
    if (wanted.until_empty && status.pending == 0 && status.unsettled == 0) break;
    if (wanted.until_empty) problem = hopeless(status, standstill.add(now, status), retry);
    if (problem.empty() && now >= deadline) problem = "the time of --timeout is over";
    over = !problem.empty() || signals.wait_until(now + milliseconds{200}, false) == Signals::Event::stop;
  }
  notifier->stopping();
  const bool clean = outbox.stop(std::chrono::seconds{5});
  const Status status = outbox.status();
  progress.end(status, std::chrono::steady_clock::now());
  const std::uint64_t died = status.dead > dead_before ? status.dead - dead_before : 0;
  context.out.print(fmt::format("{} delivered, {} {}, {} died", grouped(status.delivered),
                                grouped(status.pending), status.pending == 1 ? "waits" : "wait",
                                grouped(died)));
  if (!problem.empty()) context.out.print_whole({{"stopped: " + visible(problem), Look::bad}});
  if (!clean)
    context.out.print_whole({{"some were in flight and unanswered: they stay pending", Look::warn}});
  if (died > 0) context.out.print_whole({{"satchel dead list " + wanted.file + " says why", Look::warn}});
  if (!problem.empty() || died > 0 || (wanted.until_empty && status.pending > 0)) context.exit = kAttention;
}

}  // namespace

void add_relay(CLI::App& app, Context& context) {
  CLI::App* command = add_command(
      app, "relay", "Send what waits, as the file's relay; stands by while another process is it",
      {"satchel relay device.db --sink mqtt://broker.example --until-empty",
       "satchel relay device.db --sink 'mqtts://user@broker.example?password_env=BROKER_PASSWORD'",
       "satchel relay device.db --sink 'https://api.example/in/{topic}?bearer_token_file=token' --timeout "
       "10m",
       "satchel relay device.db --sink stdout: --until-empty"});
  const auto wanted = std::make_shared<RelayOptions>();
  add_file(*command, wanted->file);
  command
      ->add_option("--sink", wanted->sink,
                   "Where to: the URL that the application would use. Passwords come from files or the "
                   "environment (password_file, password_env, header_file.NAME), never from the URL")
      ->required();
  command->add_flag("--until-empty", wanted->until_empty,
                    "End when nothing waits any more, or when it never will");
  command->add_option("--timeout", wanted->timeout, "End after this time: 30s, 10m");
  command->add_option("--options-from", wanted->prefix,
                      "Prefix of the environment variables with the application's options");
  command->callback([wanted, &context] { relay(*wanted, context); });
}

}  // namespace satchel::cli
