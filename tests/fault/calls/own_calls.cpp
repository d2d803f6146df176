// SPDX-License-Identifier: MIT
#include "own_calls.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <string_view>

namespace own_calls {
namespace {

struct State {
  Kind kind = Kind::own;
  std::uint64_t seen = 0;
  std::uint64_t nth = 0;  // 0: none fails
  std::uint64_t failed = 0;
  bool for_ever = false;
};

State state;
std::array<bool, 1024> relay_files{};

bool is_relay_file(int fd) { return fd >= 0 && relay_files.at(static_cast<std::size_t>(fd)); }

bool fails(Kind kind, int error) {
  if (state.nth == 0 || state.kind != kind) return false;
  ++state.seen;
  if (state.seen < state.nth || (state.seen > state.nth && !state.for_ever)) return false;
  ++state.failed;
  errno = error;
  return true;
}

/// What is found by asking, when changes have begun to fail.
bool read_only() { return state.kind == Kind::change && state.nth != 0 && state.seen >= state.nth; }

/// A call of the library on its own file.
bool own_fails(int fd, int error) { return is_relay_file(fd) && fails(Kind::own, error); }

/// With the name that it has where a file may be larger than 2 GiB, as long as it has one.
template <class Call>
Call* real(const char* large, const char* name) {
  void* found = ::dlsym(RTLD_NEXT, large);
  return reinterpret_cast<Call*>(found != nullptr ? found : ::dlsym(RTLD_NEXT, name));
}

}  // namespace

void fail(Kind kind, std::uint64_t nth, bool for_ever) noexcept { state = {kind, 0, nth, 0, for_ever}; }
void heal() noexcept { state.nth = 0; }
std::uint64_t failures() noexcept { return state.failed; }

}  // namespace own_calls

using namespace own_calls;

// Seen by SQLite too, which is a library of its own.
#pragma GCC visibility push(default)
extern "C" {
int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(rest, unsigned)) : mode_t{0};
  va_end(rest);
  const bool relay_file = std::string_view{path}.ends_with("-relay");
  if (relay_file && fails(Kind::own, EMFILE)) return -1;
  if ((flags & O_ACCMODE) != O_RDONLY && fails(Kind::change, EROFS)) return -1;
  const int fd = real<int(const char*, int, ...)>("open64", "open")(path, flags, mode);
  if (fd >= 0) relay_files.at(static_cast<std::size_t>(fd)) = relay_file;
  return fd;
}

int access(const char* path, int how) noexcept {
  if ((how & W_OK) != 0 && read_only()) {
    errno = EROFS;
    return -1;
  }
  return real<int(const char*, int)>("access", "access")(path, how);
}

int close(int fd) {
  if (is_relay_file(fd)) relay_files.at(static_cast<std::size_t>(fd)) = false;
  return real<int(int)>("close", "close")(fd);
}

ssize_t pread(int fd, void* to, size_t size, off_t at) {
  if (own_fails(fd, EIO)) return -1;
  return real<ssize_t(int, void*, size_t, off_t)>("pread64", "pread")(fd, to, size, at);
}

ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  if (own_fails(fd, EIO) || fails(Kind::change, EROFS)) return -1;
  return real<ssize_t(int, const void*, size_t, off_t)>("pwrite64", "pwrite")(fd, from, size, at);
}

int ftruncate(int fd, off_t size) noexcept {
  if (fails(Kind::change, EROFS)) return -1;
  return real<int(int, off_t)>("ftruncate64", "ftruncate")(fd, size);
}

int unlink(const char* path) noexcept {
  if (fails(Kind::change, EROFS)) return -1;
  return real<int(const char*)>("unlink", "unlink")(path);
}

int posix_fallocate(int fd, off_t from, off_t size) {
  if (own_fails(fd, ENOSPC)) return ENOSPC;
  if (fails(Kind::change, EROFS)) return EROFS;
  return real<int(int, off_t, off_t)>("posix_fallocate64", "posix_fallocate")(fd, from, size);
}

int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  const bool lock = command == F_OFD_SETLK && static_cast<struct flock*>(argument)->l_type != F_UNLCK;
  if (lock && own_fails(fd, ENOLCK)) return -1;
  return real<int(int, int, ...)>("fcntl64", "fcntl")(fd, command, argument);
}

int inotify_init1(int flags) noexcept {
  if (fails(Kind::own, EMFILE)) return -1;
  return real<int(int)>("inotify_init1", "inotify_init1")(flags);
}

int inotify_add_watch(int fd, const char* path, uint32_t mask) noexcept {
  if (fails(Kind::own, ENOSPC)) return -1;
  return real<int(int, const char*, uint32_t)>("inotify_add_watch", "inotify_add_watch")(fd, path, mask);
}
}
#pragma GCC visibility pop
