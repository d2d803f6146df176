// SPDX-License-Identifier: MIT
#include "store/sqlite_copies.hpp"

#include "store/place.hpp"

#include <SQLiteCpp/Database.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace satchel {
namespace {

struct Close {
  void operator()(void* library) const noexcept { ::dlclose(library); }
};

/// The names of what is loaded; the program's own is empty.
std::vector<std::string> loaded() {
  std::vector<std::string> names;
  const auto add = [](dl_phdr_info* object, std::size_t, void* list) noexcept {
    try {
      static_cast<std::vector<std::string>*>(list)->emplace_back(object->dlpi_name);
      return 0;
    } catch (const std::bad_alloc&) {
      return 1;
    }
  };
  if (::dl_iterate_phdr(add, &names) != 0) throw std::bad_alloc{};
  return names;
}

/// Copies differ by the place of the text that names their version. Who exports the function of another copy
/// under its own name, or only uses it, so gives the same answer as that one.
class Copies {
 public:
  void add(const char* version) {
    if (std::find(seen_.begin(), seen_.end(), version) != seen_.end()) return;
    seen_.push_back(version);
    Dl_info place{};
    found.push_back({::dladdr(version, &place) != 0 ? place.dli_fname : "", version});
  }

  std::vector<SqliteCopy> found;

 private:
  std::vector<const char*> seen_;
};

}  // namespace

std::vector<SqliteCopy> sqlite_copies() {
  Copies copies;
  copies.add(sqlite3_libversion());
  copies.add(SQLite::getLibVersion());
  for (const std::string& name : loaded()) {
    // Held while it is asked: another thread may be unloading it.
    const std::unique_ptr<void, Close> library{
        ::dlopen(name.empty() ? nullptr : name.c_str(), RTLD_LAZY | RTLD_NOLOAD)};
    if (!library) continue;
    void* const version = ::dlsym(library.get(), "sqlite3_libversion");
    if (version != nullptr) copies.add(reinterpret_cast<decltype(&sqlite3_libversion)>(version)());
  }
  return std::move(copies.found);
}

namespace store {

std::string notice_about(const std::vector<SqliteCopy>& copies) {
  if (copies.size() < 2) return {};
  std::string list;
  for (const SqliteCopy& copy : copies) {
    list += fmt::format("{}{} in {}", list.empty() ? "" : ", ", copy.version,
                        copy.file.empty() ? "an unknown place" : copy.file);
  }
  return fmt::format(
      "{} copies of SQLite are in this process: {}. When two of them have a file open and one closes it, the "
      "other loses its locks, and commits with them: link the program, SQLiteCpp and satchel against one "
      "SQLite, and open this file through the first of these only",
      copies.size(), list);
}

std::vector<std::string> notices_about_sqlite() {
  std::vector<std::string> notices = notices_about(sqlite3_libversion_number());
  if (std::string copies = notice_about(sqlite_copies()); !copies.empty())
    notices.push_back(std::move(copies));
  return notices;
}

bool opened_elsewhere(sqlite3* database) noexcept {
  sqlite3_vfs* used = nullptr;
  sqlite3_file_control(database, "main", SQLITE_FCNTL_VFS_POINTER, &used);
  return used != nullptr && std::string_view{used->zName}.starts_with("unix") &&
         sqlite3_vfs_find(used->zName) != used;
}

}  // namespace store
}  // namespace satchel
