// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// Draws that a seed fixes, alike on every platform.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_{seed} {}

  std::uint64_t draw() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// 0 to `limit` - 1.
  std::size_t below(std::size_t limit) noexcept {
    return limit == 0 ? 0 : static_cast<std::size_t>(draw() % limit);
  }
  bool one_in(std::size_t chances) noexcept { return below(chances) == 0; }

 private:
  std::uint64_t state_;
};

enum class DiskOp : std::uint8_t { create, write, truncate, sync, remove };

/// What a power cut does to what was not synced, for one file.
enum class CutFate : std::uint8_t {
  drop,    ///< nothing of it is there
  keep,    ///< all of it is there
  prefix,  ///< the first of the writes are there
  subset,  ///< some of the writes are there, later ones without earlier ones
  torn,    ///< and of some writes only some sectors, the others as before, zero or garbage
};
inline constexpr std::size_t kCutFates = 5;

/// How a sync fails.
enum class SyncFailure : std::uint8_t {
  none,
  harmless,  ///< it has no effect; the next one may succeed
  lossy,     ///< what it should have made durable never will be, although it is still read: so does Linux
};

/// The files of a device with a volatile cache: what was written is seen at once and survives a power cut
/// only once it was synced, or by chance. Names are durable when their directory was synced. One thread.
class PowerDisk {
 public:
  static constexpr std::size_t kSector = 512;

  /// What is on the medium: contents by name.
  using Image = std::map<std::string, std::string>;

  struct Change {
    bool truncate;
    std::size_t at;  ///< of a write; of a truncation the new size
    std::string bytes;
  };
  struct File {
    std::string live;
    std::string durable;
    std::vector<Change> unsynced{};
  };
  /// Called within every operation that changes something, when it is issued and before it is durable:
  /// a sync has not had its effect yet.
  using Hook = std::function<void(DiskOp, const std::string& name)>;

  void on_operation(Hook hook) { hook_ = std::move(hook); }
  /// Operations so far.
  std::uint64_t operations() const noexcept { return operations_; }

  /// A disk that says it has synced and has not: every file is only durable but for its last `cache` changes.
  /// 0: honest.
  void lie(std::size_t cache) noexcept { lying_cache_ = cache; }

  /// The next sync fails, or the one after so many that succeed.
  void fail_next_sync(SyncFailure failure, std::uint64_t after = 0) noexcept {
    failure_ = failure;
    syncs_before_failure_ = after;
  }
  /// Asked within a sync: this one does.
  bool sync_fails() const noexcept { return failure_ != SyncFailure::none && syncs_before_failure_ == 0; }

  void load(const Image& image) {
    there_.clear();
    entries_.clear();
    for (const auto& [name, bytes] : image) there_[name] = std::make_shared<File>(File{bytes, bytes});
    durable_ = there_;
    operations_ = 0;
    failure_ = SyncFailure::none;
  }

  /// Bytes of the last write.
  std::size_t last_write_size() const noexcept { return last_write_size_; }

  bool exists(const std::string& name) const { return there_.count(name) != 0; }

  std::shared_ptr<File> open(const std::string& name, bool create) {
    const auto found = there_.find(name);
    if (found != there_.end()) return found->second;
    if (!create) return nullptr;
    auto file = std::make_shared<File>();
    there_[name] = file;
    entries_.emplace_back(name, file);
    happened(DiskOp::create, name);
    return file;
  }
  void remove(const std::string& name, bool sync_names) {
    there_.erase(name);
    entries_.emplace_back(name, nullptr);
    happened(DiskOp::remove, name);
    if (sync_names) this->sync_names();
  }
  void write(File& file, const std::string& name, std::size_t at, std::string_view bytes) {
    last_write_size_ = bytes.size();
    change(file, name, {false, at, std::string{bytes}});
  }
  void truncate(File& file, const std::string& name, std::size_t size) {
    change(file, name, {true, size, {}});
  }
  /// False: the device failed.
  bool sync(File& file, const std::string& name, bool names_too) {
    happened(DiskOp::sync, name);
    SyncFailure failure = SyncFailure::none;
    if (sync_fails()) {
      failure = std::exchange(failure_, SyncFailure::none);
    } else if (syncs_before_failure_ > 0) {
      --syncs_before_failure_;
    }
    if (failure == SyncFailure::lossy) file.unsynced.clear();
    if (failure != SyncFailure::none) return false;
    if (lying_cache_ == 0) {
      for (const Change& change : file.unsynced) apply(file.durable, change);
      file.unsynced.clear();
    }
    if (names_too) sync_names();
    return true;
  }
  void sync_names() {
    durable_ = there_;
    entries_.clear();
  }

