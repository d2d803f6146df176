// SPDX-License-Identifier: MIT
#include <satchel/custom_sink.hpp>
#include <satchel/error.hpp>

#include "support/deliveries.hpp"
#include "support/sink_recorder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <string>

using namespace satchel;
using std::chrono::seconds;
using support::delivery;
using support::SinkRecorder;

namespace {

// Standard output goes to `target` while it lives.
class Redirected {
 public:
  explicit Redirected(int target) {
    std::fflush(stdout);
    before_ = dup(STDOUT_FILENO);
    dup2(target, STDOUT_FILENO);
  }
  ~Redirected() {
    std::fflush(stdout);
    dup2(before_, STDOUT_FILENO);
    close(before_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  int before_;
};

std::vector<Receipt> print(std::vector<Delivery> batch, int target) {
  const Redirected redirected{target};
  SinkRecorder recorder;
  const auto sink = make_stdout_sink(SinkUrl::parse("stdout:"));
  sink->start(recorder);
  sink->resume();
  const std::size_t count = batch.size();
  sink->send(std::move(batch));
  auto receipts = recorder.wait_receipts(count);
  sink->stop(seconds{5});
  return receipts;
}

}  // namespace

TEST_CASE("stdout sink: one line a message, whatever is in it") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const auto receipts =
      print({delivery(1, "plant/kessel ä", "71.5 °C"), delivery(2, "t", std::string("a\nb\tc\\\x01\0", 8))},
            ends[1]);
  close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t size = read(ends[0], text.data(), text.size());
  close(ends[0]);
  REQUIRE(size > 0);
  text.resize(static_cast<std::size_t>(size));
  CHECK(text == delivery(1).id.to_string() + "\tplant/kessel ä\t71.5 °C\n" + delivery(2).id.to_string() +
                    "\tt\ta\\nb\\tc\\\\\\x01\\x00\n");
  REQUIRE(receipts.size() == 2);
  CHECK(receipts[0].verdict == Verdict::delivered);
}

TEST_CASE("stdout sink: a full disk and a closed pipe are down, however standard output is buffered") {
  int mode = _IOFBF;
  SUBCASE("in blocks") {}
  SUBCASE("line by line, as for a terminal") { mode = _IOLBF; }
  SUBCASE("not at all") { mode = _IONBF; }
  REQUIRE(std::setvbuf(stdout, nullptr, mode, BUFSIZ) == 0);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  CHECK(print({delivery(1)}, full).at(0).verdict == Verdict::down);
  close(full);
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  close(ends[0]);
  CHECK(print({delivery(1)}, ends[1]).at(0).verdict == Verdict::down);
  close(ends[1]);
  std::setvbuf(stdout, nullptr, _IOFBF, BUFSIZ);
}

TEST_CASE("stdout sink: the URL takes no options") {
  CHECK(make_stdout_sink(SinkUrl::parse("stdout:"))->name() == "stdout:");
  CHECK_THROWS_AS(make_stdout_sink(SinkUrl::parse("stdout:?a=b")), InvalidOption);
  CHECK_THROWS_AS(make_stdout_sink(SinkUrl::parse("stdout://x")), InvalidOption);
}
