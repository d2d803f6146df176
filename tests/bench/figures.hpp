// SPDX-License-Identifier: MIT
#pragma once

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

/// What every benchmark program shares: arguments, measuring, and its output, one JSON object a line, which
/// tests/bench/report.py turns into tables and plots.
namespace bench {

/// What one measurement found, by name. The first one is the topic's main figure.
using Figures = std::vector<std::pair<std::string, double>>;

/// One way of doing the same thing.
struct Variant {
  std::string name;
  std::function<Figures()> measure;
};

/// A demand on the median of one figure, as it is or (with `against`) divided by another variant's in the
/// same repetition.
struct Budget {
  std::string variant;
  std::string figure;
  std::string against{};
  double at_least = 0;
  double at_most = 0;  ///< one of the two is 0: not demanded
};

/// User-mode instructions of this process, its threads included, where the kernel counts them.
class Instructions {
 public:
  /// To be called before threads are started.
  static Instructions& instance() {
    static Instructions counter;
    return counter;
  }
  /// 0: unknown.
  std::uint64_t count() const noexcept {
    std::uint64_t value = 0;
    if (descriptor_ < 0 || ::read(descriptor_, &value, sizeof value) != sizeof value) return 0;
    return value;
  }

 private:
  Instructions() {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.inherit = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    descriptor_ =
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
  }
  int descriptor_ = -1;
};

/// Runs a benchmark's main and says what went wrong.
template <class Main>
int guarded(Main&& main) {
  try {
    std::forward<Main>(main)();
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "failed: %s\n", problem.what());
    return EXIT_FAILURE;
  }
}

class Program {
 public:
  /// Understands `--quick`, `--repetitions N` and `--only TEXT`, of which rows then have to contain it.
  Program(std::string topic, int count, char** words) : topic_(std::move(topic)) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    for (int i = 1; i < count; ++i) {
      const std::string_view word = words[i];
      const bool more = i + 1 < count;
      if (word == "--quick") {
        quick_ = true;
      } else if (word == "--repetitions" && more) {
        repetitions_ = std::max(1, std::atoi(words[++i]));
      } else if (word == "--only" && more) {
        only_ = words[++i];
      } else {
        throw std::runtime_error{"usage: [--quick] [--repetitions N] [--only TEXT]"};
      }
    }
    if (repetitions_ == 0) repetitions_ = quick_ ? 2 : 5;
  }

  bool quick() const noexcept { return quick_; }
  /// The size for this run.
  template <class Number>
  Number sized(Number whole, Number quick) const noexcept {
    return quick_ ? quick : whole;
  }
  bool wants(const std::string& row) const { return row.find(only_) != std::string::npos; }

  /// Measures the variants in turns, so that all see the same moods of the machine, each in a process of its
  /// own: the one before has left neither a grown heap nor threads.
  void row(const std::string& name, const std::vector<Variant>& variants,
           std::initializer_list<Budget> budgets = {}, int repetitions = 0) const {
    if (!wants(name)) return;
    for (const Budget& budget : budgets) demand(name, budget);
    for (int repetition = 0; repetition < (repetitions != 0 ? repetitions : repetitions_); ++repetition) {
      for (const Variant& variant : variants) apart([&] { sample(name, variant.name, variant.measure()); });
    }
  }

  void sample(const std::string& row, const std::string& variant, const Figures& figures) const {
    std::printf(R"({"topic": "%s", "row": "%s", "variant": "%s", "figures": {)", topic_.c_str(), row.c_str(),
                variant.c_str());
    const char* separator = "";
    for (const auto& [name, value] : figures) {
      std::printf("%s\"%s\": %.9g", separator, name.c_str(), value);
      separator = ", ";
    }
    std::printf("}}\n");
  }

 private:
  template <class Work>
  static void apart(const Work& work) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == -1) throw std::system_error{errno, std::generic_category(), "fork"};
    if (child == 0) {
      Instructions::instance();
      const int code = guarded(work);
      std::fflush(stdout);
      ::_exit(code);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    if (status != 0) throw std::runtime_error{"a measurement failed"};
  }

  void demand(const std::string& row, const Budget& budget) const {
    std::printf(
        R"({"topic": "%s", "row": "%s", "budget": {"variant": "%s", "figure": "%s", "against": "%s", "at_least": %g, "at_most": %g}})"
        "\n",
        topic_.c_str(), row.c_str(), budget.variant.c_str(), budget.figure.c_str(), budget.against.c_str(),
        budget.at_least, budget.at_most);
  }

  std::string topic_;
  bool quick_ = false;
  int repetitions_ = 0;
  std::string only_;
};

inline double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// CPU time of this process so far, user and system, in seconds.
inline double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/// Time, CPU time and instructions from its construction on.
class Meter {
 public:
  Meter()
      : instructions_(Instructions::instance().count()),
        cpu_(cpu_seconds()),
        start_(std::chrono::steady_clock::now()) {}

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  /// What `count` of something cost: how many a second, and what each took.
  Figures each(double count) const {
    const double time = seconds();
    const double cpu = cpu_seconds() - cpu_;
    const std::uint64_t instructions = Instructions::instance().count() - instructions_;
    Figures figures{{"rate", count / time}, {"cpu_us", cpu * 1e6 / count}};
    if (instructions != 0) figures.emplace_back("instructions", static_cast<double>(instructions) / count);
    return figures;
  }

 private:
  std::uint64_t instructions_;
  double cpu_;
  std::chrono::steady_clock::time_point start_;
};

/// The value that this part of them does not exceed. Not of an empty list.
inline double quantile(std::vector<double> values, double part) {
  const auto rank = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
  return values[rank];
}

inline std::string size_name(std::size_t bytes) {
  return bytes < 1024 ? std::to_string(bytes) + " B" : std::to_string(bytes / 1024) + " KiB";
}

}  // namespace bench