  /// What a cut at this moment leaves, one fate for all files or one for each.
  Image cut(Dice& dice) const {
    static constexpr std::array<CutFate, kCutFates> fates{CutFate::drop, CutFate::keep, CutFate::prefix,
                                                          CutFate::subset, CutFate::torn};
    const bool alike = dice.one_in(2);
    const CutFate one = fates[dice.below(kCutFates)];
    const auto fate = [&] { return alike ? one : fates[dice.below(kCutFates)]; };
    Image image;
    for (const auto& [name, file] : names_after(fate(), dice)) image[name] = after(*file, fate(), dice);
    return image;
  }

 private:
  using Names = std::map<std::string, std::shared_ptr<File>>;

  void happened(DiskOp op, const std::string& name) {
    ++operations_;
    if (hook_) hook_(op, name);
  }

  static void apply(std::string& content, const Change& change) {
    if (change.truncate) {
      if (change.at < content.size()) content.resize(change.at);
      return;
    }
    if (content.size() < change.at + change.bytes.size()) content.resize(change.at + change.bytes.size());
    std::copy(change.bytes.begin(), change.bytes.end(),
              content.begin() + static_cast<std::ptrdiff_t>(change.at));
  }

  void change(File& file, const std::string& name, Change change) {
    apply(file.live, change);
    file.unsynced.push_back(std::move(change));
    if (lying_cache_ > 0 && file.unsynced.size() > lying_cache_) {
      apply(file.durable, file.unsynced.front());
      file.unsynced.erase(file.unsynced.begin());
    }
    happened(file.unsynced.back().truncate ? DiskOp::truncate : DiskOp::write, name);
  }

  /// Of the changes of one name in the directory a later one is never there without the earlier.
  Names names_after(CutFate fate, Dice& dice) const {
    if (fate == CutFate::drop) return durable_;
    if (fate == CutFate::keep) return there_;
    Names names = durable_;
    std::set<std::string> ended;
    for (const auto& [name, file] : entries_) {
      if (ended.count(name) != 0) continue;
      if (dice.one_in(2)) {
        ended.insert(name);
      } else if (file) {
        names[name] = file;
      } else {
        names.erase(name);
      }
    }
    return names;
  }

  static std::string after(const File& file, CutFate fate, Dice& dice) {
    if (fate == CutFate::drop) return file.durable;
    std::string content = file.durable;
    if (fate == CutFate::keep || fate == CutFate::prefix) {
      const std::size_t all = file.unsynced.size();
      const std::size_t there = fate == CutFate::keep ? all : dice.below(all + 1);
      for (std::size_t i = 0; i < there; ++i) apply(content, file.unsynced[i]);
      return content;
    }
    for (const Change& change : file.unsynced) {
      if (dice.one_in(2)) {
        apply(content, change);
      } else if (fate == CutFate::torn && !change.truncate && dice.one_in(2)) {
        tear(content, change, dice);
      }
    }
    return content;
  }

  /// Some sectors of a write are there. Bytes of a sector that the write did not touch stay as they were,
  /// which is what SQLite takes for granted of a disk (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
  static void tear(std::string& content, const Change& change, Dice& dice) {
    const std::size_t end = change.at + change.bytes.size();
    for (std::size_t at = change.at; at < end;) {
      const std::size_t next = std::min(end, (at / kSector + 1) * kSector);
      Change part{false, at, change.bytes.substr(at - change.at, next - at)};
      switch (dice.below(4)) {
        case 0:
          apply(content, part);
          break;
        case 1:
          for (char& byte : part.bytes) byte = static_cast<char>(dice.draw());
          apply(content, part);
          break;
        case 2:
          // The file has grown already, and there is nothing in it yet.
          if (content.size() < next) content.resize(next);
          break;
        default:
          break;
      }
      at = next;
    }
  }

  Names there_;
  Names durable_;
  std::vector<std::pair<std::string, std::shared_ptr<File>>> entries_;  ///< unsynced; null: removed
  Hook hook_;
  std::uint64_t operations_ = 0;
  std::size_t last_write_size_ = 0;
  std::size_t lying_cache_ = 0;
  SyncFailure failure_ = SyncFailure::none;
  std::uint64_t syncs_before_failure_ = 0;
};

}  // namespace support
