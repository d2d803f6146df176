// SPDX-License-Identifier: MIT
#include "store/relay_file.hpp"

#include "store/errors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace satchel::store {
namespace {

// Two slots, far enough apart for the longest record. The first page of each is reserved when the file is
// made, so that a record of usual size can still be written on a full disk.
constexpr off_t kFirstSlot = 4096;
constexpr off_t kSlotDistance = off_t{1} << 20U;
constexpr std::size_t kReservedBytes = 4096;
// Between the bytes that are locked and the first slot.
constexpr off_t kDamageMark = 512;
constexpr off_t kNewest = 1024;
constexpr off_t kHealth = 2048;
constexpr std::size_t kHealthBytes = 2048;
constexpr std::size_t kHealthHeader = 8;  // its length and a checksum, in hex digits
constexpr off_t kDoubt = 1536;
// At the end of the first slot, behind the longest record, which has 65,535 entries.
constexpr std::size_t kRecordBytes =
    static_cast<std::size_t>(kSlotDistance) - kHealthHeader - RelayFile::kSnapshotBytes;
constexpr off_t kSnapshot = kFirstSlot + static_cast<off_t>(kRecordBytes);
constexpr int kSnapshotReads = 3;  // it is written about once a second
// Far behind all bytes: the locks whose place is a time.
static_assert(sizeof(off_t) == sizeof(std::int64_t));
constexpr off_t kRound = off_t{1} << 61U;
constexpr off_t kRoundOver = off_t{1} << 62U;
constexpr std::string_view kDamaged = "D";

/// Salt, frames, and a check of both and of the boot.
using Doubt = std::array<std::uint64_t, 3>;

Doubt doubt_of(const LogExtent& synced, const std::string& boot_id) {
  std::uint64_t check = 0x5361746368656C21U;
  const auto add = [&check](std::uint64_t value) { check = (check ^ value) * 1'099'511'628'211U; };
  for (const char letter : boot_id) add(static_cast<unsigned char>(letter));
  const auto frames = static_cast<std::uint64_t>(synced.frames);
  add(synced.salt);
  add(frames);
  return {synced.salt, frames, check};
}

off_t slot_offset(std::uint64_t sequence) {
  return kFirstSlot + kSlotDistance * static_cast<off_t>(sequence % 2);
}

struct flock bytes_at(off_t offset, off_t bytes, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = bytes;
  return lock;
}

struct flock one_byte(RelayByte byte, short type) {
  return bytes_at(static_cast<off_t>(byte), 1, type);
}

off_t place_of(const RelayRound& round) {
  return (round.over ? kRoundOver : kRound) + std::clamp<off_t>(round.began, 0, kRound - 1);
}

/// Four hex digits.
std::string digits(std::uint32_t value) {
  std::string text;
  for (unsigned shift = 16; shift > 0; shift -= 4) text += "0123456789abcdef"[(value >> (shift - 4)) & 0xFU];
  return text;
}

/// Length and checksum of a text: tells one that is whole from one that is being written.
std::string seal(std::string_view text) {
  std::uint32_t sum = 0;
  for (const char byte : text) sum = (sum * 31 + static_cast<unsigned char>(byte)) & 0xFFFFU;
  return digits(static_cast<std::uint32_t>(text.size())) + digits(sum);
}

/// The text behind its seal, when it is whole.
std::string sealed_text(const std::string& all) {
  if (all.size() < kHealthHeader) return {};
  std::size_t size = 0;
  for (const char digit : std::string_view{all}.substr(0, kHealthHeader / 2))
    size = size * 16 + static_cast<std::size_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  const std::string_view text = std::string_view{all}.substr(kHealthHeader, std::min(size, all.size()));
  return all.starts_with(seal(text)) ? std::string{text} : std::string{};
}

/// Reads until `size` bytes are there or the file ends.
std::string read_at(int fd, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::pread(fd, bytes.data() + got, size - got, offset + static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_system_error("read the relay file", "pread failed", errno);
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

/// 0, or the errno of the failure.
int write_at(int fd, off_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<off_t>(n);
  }
  return 0;
}

std::optional<RelayRecord> read_slot(int fd, off_t offset) {
  const std::string header = read_at(fd, offset, kReservedBytes);
  const std::optional<std::size_t> size = record_size(header);
  if (!size) return std::nullopt;
  return decode(*size <= header.size() ? header : read_at(fd, offset, *size));
}

/// Gives a new relay file to whom its database belongs, as SQLite does with -wal and -shm: made by root,
/// whose it is otherwise, it would keep the application out. Where the file system has no owners it stays.
void give_to_owner(int fd, const std::string& database) noexcept {
  struct stat status {};
  if (::stat(database.c_str(), &status) != 0) return;
  if (::geteuid() == 0 && ::fchown(fd, status.st_uid, status.st_gid) != 0) return;
  ::fchmod(fd, status.st_mode & 0777);
}

}  // namespace

RelayFile::RelayFile(std::string path) : path_{std::move(path)} {
  // Asked for memory first: what fails behind the making would leave the file.
  const std::string database = path_.substr(0, path_.rfind("-relay"));
  int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  made_ = fd >= 0;
  if (fd < 0 && errno == EEXIST) fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int error = errno;
    if (error == ENOSPC || error == EDQUOT)
      throw_system_error("open " + path_, "cannot make the relay file", error);
    throw OpenError{"open " + path_, "cannot make the relay file: " + std::generic_category().message(error),
                    "satchel keeps this file beside the database: make the directory writable for this user, "
                    "and the name free",
                    error};
  }
  descriptor_ = Descriptor{fd};
  if (!made_) return;
  give_to_owner(fd, database);
  reserve_slots();
}

