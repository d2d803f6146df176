// SPDX-License-Identifier: MIT
#pragma once

#include "support/sanitizer.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace support {

/// How many parts a long test is cut into. More than there are processors: a life of an outbox waits for the
/// kernel half of its time. A sanitizer's own threads do not outlive a fork.
inline constexpr unsigned kParts = kSanitized ? 1 : 8;

/// Counts what failed in this process. doctest keeps its own count to itself.
struct FailureCount : doctest::IReporter {
  static inline std::atomic<int> failed{0};

  explicit FailureCount(const doctest::ContextOptions&) {}
  void log_assert(const doctest::AssertData& data) override { failed += data.m_failed ? 1 : 0; }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("failure count", 1, FailureCount);

namespace detail {

/// One part, in a process of its own; never returns.
template <class Result, class Work>
[[noreturn]] void work_apart(const Work& work, unsigned part, int output) {
  FailureCount::failed = 0;
  int status = 1;
  try {
    const Result result = work(part, kParts);
    if (::write(output, &result, sizeof result) == static_cast<ssize_t>(sizeof result) &&
        FailureCount::failed == 0)
      status = 0;
  } catch (const std::exception& error) {
    std::cout << "part " << part << ": " << error.what() << std::endl;
  } catch (...) {
    // A requirement that was not met: doctest has told it.
  }
  std::exit(status);
}

}  // namespace detail

/// The sum of what `work(part, of_how_many)` gives for each part, all at the same time in processes of their
/// own. What fails in one of them is printed there and fails the test. No thread may run.
template <class Result, class Work>
Result in_parts(const Work& work) {
  static_assert(std::is_trivially_copyable_v<Result>);
  if (kParts == 1) return work(0, 1);
  struct Part {
    pid_t process;
    int output;
  };
  std::vector<Part> parts;
  std::cout.flush();
  std::fflush(nullptr);
  for (unsigned part = 0; part < kParts; ++part) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error{"pipe"};
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error{"fork"};
    if (process == 0) {
      ::close(ends[0]);
      detail::work_apart<Result>(work, part, ends[1]);
    }
    ::close(ends[1]);
    parts.push_back({process, ends[0]});
  }
  Result all{};
  for (unsigned part = 0; part < kParts; ++part) {
    Result result{};
    const bool whole =
        ::read(parts[part].output, &result, sizeof result) == static_cast<ssize_t>(sizeof result);
    ::close(parts[part].output);
    int status = -1;
    ::waitpid(parts[part].process, &status, 0);
    CAPTURE(part);
    CHECK(whole);
    CHECK(status == 0);
    if (whole) all += result;
  }
  return all;
}

}  // namespace support
