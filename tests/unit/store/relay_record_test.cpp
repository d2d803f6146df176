// SPDX-License-Identifier: MIT
#include "store/relay_record.hpp"
#include "fixture.hpp"
#include "store/relay_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <numeric>

using namespace satchel::store;

namespace {

RelayRecord record(std::uint64_t sequence, std::vector<std::int64_t> in_flight) {
  RelayRecord made;
  made.sequence = sequence;
  made.origin.fill(7);
  made.epoch = 3;
  made.highest_sent = 4'503'599'627'370'495;
  made.in_flight = std::move(in_flight);
  return made;
}

std::vector<std::int64_t> odd(std::size_t count) {
  std::vector<std::int64_t> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<std::int64_t>(2 * i + 1);
  return rows;
}

/// Changes one byte of a file that is no database.
void flip(const std::string& path, off_t at) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  char byte = 0;
  CHECK(::pread(fd, &byte, 1, at) == 1);
  byte = static_cast<char>(byte ^ 1);
  CHECK(::pwrite(fd, &byte, 1, at) == 1);
  ::close(fd);
}

}  // namespace

TEST_CASE("relay record: what is written is read back, with runs and gaps") {
  for (const auto& rows : {std::vector<std::int64_t>{}, {1}, {1, 2, 3}, {1, 3, 4, 9}, odd(65'535)}) {
    const RelayRecord made = record(9, rows);
    const std::string bytes = encode(made, std::size_t{1} << 20U);
    CHECK(record_size(bytes) == bytes.size());
    CHECK(decode(bytes) == made);
  }
}

TEST_CASE("relay record: a run of ids takes one entry") {
  std::vector<std::int64_t> run(1000);
  std::iota(run.begin(), run.end(), 500);
  CHECK(encode(record(1, run), 4096).size() == kRecordHeader + 12);
}

TEST_CASE("relay record: every changed or missing byte is noticed") {
  const std::string bytes = encode(record(2, {1, 5, 6}), 4096);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CAPTURE(i);
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK_FALSE(decode(changed));
    CHECK_FALSE(decode(bytes.substr(0, i)));
  }
}

TEST_CASE("relay record: a limit leaves ids out and keeps the record whole") {
  const std::string bytes = encode(record(2, odd(1000)), 4096);
  CHECK(bytes.size() <= 4096);
  const auto kept = decode(bytes);
  REQUIRE(kept);
  CHECK(kept->in_flight.size() == (4096 - kRecordHeader) / 12);
}

TEST_CASE("relay record: without room for an id it still names the highest one sent") {
  const auto kept = decode(encode(record(2, odd(10)), 10));
  REQUIRE(kept);
  CHECK(kept->in_flight.empty());
  CHECK(kept->highest_sent == record(2, odd(10)).highest_sent);
}

TEST_CASE("relay file: a torn write falls back to the record before it") {
  const store_test::File file;
  RelayFile relay{file.path + "-relay"};
  CHECK(relay.made());
  CHECK_FALSE(relay.read());
  relay.write(record(1, {1, 2}));
  relay.write(record(2, {3}));
  CHECK(relay.read() == record(2, {3}));
  flip(relay.path(), 4096 + 20);  // the even slot
  CHECK(relay.read() == record(1, {1, 2}));
  relay.write(record(2, {4}));
  CHECK(relay.read() == record(2, {4}));
}

TEST_CASE("relay record: ids that no row can have make it none") {
  CHECK(decode(encode(record(1, {1, 4'503'599'627'370'495}), 4096)));
  for (const std::int64_t id :
       std::vector<std::int64_t>{0, -1, 4'503'599'627'370'496, INT64_MAX, INT64_MIN}) {
    CHECK_FALSE(decode(encode(record(1, {id}), 4096)));
  }
}

TEST_CASE("relay file: the mode is 0600 and a byte is locked for one opening at a time") {
  const store_test::File file;
  RelayFile relay{file.path + "-relay"};
  struct stat status {};
  REQUIRE(::stat(relay.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  RelayFile other{relay.path()};
  CHECK_FALSE(other.made());
  CHECK(relay.try_lock(RelayByte::leader));
  CHECK_FALSE(other.try_lock(RelayByte::leader));
  CHECK(other.try_lock(RelayByte::checkpoint));
  CHECK_FALSE(other.lock(RelayByte::leader, std::chrono::milliseconds{5}));
  relay.unlock(RelayByte::leader);
  CHECK(other.try_lock(RelayByte::leader));
  ::unlink(relay.path().c_str());
  CHECK_FALSE(relay.current());
}