std::optional<RelayFile> RelayFile::existing(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  RelayFile file;
  file.path_ = path;
  file.descriptor_ = Descriptor{fd};
  return file;
}

void RelayFile::reserve_slots() const {
  for (const std::uint64_t slot : {0U, 1U}) {
    const int error = ::posix_fallocate(descriptor_.get(), slot_offset(slot), kReservedBytes);
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL) continue;
    ::unlink(path_.c_str());
    throw_system_error("open " + path_, "cannot make the relay file", error);
  }
}

void RelayFile::reserve(std::size_t ids) const {
  const off_t record = static_cast<off_t>(kRecordHeader + kRecordIdBytes * ids);
  const auto take = [this](off_t from, off_t bytes) {
    const int error = ::posix_fallocate(descriptor_.get(), from, bytes);
    if (error != 0 && error != EOPNOTSUPP && error != EINVAL)
      throw_system_error("open " + path_, "no room for the reserve of the relay file", error);
  };
  take(0, kFirstSlot);
  for (const std::uint64_t slot : {0U, 1U})
    take(slot_offset(slot), std::min(record, static_cast<off_t>(kRecordBytes)));
}

bool RelayFile::current() const noexcept {
  struct stat mine {};
  struct stat there {};
  if (::fstat(descriptor_.get(), &mine) != 0 || ::stat(path_.c_str(), &there) != 0) return false;
  return mine.st_nlink > 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

bool RelayFile::try_lock(RelayByte byte) { return take(byte, F_WRLCK); }

bool RelayFile::try_share(RelayByte byte) { return take(byte, F_RDLCK); }

bool RelayFile::take(RelayByte byte, short type) {
  struct flock lock = one_byte(byte, type);
  int result = 0;
  do {
    result = ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  throw_system_error("lock " + path_, "the file system refuses locks", errno);
}

bool RelayFile::taken(RelayByte byte) const noexcept {
  struct flock lock = one_byte(byte, F_WRLCK);
  return ::fcntl(descriptor_.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool RelayFile::surely_without_leader() const noexcept {
  struct flock lock = one_byte(RelayByte::leader, F_WRLCK);
  return ::fcntl(descriptor_.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK && current();
}

bool RelayFile::lock(RelayByte byte, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  std::chrono::milliseconds pause{1};
  while (!try_lock(byte)) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(pause);
    if (pause < std::chrono::milliseconds{16}) pause *= 2;
  }
  return true;
}

void RelayFile::unlock(RelayByte byte) noexcept {
  struct flock lock = one_byte(byte, F_UNLCK);
  ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock);
}

bool RelayFile::held(RelayByte byte) const noexcept {
  struct flock lock = one_byte(byte, F_WRLCK);
  return ::fcntl(descriptor_.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void RelayFile::note_health(std::string_view text) const {
  text = text.substr(0, kHealthBytes - kHealthHeader);
  const int error = write_at(descriptor_.get(), kHealth, seal(text) + std::string{text});
  if (error != 0) throw_system_error("note how the relay is doing", "cannot write " + path_, error);
}

std::string RelayFile::health() const {
  return sealed_text(read_at(descriptor_.get(), kHealth, kHealthBytes));
}

void RelayFile::note_snapshot(std::string_view text) const {
  text = text.substr(0, kSnapshotBytes);
  const int error = write_at(descriptor_.get(), kSnapshot, seal(text) + std::string{text});
  if (error != 0) throw_system_error("note what the relay is doing", "cannot write " + path_, error);
}

std::string RelayFile::snapshot() const {
  std::string text;
  for (int reads = 0; text.empty() && reads < kSnapshotReads; ++reads)
    text = sealed_text(read_at(descriptor_.get(), kSnapshot, kHealthHeader + kSnapshotBytes));
  return text;
}

void RelayFile::mark_round(std::optional<RelayRound> round) noexcept {
  const std::optional<RelayRound> before = std::exchange(round_, round);
  if (round) {
    struct flock lock = bytes_at(place_of(*round), 1, F_WRLCK);
    if (::fcntl(descriptor_.get(), F_OFD_SETLK, &lock) != 0) round_.reset();
  }
  if (!before || (round && place_of(*before) == place_of(*round))) return;
  struct flock lock = bytes_at(place_of(*before), 1, F_UNLCK);
  ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock);
}

std::optional<RelayRound> RelayFile::marked_round() const noexcept {
  for (const off_t first : {kRound, kRoundOver}) {
    struct flock lock = bytes_at(first, kRound, F_WRLCK);
    if (::fcntl(descriptor_.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) continue;
    // One that reaches over both comes from somebody who has locked the whole file.
    if (lock.l_start >= first) return RelayRound{lock.l_start - first, first == kRoundOver};
  }
  return std::nullopt;
}

void RelayFile::note_newest(const Identity& origin, std::int64_t row) const {
  RelayRecord record;
  record.origin = origin;
  record.highest_sent = row;
  const int error = write_at(descriptor_.get(), kNewest, encode(record, kRecordHeader));
  if (error != 0) throw_system_error("note the newest message", "cannot write " + path_, error);
}

std::optional<RelayRecord> RelayFile::newest() const {
  return decode(read_at(descriptor_.get(), kNewest, kRecordHeader));
}

std::optional<RelayRecord> RelayFile::past() const {
  std::optional<RelayRecord> record = read();
  const std::optional<RelayRecord> committed = newest();
  if (!record || !committed) return record ? record : committed;
  if (record->origin == committed->origin)
    record->highest_sent = std::max(record->highest_sent, committed->highest_sent);
  return record;
}

void RelayFile::mark_damage(bool damaged) const {
  const int error = write_at(descriptor_.get(), kDamageMark, damaged ? kDamaged : std::string_view{"\0", 1});
  if (error != 0) throw_system_error("note damage", "cannot write " + path_, error);
}

bool RelayFile::damage_marked() const { return read_at(descriptor_.get(), kDamageMark, 1) == kDamaged; }

void RelayFile::note_doubt(const std::optional<LogExtent>& synced, const std::string& boot_id) const {
  const Doubt doubt = synced ? doubt_of(*synced, boot_id) : Doubt{};
  const std::string_view bytes{reinterpret_cast<const char*>(doubt.data()), sizeof doubt};
  const int error = write_at(descriptor_.get(), kDoubt, bytes);
  if (error != 0) throw_system_error("note a failed sync", "cannot write " + path_, error);
}

std::optional<LogExtent> RelayFile::doubt(const std::string& boot_id) const {
  const std::string bytes = read_at(descriptor_.get(), kDoubt, sizeof(Doubt));
  Doubt doubt{};
  if (bytes.size() != sizeof doubt) return std::nullopt;
  std::memcpy(doubt.data(), bytes.data(), sizeof doubt);
  const LogExtent synced{doubt[0], static_cast<std::int64_t>(doubt[1])};
  if (doubt != doubt_of(synced, boot_id)) return std::nullopt;
  return synced;
}

std::optional<RelayRecord> RelayFile::read() const {
  std::optional<RelayRecord> newest;
  for (const std::uint64_t slot : {0U, 1U}) {
    std::optional<RelayRecord> found = read_slot(descriptor_.get(), slot_offset(slot));
    if (found && (!newest || found->sequence > newest->sequence)) newest = std::move(found);
  }
  return newest;
}

void RelayFile::write(const RelayRecord& record) const {
  const int fd = descriptor_.get();
  const off_t offset = slot_offset(record.sequence);
  int error = write_at(fd, offset, encode(record, kRecordBytes));
  if (error == ENOSPC || error == EDQUOT) {
    // Better a record that forgets some suspects than no delivery until somebody frees space.
    error = write_at(fd, offset, encode(record, kReservedBytes));
  }
  if (error != 0) throw_system_error("note what is in flight", "cannot write " + path_, error);
}

void touch_relay_file(const std::string& path) noexcept {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
}

}  // namespace satchel::store
