// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "graph.hpp"
#include "page.hpp"
#include "screen.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <memory>

namespace satchel::cli {
namespace {

struct WatchOptions {
  std::string file;
  double interval = 1;
};

/// `a`, then what fits of spaces, then `b`.
std::string spread(const std::string& a, const std::string& b, std::size_t columns) {
  const std::size_t used = length(a) + length(b);
  return a + std::string(used < columns ? columns - used : 1, ' ') + b;
}

class HealthPage {
 public:
  HealthPage(const WatchOptions& wanted, Inspector& file) : wanted_{wanted}, file_{file} {}

  std::vector<Line> draw(std::size_t columns, std::size_t rows) {
    const FileReport report = file_.report();
    flow_.add(std::chrono::steady_clock::now(), report.newest_row, report.pending);
    graph_.add(report.pending);
    std::vector<Line> lines;
    lines.push_back({{spread("satchel watch  " + visible(report.path), "q quits", columns), Look::head}});
    lines.push_back({});
    lines.push_back(backlog_line(report));
    lines.push_back(flow_line(report));
    for (Line& line : relay_lines(report.relay)) lines.push_back(std::move(line));
    if (report.dead > 0) {
      lines.push_back({{"dead     ", Look::faint},
                       {counted(report.dead, "dead letter", "dead letters"), Look::bad},
                       {report.deaths.empty() ? "" : ": " + visible(report.deaths.front().text)}});
    }
    lines.push_back({});
    constexpr std::size_t kLeastRows = 4;
    const std::size_t below = 2;
    if (rows < lines.size() + kLeastRows + below) return lines;
    lines.push_back({{"messages that wait", Look::faint}});
    const std::size_t height = rows - lines.size() - 1;
    for (Line& line : graph_.draw(columns, height)) lines.push_back(std::move(line));
    lines.push_back(
        {{fmt::format("         one column each {} s; the newest is left of the gap, or the last one",
                      wanted_.interval),
          Look::faint}});
    return lines;
  }

 private:
  Line flow_line(const FileReport& report) const {
    Line line{{"flow     ", Look::faint},
              {fmt::format("{:.1f}/s come, {:.1f}/s go", flow_.in(), flow_.out())}};
    const double shrinks = flow_.out() - flow_.in();
    if (report.pending > 0 && shrinks > 0.1) {
      const double seconds = static_cast<double>(report.pending) / shrinks;
      line.push_back(
          {", empty in " + duration_text(std::chrono::seconds{static_cast<std::int64_t>(seconds) + 1})});
    }
    return line;
  }

  const WatchOptions& wanted_;
  Inspector& file_;
  Flow flow_;
  Graph graph_;
};

void watch(const WatchOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  HealthPage page{wanted, file};
  run_live(context.out, wanted.interval,
           [&](std::size_t columns, std::size_t rows) { return page.draw(columns, rows); });
}

}  // namespace

void add_watch(CLI::App& app, Context& context) {
  CLI::App* command = add_command(
      app, "watch", "Draw the backlog over time, how fast it drains, and how the sinks are",
      {"satchel watch device.db", "satchel watch device.db --interval 10   # over a slow serial line"});
  const auto wanted = std::make_shared<WatchOptions>();
  add_file(*command, wanted->file);
  command->add_option("--interval", wanted->interval, "Seconds between two looks")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  command->callback([wanted, &context] { watch(*wanted, context); });
}

}  // namespace satchel::cli
