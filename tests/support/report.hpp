// SPDX-License-Identifier: MIT
//
// For test programs with a main of their own: what they counted, as the last lines of their output.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// One line of figures. Made where the counting is, printed at the end of the program.
class Report {
 public:
  Report(std::string topic, std::string done) : topic_{std::move(topic)}, done_{std::move(done)} {}
  ~Report() {
    std::string line = "REPORT " + topic_ + " | " + done_ + " | ";
    for (std::size_t i = 0; i < figures_.size(); ++i) line += (i == 0 ? "" : ", ") + figures_[i];
    lines().push_back(std::move(line));
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  template <class Number>
  void figure(const std::string& name, Number value) {
    figures_.push_back(name + "=" + std::to_string(value));
  }
  void figure(const std::string& name, const std::string& value) { figures_.push_back(name + "=" + value); }

  static std::vector<std::string>& lines() {
    static std::vector<std::string> all;
    return all;
  }

 private:
  std::string topic_;
  std::string done_;
  std::vector<std::string> figures_;
};

/// Runs the test cases and then prints the reports, if there was no failure.
inline int run_and_report(int count, char** arguments) {
  doctest::Context context{count, arguments};
  const int result = context.run();
  if (result == 0) {
    for (const std::string& line : Report::lines()) std::printf("%s\n", line.c_str());
  }
  return result;
}

/// A number from the environment, for the size of a run.
inline long size_from_environment(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  const long number = text == nullptr ? 0 : std::strtol(text, nullptr, 10);
  return number > 0 ? number : otherwise;
}

}  // namespace support
