// SPDX-License-Identifier: MIT
#pragma once

#include "support/power_vfs.hpp"
#include "support/temp_dir.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace power {

using support::Dice;

/// Counts operations of the disk and events of the oracle in one sequence.
using Tick = std::uint64_t;

/// `<file>-relay`, which satchel writes without a sync and beside SQLite: its size and what is not empty of
/// it.
struct RelayNote {
  bool exists = false;
  std::size_t size = 0;
  std::vector<std::pair<std::size_t, std::string>> parts{};
  bool operator==(const RelayNote&) const = default;
};

/// What becomes of it in a power cut.
enum class NoteFate : std::uint8_t { kept, lost, emptied, older, torn };
inline constexpr std::size_t kNoteFates = 5;
const char* to_string(NoteFate fate) noexcept;

/// What a power cut left.
struct Wreck {
  support::PowerDisk::Image files;  ///< by their names without the directory
  RelayNote note;
  NoteFate note_fate = NoteFate::kept;
};

/// A device: a disk whose power can be cut at every operation, and the path of the database on it.
class Device {
 public:
  using Hook = std::function<void(support::DiskOp, const std::string& file)>;

  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Switches it on with what is on its disk. Everything must be closed.
  void boot(const Wreck& wreck);
  /// Called at every operation of the disk, after it was counted.
  void on_operation(Hook hook) { hook_ = std::move(hook); }

  /// What would be there if the power went right now.
  Wreck cut(Dice& dice);

  Tick next_tick() noexcept { return ++tick_; }
  Tick tick() const noexcept { return tick_; }
  std::uint64_t operations() noexcept { return vfs_.disk().operations(); }
  /// Pages that were written to the log since it was synced last.
  std::size_t unsynced_frames() const noexcept { return unsynced_frames_; }

  support::PowerVfs& vfs() noexcept { return vfs_; }
  const std::string& path() const noexcept { return path_; }

 private:
  void happened(support::DiskOp op, const std::string& file);
  void read_note();
  void write_note(const RelayNote& note) const;
  RelayNote torn_note(Dice& dice) const;

  const support::TempDir directory_{support::TempDir::Where::memory};
  support::PowerVfs vfs_;
  const std::string path_;
  Hook hook_;
  Tick tick_ = 0;
  std::size_t unsynced_frames_ = 0;
  int note_file_ = -1;
  RelayNote note_;
  RelayNote older_note_;
};

}  // namespace power
