// SPDX-License-Identifier: MIT
#include <satchel/systemd.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace satchel {
namespace {

using std::chrono::milliseconds;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || at != end) return std::nullopt;
  return value;
}

milliseconds beat_from_environment() {
  // The watchdog of a parent is none of ours.
  const std::string process = variable("WATCHDOG_PID");
  if (!process.empty() && number(process) != static_cast<std::int64_t>(::getpid())) return milliseconds{0};
  const std::int64_t microseconds = number(variable("WATCHDOG_USEC")).value_or(0);
  if (microseconds <= 0) return milliseconds{0};
  return std::max(milliseconds{microseconds / 4000}, milliseconds{1});
}

}  // namespace

SystemdNotifier::SystemdNotifier(std::shared_ptr<Observer> next)
    : PassingObserver{std::move(next)}, socket_{variable("NOTIFY_SOCKET")}, beat_{beat_from_environment()} {}

bool SystemdNotifier::send(const std::string& text) const noexcept {
  sockaddr_un address{};
  if (socket_.size() < 2 || socket_.size() > sizeof address.sun_path) return false;
  if (socket_.front() != '/' && socket_.front() != '@') return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  // An abstract name begins with a zero and has no end mark.
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return false;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // The kernel takes pointers to the general type.
  const auto* general = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  const ssize_t sent = ::sendto(descriptor, text.data(), text.size(), MSG_NOSIGNAL, general, size);
  ::close(descriptor);
  return sent == static_cast<ssize_t>(text.size());
}

bool SystemdNotifier::ready() const noexcept { return send("READY=1"); }
bool SystemdNotifier::stopping() const noexcept { return send("STOPPING=1"); }

void SystemdNotifier::tell(const std::string& status) const noexcept {
  try {
    std::string text = "STATUS=" + status;
    // Each line is an assignment of its own.
    std::replace(text.begin(), text.end(), '\n', ' ');
    send(text);
  } catch (...) {
    return;  // nothing depends on it
  }
}

void SystemdNotifier::sink_up(const std::string& sink) noexcept {
  tell(sink + " is up");
  PassingObserver::sink_up(sink);
}

void SystemdNotifier::sink_down(const std::string& sink, const std::string& reason, bool alarm,
                                milliseconds pause) noexcept {
  tell(sink + (alarm ? " is blocked: " : " is down: ") + reason);
  PassingObserver::sink_down(sink, reason, alarm, pause);
}

milliseconds SystemdNotifier::heartbeat_interval() const noexcept {
  const milliseconds other = PassingObserver::heartbeat_interval();
  if (beat_ == milliseconds{0} || other == milliseconds{0}) return std::max(beat_, other);
  return std::min(beat_, other);
}

void SystemdNotifier::heartbeat() noexcept {
  if (beat_ > milliseconds{0}) send("WATCHDOG=1");
  PassingObserver::heartbeat();
}

}  // namespace satchel
