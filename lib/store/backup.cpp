// SPDX-License-Identifier: MIT
#include "store/backup.hpp"

#include "store/errors.hpp"
#include "store/place.hpp"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace satchel::store {
namespace {

/// Pages between two calls of `progress`.
constexpr int kPages = 256;

bool not_supported(int error) { return error == EPERM || error == EOPNOTSUPP || error == ENOSYS; }

/// Gives a file another name, unless a file has it already. Returns an errno, 0 when it is done.
int rename_to_new(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return 0;
  }
  // FAT knows no second names, and what is served by other machines or programs often does not.
  if (!not_supported(errno)) return errno;
  // Takes the name first, with an empty file.
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  ::close(fd);
  if (::rename(from.c_str(), to.c_str()) == 0) return 0;
  const int error = errno;
  ::unlink(to.c_str());
  return error;
}

/// A file that is taken away again unless it is kept.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_{std::move(path)} {}
  ~NewFile() {
    if (!kept_) {
      ::unlink(path_.c_str());
      ::unlink((path_ + "-journal").c_str());
    }
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void keep(const std::string& as) {
    // Not over a file that somebody has made in the meantime.
    if (const int error = rename_to_new(path_, as); error != 0)
      throw_system_error("back up to " + as, "cannot make it", error);
    kept_ = true;
  }

 private:
  const std::string path_;
  bool kept_ = false;
};

}  // namespace

Counts back_up(Connection& source, const std::string& target,
               const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const std::string operation = "back up to " + target;
  if (::access(target.c_str(), F_OK) == 0)
    throw OpenError{operation, "the file exists", "name a file that does not exist, or move this one away"};
  const std::string path = survey_copy(target);
  const std::string part = path + ".part";
  NewFile file{part};
  in_our_terms(operation, [&] {
    // Whatever an attempt that was cut off has left.
    ::unlink(part.c_str());
    // Made by SQLite with the mode of the original, 0600 for a file that satchel has made.
    // Nobody else knows it yet, so that it needs no locks, which not every file system has.
    const std::string uri =
        "file:" + uri_path(part) + "?nolock=1&modeof=" + uri_path(source.database().getFilename());
    SQLite::Database copy{uri, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_URI};
    // One snapshot for the whole of the copy: otherwise every commit of others begins it anew.
    source.database().exec("BEGIN; SELECT count(*) FROM sqlite_schema");
    struct End {
      Connection& connection;
      ~End() { connection.rollback(); }
    } const end{source};
    SQLite::Backup backup{copy, source.database()};
    for (int result = SQLITE_OK; result != SQLITE_DONE;) {
      result = backup.executeStep(kPages);
      if (result != SQLITE_OK && result != SQLITE_DONE)
        throw_error(operation, result, "the copy was not made");
      if (progress) {
        const auto total = static_cast<std::uint64_t>(backup.getTotalPageCount());
        progress(total - static_cast<std::uint64_t>(backup.getRemainingPageCount()), total);
      }
    }
  });
  file.keep(path);
  sync_directory(path);
  return in_our_terms("look into " + target, [&] {
    // Opened like any other outbox it would get a -wal and a -shm beside it.
    SQLite::Database copy{"file:" + uri_path(path) + "?immutable=1",
                          SQLite::OPEN_READONLY | SQLite::OPEN_URI};
    return count(copy);
  });
}

}  // namespace satchel::store
