// SPDX-License-Identifier: MIT
#pragma once

#include "support/power_disk.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// An SQLite VFS in memory whose files live on a `PowerDisk`: `Options::vfs = vfs.name()`. The shared memory
/// of WAL mode is kept on the heap, so that several connections of one process work together.
///
/// satchel asks the operating system for the database file, too, so one without content is made at its path.
/// The connections of one test thread only; all are closed before the object goes.
class PowerVfs {
 public:
  PowerVfs() {
    static std::atomic<unsigned> number{0};
    name_ = "satchel-power-" + std::to_string(++number);
    const sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
    if (base == nullptr) throw std::runtime_error{"no default VFS"};
    vfs_ = *base;  // time, randomness, sleep: as everywhere
    vfs_.iVersion = 1;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(Handle));
    vfs_.mxPathname = 1024;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    vfs_.xAccess = access;
    vfs_.xFullPathname = full_name;
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) throw std::runtime_error{"sqlite3_vfs_register"};
  }
  ~PowerVfs() { sqlite3_vfs_unregister(&vfs_); }
  PowerVfs(const PowerVfs&) = delete;
  PowerVfs& operator=(const PowerVfs&) = delete;

  const std::string& name() const noexcept { return name_; }
  PowerDisk& disk() noexcept { return disk_; }
  /// What the device says about itself; SQLite pads its log without SQLITE_IOCAP_POWERSAFE_OVERWRITE.
  void set_characteristics(int flags, int sector) noexcept {
    characteristics_ = flags;
    sector_ = sector;
  }

  /// The power comes back: this is what is on the disk. Nothing may be open.
  void load(const PowerDisk::Image& image, const std::string& database) {
    if (!nodes_.empty()) throw std::logic_error{"a file of the power VFS is open"};
    disk_.load(image);
    if (const auto file = disk_.open(database, false)) {
      mirror(database, file->live.size());
    } else {
      ::unlink(database.c_str());
    }
  }

 private:
  static constexpr std::size_t kLocks = SQLITE_SHM_NLOCK;
  using Region = std::array<char, 32768>;

  struct Handle;
  /// What the handles of one file share.
  struct Node {
    std::shared_ptr<PowerDisk::File> file;
    std::vector<Handle*> handles;
    std::vector<std::unique_ptr<Region>> regions;
    std::size_t mapped = 0;  ///< handles that use the shared memory
    std::array<int, kLocks> readers{};
    std::array<bool, kLocks> writer{};
  };

  struct Handle {
    sqlite3_file base;
    PowerVfs* owner;
    std::string* name;
    Node* node;
    int lock;
    bool database;
    bool syncs_names;  ///< its next sync makes the names of the directory durable, too
    bool mapped;
    int persist_log;
    std::array<bool, kLocks> reads;
    std::array<bool, kLocks> writes;
  };

  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static PowerVfs& of(sqlite3_vfs* vfs) { return *static_cast<PowerVfs*>(vfs->pAppData); }

  static void mirror(const std::string& path, std::size_t size) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error{"cannot make " + path};
    const int result = ::ftruncate(fd, static_cast<off_t>(size));
    ::close(fd);
    if (result != 0) throw std::runtime_error{"cannot change the size of " + path};
  }

  Node* node_of(const std::shared_ptr<PowerDisk::File>& file) {
    for (const std::unique_ptr<Node>& node : nodes_) {
      if (node->file == file) return node.get();
    }
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->file = file;
    return nodes_.back().get();
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename path, sqlite3_file* file, int flags, int* out_flags) {
    PowerVfs& self = of(vfs);
    file->pMethods = nullptr;
    // satchel keeps temporary tables in memory.
    if (path == nullptr) return SQLITE_CANTOPEN;
    const std::string name{path};
    const auto content = self.disk_.open(name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (!content) return SQLITE_CANTOPEN;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) mirror(name, content->live.size());
    Handle& handle = *new (file) Handle{};
    handle.owner = &self;
    handle.name = new std::string{name};
    handle.node = self.node_of(content);
    handle.node->handles.push_back(&handle);
    // As SQLite's own VFS does it.
    handle.database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    handle.syncs_names =
        (flags & SQLITE_OPEN_CREATE) != 0 && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    handle.base.pMethods = &methods();
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }

  static int close(sqlite3_file* file) {
    Handle& handle = of(file);
    PowerVfs& self = *handle.owner;
    if (handle.mapped) shm_unmap(file, 0);
    if (handle.database) mirror(*handle.name, handle.node->file->live.size());
    std::erase(handle.node->handles, &handle);
    if (handle.node->handles.empty()) {
      std::erase_if(self.nodes_, [&](const auto& node) { return node.get() == handle.node; });
    }
    delete handle.name;
    handle.~Handle();
    file->pMethods = nullptr;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* path, int sync_names) {
    PowerVfs& self = of(vfs);
    if (!self.disk_.exists(path)) return SQLITE_IOERR_DELETE_NOENT;
    self.disk_.remove(path, sync_names != 0);
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* path, int, int* result) {
    *result = of(vfs).disk_.exists(path) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_name(sqlite3_vfs*, const char* path, int size, char* to) {
    const std::string_view name{path};
    if (name.size() + 1 > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::memcpy(to, path, name.size() + 1);
    return SQLITE_OK;
  }

  // ---- content ----

  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    const std::string& content = of(file).node->file->live;
    const auto wanted = static_cast<std::size_t>(size);
    const auto from = static_cast<std::size_t>(at);
    const std::size_t there = from >= content.size() ? 0 : std::min(wanted, content.size() - from);
    if (there > 0) std::memcpy(to, content.data() + from, there);
    if (there == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    Handle& handle = of(file);
    const std::string_view bytes{static_cast<const char*>(from), static_cast<std::size_t>(size)};
    handle.owner->disk_.write(*handle.node->file, *handle.name, static_cast<std::size_t>(at), bytes);
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& handle = of(file);
    handle.owner->disk_.truncate(*handle.node->file, *handle.name, static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int) {
    Handle& handle = of(file);
    if (!handle.owner->disk_.sync(*handle.node->file, *handle.name, handle.syncs_names))
      return SQLITE_IOERR_FSYNC;
    handle.syncs_names = false;
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* result) {
    *result = static_cast<sqlite3_int64>(of(file).node->file->live.size());
    return SQLITE_OK;
  }
  static int control(sqlite3_file* file, int op, void* argument) {
    if (op != SQLITE_FCNTL_PERSIST_WAL) return SQLITE_NOTFOUND;
    int& value = *static_cast<int*>(argument);
    if (value >= 0) of(file).persist_log = value;
    value = of(file).persist_log;
    return SQLITE_OK;
  }
  static int sector(sqlite3_file* file) { return of(file).owner->sector_; }
  static int characteristics(sqlite3_file* file) { return of(file).owner->characteristics_; }

  // ---- locks ----

  static int lock(sqlite3_file* file, int level) {
    Handle& mine = of(file);
    if (mine.lock >= level) return SQLITE_OK;
    for (const Handle* other : mine.node->handles) {
      if (other == &mine) continue;
      const bool in_the_way = level == SQLITE_LOCK_SHARED     ? other->lock >= SQLITE_LOCK_PENDING
                              : level == SQLITE_LOCK_RESERVED ? other->lock >= SQLITE_LOCK_RESERVED
                                                              : other->lock >= SQLITE_LOCK_SHARED;
      if (in_the_way) return SQLITE_BUSY;
    }
    mine.lock = level;
    return SQLITE_OK;
  }
  static int unlock(sqlite3_file* file, int level) {
    of(file).lock = std::min(of(file).lock, level);
    return SQLITE_OK;
  }
  static int reserved(sqlite3_file* file, int* result) {
    *result = 0;
    for (const Handle* one : of(file).node->handles) {
      if (one->lock >= SQLITE_LOCK_RESERVED) *result = 1;
    }
    return SQLITE_OK;
  }

  // ---- shared memory ----

  static int shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** to) {
    Handle& handle = of(file);
    Node& node = *handle.node;
    *to = nullptr;
    if (!handle.mapped) {
      handle.mapped = true;
      ++node.mapped;
    }
    const auto index = static_cast<std::size_t>(region);
    if (static_cast<std::size_t>(bytes) > Region{}.size()) return SQLITE_IOERR_SHMMAP;
    while (node.regions.size() <= index) {
      if (extend == 0) return SQLITE_OK;
      node.regions.push_back(std::make_unique<Region>());
    }
    *to = node.regions[index]->data();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    Handle& mine = of(file);
    Node& node = *mine.node;
    const auto first = static_cast<std::size_t>(offset);
    const std::size_t end = first + static_cast<std::size_t>(count);
    const bool shared = (flags & SQLITE_SHM_SHARED) != 0;
    const bool take = (flags & SQLITE_SHM_LOCK) != 0;
    for (std::size_t i = first; take && i < end; ++i) {
      const int others = node.readers[i] - (mine.reads[i] ? 1 : 0);
      if ((node.writer[i] && !mine.writes[i]) || (!shared && others > 0)) return SQLITE_BUSY;
    }
    for (std::size_t i = first; i < end; ++i) {
      if (shared && mine.reads[i] != take) node.readers[i] += take ? 1 : -1;
      if (shared) mine.reads[i] = take;
      if (!shared && mine.writes[i] != take) node.writer[i] = take;
      if (!shared) mine.writes[i] = take;
    }
    return SQLITE_OK;
  }
  static void shm_barrier(sqlite3_file*) {
    // The thread sanitizer knows no fences; a lock is more than one.
    static std::mutex barrier;
    const std::lock_guard lock{barrier};
  }
  static int shm_unmap(sqlite3_file* file, int) {
    Handle& handle = of(file);
    if (!handle.mapped) return SQLITE_OK;
    handle.mapped = false;
    // The first one that comes back makes it anew from the log.
    if (--handle.node->mapped == 0) handle.node->regions.clear();
    return SQLITE_OK;
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods table = [] {
      sqlite3_io_methods m{};
      m.iVersion = 2;
      m.xClose = close;
      m.xRead = read;
      m.xWrite = write;
      m.xTruncate = truncate;
      m.xSync = sync;
      m.xFileSize = size;
      m.xLock = lock;
      m.xUnlock = unlock;
      m.xCheckReservedLock = reserved;
      m.xFileControl = control;
      m.xSectorSize = sector;
      m.xDeviceCharacteristics = characteristics;
      m.xShmMap = shm_map;
      m.xShmLock = shm_lock;
      m.xShmBarrier = shm_barrier;
      m.xShmUnmap = shm_unmap;
      return m;
    }();
    return table;
  }

  std::string name_;
  sqlite3_vfs vfs_{};
  PowerDisk disk_;
  std::vector<std::unique_ptr<Node>> nodes_;
  int characteristics_ = SQLITE_IOCAP_POWERSAFE_OVERWRITE;
  int sector_ = 4096;
};

}  // namespace support
