// SPDX-License-Identifier: MIT
//
// Reads and writes of the kernel that come back with less than was asked for, as they may: it is for the
// caller to go on. Set into SQLite's VFS, whose calls can be exchanged for that.
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace system_calls {

struct State {
  std::uint64_t seen = 0;
  std::uint64_t nth = 0;  // 0: none is short
  std::uint64_t shortened = 0;
  bool for_ever = false;
};

inline State& state() {
  static State instance;
  return instance;
}

/// How much of `size` is to be done now.
inline std::size_t part_of(std::size_t size) {
  State& now = state();
  if (now.nth == 0 || size < 2) return size;
  ++now.seen;
  if (now.seen < now.nth || (now.seen > now.nth && !now.for_ever)) return size;
  ++now.shortened;
  // Sometimes interrupted by a signal before anything was done.
  if (now.shortened % 3 == 2) return 0;
  return size / 2;
}

inline ssize_t read(int fd, void* to, std::size_t size, off_t at) {
  const std::size_t part = part_of(size);
  if (part == 0 && size != 0) {
    errno = EINTR;
    return -1;
  }
  return ::pread(fd, to, part, at);
}

inline ssize_t write(int fd, const void* from, std::size_t size, off_t at) {
  const std::size_t part = part_of(size);
  if (part == 0 && size != 0) {
    errno = EINTR;
    return -1;
  }
  return ::pwrite(fd, from, part, at);
}

inline void set(const char* name, sqlite3_syscall_ptr call) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  if (vfs == nullptr || vfs->iVersion < 3 || vfs->xSetSystemCall(vfs, name, call) != SQLITE_OK) {
    throw std::runtime_error{"the VFS does not let its system calls be exchanged"};
  }
}

inline void install() {
  for (const char* name : {"pread", "pread64"}) set(name, reinterpret_cast<sqlite3_syscall_ptr>(read));
  for (const char* name : {"pwrite", "pwrite64"}) set(name, reinterpret_cast<sqlite3_syscall_ptr>(write));
}

inline void remove() {
  for (const char* name : {"pread", "pread64", "pwrite", "pwrite64"}) set(name, nullptr);
}

inline void shorten(std::uint64_t nth, bool for_ever) { state() = State{0, nth, 0, for_ever}; }
inline void heal() { state().nth = 0; }
inline std::uint64_t shortened() { return state().shortened; }

}  // namespace system_calls
