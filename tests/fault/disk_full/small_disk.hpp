// SPDX-License-Identifier: MIT
//
// A small file system of the test's own, which can be full, out of inodes or read-only without harm to
// others.
#pragma once

#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace disk_full {

inline bool write_text(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return whole;
}

/// Gives this process mounts of its own, as root or as root of a user namespace. Before any thread starts.
/// Empty: done; otherwise why it cannot be.
inline std::string leave_the_common_mounts() {
  const auto failed = [](const char* what) {
    return std::string{what} + ": " + std::generic_category().message(errno);
  };
  if (::unshare(CLONE_NEWNS) != 0) {
    const std::string user = "0 " + std::to_string(::getuid()) + " 1";
    const std::string group = "0 " + std::to_string(::getgid()) + " 1";
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return failed("no mount namespace of its own");
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", user) ||
        !write_text("/proc/self/gid_map", group)) {
      return failed("no user namespace of its own");
    }
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("mounts stay common");
  return {};
}

/// Writes to the end of a file until that is refused; the error that says so.
inline int fill_up(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), "fill"};
  static constexpr std::array<char, 4096> block{};
  while (::write(fd, block.data(), block.size()) > 0) {
  }
  const int error = errno;
  ::close(fd);
  return error;
}

class SmallDisk {
 public:
  /// Throws `std::system_error` when it cannot be mounted.
  explicit SmallDisk(std::uint64_t bytes, unsigned inodes = 0) {
    std::string wanted = "mode=0700,size=" + std::to_string(bytes);
    if (inodes != 0) wanted += ",nr_inodes=" + std::to_string(inodes);
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, wanted.c_str()) != 0)
      throw std::system_error{errno, std::generic_category(), "mount"};
  }
  ~SmallDisk() { ::umount2(dir_.path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& path() const noexcept { return dir_.path(); }

  std::uint64_t free_bytes() const {
    struct statvfs system {};
    if (::statvfs(path().c_str(), &system) != 0) throw std::system_error{errno, std::generic_category()};
    return static_cast<std::uint64_t>(system.f_bavail) * system.f_frsize;
  }

  /// Takes every free block.
  void fill() const {
    if (fill_up(filler()) != ENOSPC || free_bytes() != 0)
      throw std::runtime_error{"the disk does not get full"};
  }
  void make_room() const { ::unlink(filler().c_str()); }

  /// Takes every free inode with empty files.
  void use_up_inodes() {
    for (;; ++empty_files_) {
      const int fd = ::open(empty_file(empty_files_).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) break;
      ::close(fd);
    }
    if (errno != ENOSPC) throw std::system_error{errno, std::generic_category(), "use up inodes"};
  }
  void free_inodes() {
    for (; empty_files_ > 0; --empty_files_) ::unlink(empty_file(empty_files_ - 1).c_str());
  }

  void read_only(bool on) const {
    unsigned long flags = MS_REMOUNT | MS_NOSUID | MS_NODEV;
    if (on) flags |= MS_RDONLY;
    if (::mount(nullptr, path().c_str(), nullptr, flags, nullptr) != 0)
      throw std::system_error{errno, std::generic_category(), "remount"};
  }

 private:
  std::string filler() const { return path() + "/filler"; }
  std::string empty_file(unsigned number) const { return path() + "/empty" + std::to_string(number); }

  support::TempDir dir_;
  unsigned empty_files_ = 0;
};

}  // namespace disk_full
