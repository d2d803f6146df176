// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace support {

/// Connections of this process to a port of this machine, by what becomes of them in a process that it
/// starts.
struct Connections {
  int kept = 0;       ///< closed there
  int inherited = 0;  ///< open there, too
};

inline Connections connections_to(std::uint16_t port) {
  Connections found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const int descriptor = std::stoi(entry.path().filename().string());
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    const bool closes = (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0;
    ++(closes ? found.kept : found.inherited);
  }
  return found;
}

}  // namespace support
