// SPDX-License-Identifier: MIT
#include "store/place.hpp"

#include <satchel/error.hpp>
#include <satchel/sqlite_defects.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace satchel::store {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& problem, const std::string& hint,
                         int error = 0) {
  throw OpenError{"open " + path,
                  error == 0 ? problem : problem + ": " + std::generic_category().message(error), hint,
                  error};
}

/// The absolute path without symbolic links; empty when it leads nowhere.
std::string resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real{::realpath(path.c_str(), nullptr), std::free};
  return real ? std::string{real.get()} : std::string{};
}

void check_name(const std::string& path) {
  if (path.empty()) refuse("database", "the path is empty", "name the database file");
  if (path.find('\0') != std::string::npos)
    refuse("database", "the path contains a NUL byte", "name the database file");
  if (path == ":memory:") refuse(path, "a database in memory cannot keep messages", "name a file");
  if (path.starts_with("file:")) refuse(path, "URIs are not supported", "give the plain path of the file");
  if (path.back() == '/') refuse(path, "the path names a directory", "name a file in it");
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void check_is_directory(const std::string& path, const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    const int error = errno;
    if (error == ENOENT) {
      refuse(path, "the directory " + directory + " does not exist", "create the directory first", error);
    }
    refuse(path, "the directory " + directory + " cannot be reached", "check the path and the rights on it",
           error);
  }
  if (!S_ISDIR(status.st_mode)) refuse(path, directory + " is not a directory", "check the path");
}

void check_file_system(const std::string& path, const std::string& directory) {
  struct statfs system {};
  if (::statfs(directory.c_str(), &system) == 0) {
    const std::string unfit = unfit_file_system(static_cast<std::int64_t>(system.f_type));
    if (!unfit.empty()) {
      refuse(
          path,
          directory + " is on " + unfit + ", whose locks and shared memory SQLite's WAL mode cannot rely on",
          "keep the database on a local file system");
    }
  }
}

void check_writable(const std::string& path, const std::string& directory, const std::string& hint) {
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    refuse(path, "the directory " + directory + " is not writable", hint, errno);
}

void check_directory(const std::string& path, const std::string& directory) {
  check_is_directory(path, directory);
  check_file_system(path, directory);
  check_writable(
      path, directory,
      "satchel keeps -wal, -shm and -relay beside the file: make the directory writable for this user");
}

void check_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    refuse(path, "the file cannot be examined", "check the rights on it", errno);
  if (S_ISDIR(status.st_mode)) refuse(path, "the path names a directory", "name a file in it");
  if (!S_ISREG(status.st_mode)) refuse(path, "this is not a regular file", "name a regular file");
  refuse_hard_link(path);
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    refuse(path, "the file is read-only or not accessible for this user",
           "make the file readable and writable for this user, and the file system writable", errno);
  }
}

/// The absolute path of a file that is not there yet.
std::string path_of_new(const std::string& path) {
  struct stat link {};
  if (::lstat(path.c_str(), &link) == 0)
    refuse(path, "this symbolic link leads nowhere", "create its target or name the file itself");
  if (errno != ENOENT) refuse(path, "the path cannot be used", "check the path", errno);
  const std::string directory = resolved(directory_of(path));
  return (directory == "/" ? "" : directory) + "/" + path.substr(path.rfind('/') + 1);
}

void check_length(const std::string& path, const std::string& longest) {
  const std::size_t name = longest.size() - longest.rfind('/') - 1;
  if (name + 2 > NAME_MAX)
    refuse(path, "the name of the file is too long", "use a name of at most 240 bytes");
}

}  // namespace

std::string unfit_file_system(std::int64_t magic) {
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 7> unfit{{
      {0x6969, "NFS"},
      {0x517B, "SMB"},
      {0xFF534D42, "CIFS"},
      {0xFE534D42, "SMB 2"},
      {0x01021997, "9p"},
      {0x65735546, "FUSE or virtiofs"},
      {0x786F4256, "a VirtualBox shared folder"},
  }};
  // statfs has a signed magic on some platforms: only the low 32 bits count.
  for (const auto& [known, name] : unfit) {
    if (static_cast<std::uint32_t>(magic) == known) return std::string{name};
  }
  return {};
}

void refuse_hard_link(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    refuse(path, "the file cannot be examined", "check the rights on it", errno);
  if (status.st_nlink <= 1) return;
  refuse(path, fmt::format("the file has {} names (hard links)", status.st_nlink),
         "its -wal and -relay belong to one name: remove the other links, or use a copy");
}

Place survey(const std::string& path) {
  check_name(path);
  check_directory(path, directory_of(path));
  Place place;
  place.path = resolved(path);
  place.exists = !place.path.empty();
  if (place.exists) {
    check_file(place.path);
    check_directory(path, directory_of(place.path));
  } else {
    place.path = path_of_new(path);
  }
  place.relay_path = place.path + "-relay";
  check_length(path, place.relay_path);
  return place;
}

std::string survey_copy(const std::string& path) {
  check_name(path);
  const std::string directory = directory_of(path);
  check_is_directory(path, directory);
  check_writable(path, directory, "make it writable for this user, or name a file elsewhere");
  std::string copy = path_of_new(path);
  check_length(path, copy + ".part-journal");
  return copy;
}

std::string uri_path(const std::string& path) {
  std::string text;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == '.' || c == '-' || c == '_';
    text += plain ? std::string{c} : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

void sync_directory(const std::string& path) noexcept {
  // On the stack: it has to work without memory as well.
  std::array<char, PATH_MAX> directory{};
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    directory[0] = '.';
  } else {
    path.copy(directory.data(), std::min(std::max<std::size_t>(slash, 1), directory.size() - 1));
  }
  const int fd = ::open(directory.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

std::int64_t machine_hash(const std::string& device_id, const std::string& machine_id) {
  std::ifstream file{machine_id};
  std::string text{std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
  text.push_back('\0');
  text += device_id;
  // FNV-1a: it only has to differ, nobody gains by a collision.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3U;
  }
  return static_cast<std::int64_t>(hash);
}

std::vector<std::string> notices_about(int sqlite_version) {
  std::vector<std::string> notices;
  const std::string name = fmt::format("SQLite {}.{}.{}", sqlite_version / 1'000'000,
                                       sqlite_version / 1000 % 1000, sqlite_version % 1000);
  for (const SqliteDefect& defect : sqlite_defects(sqlite_version)) {
    notices.push_back(fmt::format("{} ({}): {} (fixed in {}). What satchel does: {}.{}", name, defect.id,
                                  defect.problem, defect.fixed_in, defect.measure,
                                  defect.demand.empty() ? "" : " To be done by you: " + defect.demand + "."));
  }
  return notices;
}

}  // namespace satchel::store
