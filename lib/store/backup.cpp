// SPDX-License-Identifier: MIT
#include "store/backup.hpp"

#include "store/errors.hpp"
#include "store/place.hpp"

#include <SQLiteCpp/Backup.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

namespace satchel::store {
namespace {

/// Pages between two calls of `progress`.
constexpr int kPages = 256;

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
    if (::link(path_.c_str(), as.c_str()) != 0)
      throw_system_error("back up to " + as, "cannot make it", errno);
    ::unlink(path_.c_str());
    kept_ = true;
  }

 private:
  const std::string path_;
  bool kept_ = false;
};

}  // namespace

void back_up(Connection& source, const std::string& target,
             const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const std::string operation = "back up to " + target;
  if (::access(target.c_str(), F_OK) == 0)
    throw OpenError{operation, "the file exists", "name a file that does not exist, or move this one away"};
  const Place place = survey(target);
  const std::string part = place.path + ".part";
  NewFile file{part};
  in_our_terms(operation, [&] {
    // Whatever an attempt that was cut off has left.
    ::unlink(part.c_str());
    // Made by SQLite with the mode of the original, 0600 for a file that satchel has made.
    const std::string uri = "file:" + uri_path(part) + "?modeof=" + uri_path(source.database().getFilename());
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
  file.keep(place.path);
  sync_directory(place.path);
}

}  // namespace satchel::store
