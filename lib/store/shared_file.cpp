// SPDX-License-Identifier: MIT
#include "store/shared_file.hpp"

#include "store/errors.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

namespace satchel::store {

std::shared_ptr<SharedFile> shared_file(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::pair<dev_t, ino_t>, std::weak_ptr<SharedFile>> files;

  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw_system_error("open " + path, "cannot examine the file", errno);
  const std::lock_guard lock{mutex};
  std::erase_if(files, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<SharedFile>& known = files[{status.st_dev, status.st_ino}];
  std::shared_ptr<SharedFile> file = known.lock();
  if (!file) {
    file = std::make_shared<SharedFile>();
    known = file;
  }
  return file;
}

}  // namespace satchel::store
