// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace satchel::mqtt {

/// What a name stands for: numeric addresses in the order in which to try them, or getaddrinfo's error.
struct Addresses {
  std::vector<std::string> list;
  int error = 0;  ///< EAI_ value; 0: `list` is not empty
};

/// Blocks for as long as the name servers take.
using Lookup = std::function<Addresses(const std::string& host)>;

/// getaddrinfo.
Addresses look_up(const std::string& host);

/// Resolves names without ever blocking its owner: getaddrinfo cannot be called off, so it runs on a thread
/// that can be left behind. At most one such thread exists at a time; a lookup asked for while an abandoned
/// one still hangs waits for that one. One owner thread.
class Resolver {
 public:
  /// `wake` is called from the lookup's thread when there is a result; it must stay callable for ever (own
  /// what it needs).
  Resolver(Lookup lookup, std::function<void()> wake);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Begins a lookup. Throws std::system_error when no thread can be made.
  void begin(const std::string& host);
  /// The result of the last `begin`, once.
  bool take(Addresses& result);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace satchel::mqtt
