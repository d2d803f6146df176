// SPDX-License-Identifier: MIT
#include "store/shared_file.hpp"

#include "store/errors.hpp"

#include <satchel/error.hpp>

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

namespace satchel::store {

namespace {

/// All that are in use, by device and inode.
struct Files {
  std::mutex mutex;
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<SharedFile>> known;

  // Call with mutex held.
  std::shared_ptr<SharedFile> find(const struct stat& status) {
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    const auto found = known.find({status.st_dev, status.st_ino});
    return found == known.end() ? nullptr : found->second.lock();
  }
};

Files& files() {
  static Files all;
  return all;
}

void refuse_inherited(const SharedFile& file, const std::string& path) {
  if (file.born == fork_generation()) return;
  throw UsageError{"open " + path, "the process that this one was forked from had the file open",
                   "fork before the file is opened, or start a program (exec) in the child that opens it"};
}

}  // namespace

std::shared_ptr<SharedFile> shared_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw_system_error("open " + path, "cannot examine the file", errno);
  const std::lock_guard lock{files().mutex};
  std::shared_ptr<SharedFile> file = files().find(status);
  if (file) {
    refuse_inherited(*file, path);
  } else {
    file = std::make_shared<SharedFile>(status.st_dev, status.st_ino);
    files().known[{status.st_dev, status.st_ino}] = file;
  }
  return file;
}

void refuse_inherited(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  const std::lock_guard lock{files().mutex};
  if (const std::shared_ptr<SharedFile> file = files().find(status)) refuse_inherited(*file, path);
}

void refuse_moved(const SharedFile& file, const std::string& path, const char* operation) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (status.st_dev == file.device && status.st_ino == file.inode) return;
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return;  // nobody knows
  }
  throw StorageError{
      operation, "the database file " + path + " was deleted, moved or replaced while it was open",
      "put it back, or close the outbox and open it again; replace a file only while nobody has "
      "it open",
      SQLITE_READONLY_DBMOVED};
}

}  // namespace satchel::store
