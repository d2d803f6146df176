// SPDX-License-Identifier: MIT
#include "device.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

// Closing an inotify descriptor takes milliseconds in the kernel, which is most of the time of a crash here.
// This program goes without, as on a device that has run out of watches: the store then looks at every round.
extern "C" int inotify_init1(int) noexcept {
  errno = EMFILE;
  return -1;
}

namespace power {

using support::DiskOp;
using support::PowerDisk;

const char* to_string(NoteFate fate) noexcept {
  switch (fate) {
    case NoteFate::kept:
      return "kept";
    case NoteFate::lost:
      return "lost";
    case NoteFate::emptied:
      return "emptied";
    case NoteFate::older:
      return "older";
    case NoteFate::torn:
      break;
  }
  return "torn";
}

Device::Device() : path_{directory_.path() + "/device.db"} {
  vfs_.disk().on_operation([this](DiskOp op, const std::string& file) { happened(op, file); });
}

Device::~Device() {
  if (note_file_ >= 0) ::close(note_file_);
}

void Device::boot(const Wreck& wreck) {
  if (note_file_ >= 0) ::close(note_file_);
  note_file_ = -1;
  note_ = older_note_ = RelayNote{};
  tick_ = 0;
  unsynced_frames_ = 0;
  PowerDisk::Image files;
  for (const auto& [name, bytes] : wreck.files) files[directory_.path() + '/' + name] = bytes;
  vfs_.load(files, path_);
  write_note(wreck.note);
}

void Device::happened(DiskOp op, const std::string& file) {
  next_tick();
  const bool log = file.ends_with("-wal");
  // Headers of frames and of the log are short.
  if (log && op == DiskOp::write && vfs_.disk().last_write_size() >= PowerDisk::kSector) ++unsynced_frames_;
  if (hook_) hook_(op, file);
  if (log && op == DiskOp::sync && !vfs_.disk().sync_fails()) unsynced_frames_ = 0;
}

/// Reads through a descriptor that stays open: an open and close at every operation would be seen as a sign
/// of other processes.
void Device::read_note() {
  if (note_file_ < 0) note_file_ = ::open((path_ + "-relay").c_str(), O_RDONLY | O_CLOEXEC);
  if (note_file_ < 0) return;
  struct stat status {};
  if (::fstat(note_file_, &status) != 0) throw std::runtime_error{"cannot examine the relay file"};
  RelayNote now;
  now.exists = true;
  now.size = static_cast<std::size_t>(status.st_size);
  for (off_t at = 0; (at = ::lseek(note_file_, at, SEEK_DATA)) >= 0;) {
    const off_t end = ::lseek(note_file_, at, SEEK_HOLE);
    std::string bytes(static_cast<std::size_t>(end - at), '\0');
    if (::pread(note_file_, bytes.data(), bytes.size(), at) != end - at)
      throw std::runtime_error{"cannot read the relay file"};
    now.parts.emplace_back(static_cast<std::size_t>(at), std::move(bytes));
    at = end;
  }
  if (now == note_) return;
  older_note_ = std::exchange(note_, std::move(now));
}

void Device::write_note(const RelayNote& note) const {
  const std::string path = path_ + "-relay";
  ::unlink(path.c_str());
  if (!note.exists) return;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error{"cannot make " + path};
  bool written = ::ftruncate(fd, static_cast<off_t>(note.size)) == 0;
  for (const auto& [at, bytes] : note.parts) {
    written = written && ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
                             static_cast<ssize_t>(bytes.size());
  }
  ::close(fd);
  if (!written) throw std::runtime_error{"cannot write " + path};
}

/// Sector by sector of now, of before, or garbage.
RelayNote Device::torn_note(Dice& dice) const {
  RelayNote torn = note_;
  for (auto& [at, bytes] : torn.parts) {
    const auto same = [at = at](const auto& part) { return part.first == at; };
    const auto before = std::find_if(older_note_.parts.begin(), older_note_.parts.end(), same);
    // Not only at sectors: the file system promises nothing for a file that is not synced.
    const std::size_t step = dice.one_in(2) ? PowerDisk::kSector : 1 + dice.below(40);
    for (std::size_t from = 0; from < std::min<std::size_t>(bytes.size(), 1024); from += step) {
      const std::size_t end = std::min(bytes.size(), from + step);
      const std::uint64_t what = dice.below(8);
      for (std::size_t i = from; i < end && what < 4; ++i) {
        if (what == 0) bytes[i] = static_cast<char>(dice.draw());
        if (what == 1) bytes[i] = '\0';
        if (what > 1 && before != older_note_.parts.end() && i < before->second.size())
          bytes[i] = before->second[i];
      }
    }
  }
  return torn;
}

Wreck Device::cut(Dice& dice) {
  read_note();
  Wreck wreck;
  for (auto& [name, bytes] : vfs_.disk().cut(dice))
    wreck.files[name.substr(name.rfind('/') + 1)] = std::move(bytes);
  wreck.note_fate = static_cast<NoteFate>(dice.below(kNoteFates));
  wreck.note = note_;
  switch (wreck.note_fate) {
    case NoteFate::kept:
      break;
    case NoteFate::lost:
      wreck.note = RelayNote{};
      break;
    case NoteFate::emptied:
      wreck.note.parts.clear();
      if (dice.one_in(2)) wreck.note.size = 0;
      break;
    case NoteFate::older:
      if (older_note_.exists) wreck.note = older_note_;
      break;
    case NoteFate::torn:
      wreck.note = torn_note(dice);
      break;
  }
  return wreck;
}

}  // namespace power
