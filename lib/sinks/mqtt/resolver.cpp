// SPDX-License-Identifier: MIT
#include "sinks/mqtt/resolver.hpp"

#include "base/quiet_thread.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace satchel::mqtt {

Addresses look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  Addresses result;
  result.error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (result.error != 0) return result;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      result.list.emplace_back(text.data());
    }
  }
  freeaddrinfo(found);
  if (result.list.empty()) result.error = EAI_NONAME;
  return result;
}

struct Resolver::Shared {
  // constant after construction
  Lookup lookup;
  std::function<void()> wake;
  // guarded by mutex
  std::mutex mutex;
  bool running = false;
  std::optional<Addresses> result;
};

Resolver::Resolver(Lookup lookup, std::function<void()> wake) : shared_(std::make_shared<Shared>()) {
  shared_->lookup = std::move(lookup);
  shared_->wake = std::move(wake);
}

Resolver::~Resolver() = default;

void Resolver::begin(const std::string& host) {
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->result.reset();
    // The abandoned lookup was for the same host: a sink has only one. Its answer will do.
    if (shared_->running) return;
    shared_->running = true;
  }
  try {
    const SignalsBlocked blocked;
    std::thread{[shared = shared_, host] {
      Addresses found = shared->lookup(host);
      {
        const std::lock_guard lock{shared->mutex};
        shared->running = false;
        shared->result = std::move(found);
      }
      shared->wake();
    }}.detach();
  } catch (...) {
    const std::lock_guard lock{shared_->mutex};
    shared_->running = false;
    throw;
  }
}

bool Resolver::take(Addresses& result) {
  const std::lock_guard lock{shared_->mutex};
  if (!shared_->result) return false;
  result = std::move(*shared_->result);
  shared_->result.reset();
  return true;
}

}  // namespace satchel::mqtt
