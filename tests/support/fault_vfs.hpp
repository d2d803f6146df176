// SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace support {

/// What SQLite does to a file. `lock` and `shared_lock` are the taking of a lock: giving it back cannot fail.
/// `unfetch` cannot fail either; it is there for hooks, which find a checkpoint's beginning by it.
enum class FileOp : std::uint8_t {
  open,
  read,
  write,
  truncate,
  sync,
  shared_memory,
  size,
  lock,
  shared_lock,
  access,
  remove,
  unfetch,
};
/// Which file it does it to.
enum class FileKind : std::uint8_t { database, log, other };

/// What went through one kind of file.
struct Traffic {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t truncates = 0;
  std::uint64_t syncs = 0;
};

/// An SQLite VFS over the default one that counts the traffic of each kind of file and fails operations when
/// told to: `Options::vfs = faults.name()`. Registered from construction to destruction; every connection has
/// to be closed before that. Thread-safe.
class FaultVfs {
 public:
  FaultVfs() {
    static std::atomic<unsigned> number{0};
    name_ = "satchel-faults-" + std::to_string(++number);
    base_ = sqlite3_vfs_find(nullptr);
    if (base_ == nullptr) throw std::runtime_error{"no default VFS"};
    vfs_ = *base_;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.xOpen = open;
    vfs_.xAccess = access;
    vfs_.xDelete = remove;
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) throw std::runtime_error{"sqlite3_vfs_register"};
  }
  ~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const noexcept { return name_; }

  Traffic traffic(FileKind kind) const {
    const std::lock_guard lock{mutex_};
    return traffic_[static_cast<std::size_t>(kind)];
  }
  /// All kinds together.
  Traffic traffic() const {
    const std::lock_guard lock{mutex_};
    Traffic sum;
    for (const Traffic& one : traffic_) {
      sum.reads += one.reads;
      sum.writes += one.writes;
      sum.bytes_written += one.bytes_written;
      sum.truncates += one.truncates;
      sum.syncs += one.syncs;
    }
    return sum;
  }
  void reset_traffic() {
    const std::lock_guard lock{mutex_};
    traffic_ = {};
  }

  /// Makes the `nth` (1: the next) operation of this sort fail with the SQLite result code: once, or from
  /// then on. Without a kind, on any file. Takes the place of an earlier plan.
  void fail(FileOp op, std::optional<FileKind> kind, int code, std::uint64_t nth = 1, bool for_ever = false) {
    const std::lock_guard lock{mutex_};
    plan_ = Plan{op, kind, code, nth, for_ever, false};
  }
  /// The same for the `nth` operation of any sort on any file, with the code that this operation fails with
  /// on a broken medium.
  void fail_any(std::uint64_t nth, bool for_ever) {
    const std::lock_guard lock{mutex_};
    plan_ = Plan{std::nullopt, std::nullopt, 0, nth, for_ever, false};
  }
  /// The same for the `nth` write, of which half reaches the file before it fails.
  void tear_write(int code, std::uint64_t nth, bool for_ever) {
    const std::lock_guard lock{mutex_};
    plan_ = Plan{FileOp::write, std::nullopt, code, nth, for_ever, true};
  }
  void heal() {
    const std::lock_guard lock{mutex_};
    plan_.reset();
  }
  /// Operations that were made to fail.
  std::uint64_t failures() const {
    const std::lock_guard lock{mutex_};
    return failures_;
  }
  /// Called before every operation on the thread that does it; may use other connections.
  void on_operation(std::function<void(FileOp, FileKind)> hook) {
    const std::lock_guard lock{mutex_};
    hook_ = std::move(hook);
  }

 private:
  struct Plan {
    std::optional<FileOp> op;
    std::optional<FileKind> kind;
    int code;  ///< 0: the usual one of the operation
    std::uint64_t left;
    bool for_ever;
    bool torn;
  };
  /// SQLite allocates `szOsFile` bytes: this, and behind it the file of the VFS below.
  struct File {
    sqlite3_file base;
    FaultVfs* owner;
    FileKind kind;
  };

  static File* mine(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* below(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(mine(file) + 1); }

  static int usual_code(FileOp op) noexcept {
    switch (op) {
      case FileOp::open:
        return SQLITE_CANTOPEN;
      case FileOp::read:
        return SQLITE_IOERR_READ;
      case FileOp::write:
        return SQLITE_IOERR_WRITE;
      case FileOp::truncate:
        return SQLITE_IOERR_TRUNCATE;
      case FileOp::sync:
        return SQLITE_IOERR_FSYNC;
      case FileOp::shared_memory:
        return SQLITE_IOERR_SHMMAP;
      case FileOp::size:
        return SQLITE_IOERR_FSTAT;
      case FileOp::lock:
        return SQLITE_IOERR_LOCK;
      case FileOp::shared_lock:
        return SQLITE_IOERR_SHMLOCK;
      case FileOp::access:
        return SQLITE_IOERR_ACCESS;
      case FileOp::remove:
        return SQLITE_IOERR_DELETE;
      case FileOp::unfetch:
        break;
    }
    return SQLITE_OK;
  }

  int before(FileOp op, FileKind kind) {
    bool torn = false;
    return before(op, kind, torn);
  }

  int before(FileOp op, FileKind kind, bool& torn) {
    std::function<void(FileOp, FileKind)> hook;
    {
      const std::lock_guard lock{mutex_};
      hook = hook_;
    }
    if (hook) hook(op, kind);
    const std::lock_guard lock{mutex_};
    if (op == FileOp::unfetch || !plan_) return SQLITE_OK;
    if ((plan_->op && *plan_->op != op) || (plan_->kind && *plan_->kind != kind)) return SQLITE_OK;
    if (plan_->left > 1) {
      --plan_->left;
      return SQLITE_OK;
    }
    const int code = plan_->code != 0 ? plan_->code : usual_code(op);
    torn = plan_->torn;
    if (!plan_->for_ever) plan_.reset();
    ++failures_;
    return code;
  }
  template <class Count>
  void note(FileKind kind, Count count) {
    const std::lock_guard lock{mutex_};
    count(traffic_[static_cast<std::size_t>(kind)]);
  }

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
    auto* owner = static_cast<FaultVfs*>(vfs->pAppData);
    const FileKind kind = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? FileKind::database
                          : (flags & SQLITE_OPEN_WAL) != 0   ? FileKind::log
                                                             : FileKind::other;
    std::memset(static_cast<void*>(file), 0, sizeof(File));
    mine(file)->owner = owner;
    mine(file)->kind = kind;
    if (const int failure = owner->before(FileOp::open, kind)) return failure;
    const int result = owner->base_->xOpen(owner->base_, name, below(file), flags, out_flags);
    if (below(file)->pMethods != nullptr) file->pMethods = &methods();
    return result;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    auto* owner = static_cast<FaultVfs*>(vfs->pAppData);
    if (const int failure = owner->before(FileOp::access, FileKind::other)) return failure;
    return owner->base_->xAccess(owner->base_, name, flags, result);
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    auto* owner = static_cast<FaultVfs*>(vfs->pAppData);
    if (const int failure = owner->before(FileOp::remove, FileKind::other)) return failure;
    return owner->base_->xDelete(owner->base_, name, sync_directory);
  }

  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    if (const int failure = mine(file)->owner->before(FileOp::read, mine(file)->kind)) return failure;
    mine(file)->owner->note(mine(file)->kind, [](Traffic& t) { ++t.reads; });
    return below(file)->pMethods->xRead(below(file), to, size, at);
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    bool torn = false;
    if (const int failure = mine(file)->owner->before(FileOp::write, mine(file)->kind, torn)) {
      if (torn) below(file)->pMethods->xWrite(below(file), from, size / 2, at);
      return failure;
    }
    mine(file)->owner->note(mine(file)->kind, [size](Traffic& t) {
      ++t.writes;
      t.bytes_written += static_cast<std::uint64_t>(size);
    });
    return below(file)->pMethods->xWrite(below(file), from, size, at);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (const int failure = mine(file)->owner->before(FileOp::truncate, mine(file)->kind)) return failure;
    mine(file)->owner->note(mine(file)->kind, [](Traffic& t) { ++t.truncates; });
    return below(file)->pMethods->xTruncate(below(file), size);
  }
  static int sync(sqlite3_file* file, int flags) {
    if (const int failure = mine(file)->owner->before(FileOp::sync, mine(file)->kind)) return failure;
    mine(file)->owner->note(mine(file)->kind, [](Traffic& t) { ++t.syncs; });
    return below(file)->pMethods->xSync(below(file), flags);
  }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** to) {
    if (const int failure = mine(file)->owner->before(FileOp::shared_memory, mine(file)->kind))
      return failure;
    return below(file)->pMethods->xShmMap(below(file), page, size, extend, to);
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods table = [] {
      sqlite3_io_methods m{};
      m.iVersion = 3;
      m.xClose = [](sqlite3_file* f) { return below(f)->pMethods->xClose(below(f)); };
      m.xRead = read;
      m.xWrite = write;
      m.xTruncate = truncate;
      m.xSync = sync;
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* s) {
        const int failure = mine(f)->owner->before(FileOp::size, mine(f)->kind);
        return failure != SQLITE_OK ? failure : below(f)->pMethods->xFileSize(below(f), s);
      };
      m.xLock = [](sqlite3_file* f, int l) {
        const int failure = mine(f)->owner->before(FileOp::lock, mine(f)->kind);
        return failure != SQLITE_OK ? failure : below(f)->pMethods->xLock(below(f), l);
      };
      m.xUnlock = [](sqlite3_file* f, int l) { return below(f)->pMethods->xUnlock(below(f), l); };
      m.xCheckReservedLock = [](sqlite3_file* f, int* l) {
        return below(f)->pMethods->xCheckReservedLock(below(f), l);
      };
      m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
        return below(f)->pMethods->xFileControl(below(f), op, arg);
      };
      m.xSectorSize = [](sqlite3_file* f) { return below(f)->pMethods->xSectorSize(below(f)); };
      m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return below(f)->pMethods->xDeviceCharacteristics(below(f));
      };
      m.xShmMap = shm_map;
      m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
        if ((flags & SQLITE_SHM_LOCK) != 0) {
          const int failure = mine(f)->owner->before(FileOp::shared_lock, mine(f)->kind);
          if (failure != SQLITE_OK) return failure;
        }
        return below(f)->pMethods->xShmLock(below(f), offset, n, flags);
      };
      m.xShmBarrier = [](sqlite3_file* f) { below(f)->pMethods->xShmBarrier(below(f)); };
      m.xShmUnmap = [](sqlite3_file* f, int remove) {
        return below(f)->pMethods->xShmUnmap(below(f), remove);
      };
      m.xFetch = [](sqlite3_file* f, sqlite3_int64 at, int size, void** to) {
        return below(f)->pMethods->xFetch(below(f), at, size, to);
      };
      m.xUnfetch = [](sqlite3_file* f, sqlite3_int64 at, void* p) {
        mine(f)->owner->before(FileOp::unfetch, mine(f)->kind);
        return below(f)->pMethods->xUnfetch(below(f), at, p);
      };
      return m;
    }();
    return table;
  }

  // constant after construction
  std::string name_;
  sqlite3_vfs* base_ = nullptr;
  sqlite3_vfs vfs_{};

  // guarded by mutex_
  mutable std::mutex mutex_;
  std::array<Traffic, 3> traffic_{};
  std::optional<Plan> plan_;
  std::uint64_t failures_ = 0;
  std::function<void(FileOp, FileKind)> hook_;
};

}  // namespace support
