// SPDX-License-Identifier: MIT
#include "store/watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace satchel::store {
namespace {

constexpr std::chrono::milliseconds kLastStep{128};
constexpr std::uint32_t kRelayEvents =
    IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kWalEvents = IN_MODIFY | IN_DELETE_SELF;

}  // namespace

void Ladder::start(BootTime now) noexcept {
  step_ = std::chrono::milliseconds{1};
  next_ = now + step_;
}

bool Ladder::take(BootTime now) noexcept {
  if (!next_ || now < *next_) return false;
  if (step_ >= kLastStep) {
    next_.reset();
  } else {
    step_ *= 2;
    next_ = now + step_;
  }
  return true;
}

bool Watch::watch(const std::string& relay_path, const std::string& wal_path) noexcept {
  try {
    if (!descriptor_.valid()) descriptor_ = Descriptor{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  } catch (const std::exception&) {
    return false;
  }
  if (!descriptor_.valid()) return false;
  // The same inode gives the same watch: repeating it is cheap and takes up a file that was made anew.
  relay_ = ::inotify_add_watch(descriptor_.get(), relay_path.c_str(), kRelayEvents);
  if (!wal_path.empty()) wal_ = ::inotify_add_watch(descriptor_.get(), wal_path.c_str(), kWalEvents);
  return works();
}

Watch::Seen Watch::drain() noexcept {
  Seen seen;
  if (!descriptor_.valid()) return seen;
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::read(descriptor_.get(), buffer.data(), buffer.size());
    if (size <= 0) return seen;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) seen = {true, true, true, true};
      if (event.wd == wal_) {
        seen.written = true;
        if ((event.mask & (IN_DELETE_SELF | IN_IGNORED)) != 0) wal_ = -1;
      } else if (event.wd == relay_) {
        seen.touched = seen.touched || (event.mask & IN_CLOSE_NOWRITE) != 0;
        seen.released = seen.released || (event.mask & IN_CLOSE_WRITE) != 0;
        seen.gone = seen.gone || (event.mask & (IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
      }
    }
  }
}

}  // namespace satchel::store
