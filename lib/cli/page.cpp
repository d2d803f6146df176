// SPDX-License-Identifier: MIT
#include "page.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <utility>

namespace satchel::cli {
namespace {

constexpr std::uint64_t kLittleRoom = 4U << 20U;
constexpr std::uint64_t kLargeLog = 64U << 20U;
constexpr unsigned kOthers = 077;

void add_dead(std::vector<Advice>& advice, const FileReport& report, const std::string& file) {
  if (report.dead == 0) return;
  std::string causes;
  for (const Tally& death : report.deaths)
    causes += fmt::format("{}{} x {}", causes.empty() ? ": " : "; ", death.messages,
                          death.text.empty() ? "no reason" : visible(death.text));
  advice.push_back(
      {counted(report.dead, "dead letter", "dead letters") + causes,
       fmt::format("satchel dead list {0}; when the cause is gone, satchel dead replay {0} --all", file)});
}

void add_room(std::vector<Advice>& advice, const FileReport& report, const std::string& file) {
  if (report.device_bytes < kLittleRoom) {
    advice.push_back({fmt::format("the file system has {} left", size_text(report.device_bytes)),
                      "make room: without it commits fail"});
  }
  if (report.wal_bytes > kLargeLog) {
    advice.push_back({fmt::format("the write-ahead log has grown to {}", size_text(report.wal_bytes)),
                      "look for a program that keeps a read transaction open on the file", false});
  }
  if ((report.mode & kOthers) != 0) {
    advice.push_back(
        {fmt::format("others than the owner may read or write the file (mode {:04o})", report.mode),
         fmt::format("chmod 600 {}*", file), false});
  }
}

std::string parts_of(const FileReport& report) {
  std::string parts;
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count > 0) parts += fmt::format("{}{} {}", parts.empty() ? " (" : ", ", grouped(count), what);
  };
  add(report.urgent, "urgent");
  add(report.bulk, "bulk");
  add(report.delayed, "delayed");
  add(report.failing, "failing");
  return parts.empty() ? parts : parts + ")";
}

}  // namespace

std::vector<Advice> advice_on(const FileReport& report, const std::string& file) {
  std::vector<Advice> advice;
  if (!report.relay.alive && report.pending > 0) {
    advice.push_back({"no relay runs, so nothing is sent",
                      fmt::format("start the application, or satchel relay {} --sink URL", file)});
  }
  for (Advice& each : advice_on(report.relay)) advice.push_back(std::move(each));
  add_dead(advice, report, file);
  for (const Tally& failure : report.failures) {
    advice.push_back({fmt::format("{} failed and will be tried again: {}",
                                  counted(failure.messages, "message", "messages"), visible(failure.text)),
                      fmt::format("satchel list {} --failed", file), false});
  }
  add_room(advice, report, file);
  return advice;
}

Line backlog_line(const FileReport& report) {
  Line line{label("pending")};
  line.push_back(
      {(report.pending_is_bound ? "at most " : "") + counted(report.pending, "message", "messages"),
       report.pending > 0 ? Look::head : Look::good});
  line.push_back({parts_of(report)});
  if (report.oldest) {
    line.push_back({", oldest " +
                    (report.oldest->age ? duration_text(*report.oldest->age) : "of unknown age") + ": " +
                    visible(report.oldest->message.topic)});
  }
  return line;
}

std::vector<Line> page_of(const FileReport& report, const std::string& file) {
  std::vector<Line> lines;
  lines.push_back({label("file"), {visible(report.path), Look::head}});
  lines.push_back(
      {label("size"),
       {fmt::format("{} and a log of {}, {} free on the file system", size_text(report.file_bytes),
                    size_text(report.wal_bytes), size_text(report.device_bytes))}});
  lines.push_back(backlog_line(report));
  lines.push_back(
      {label("dead"),
       {counted(report.dead, "dead letter", "dead letters"), report.dead > 0 ? Look::bad : Look::good}});
  for (Line& line : relay_lines(report.relay)) lines.push_back(std::move(line));
  for (Line& line : work_lines(report.relay)) lines.push_back(std::move(line));
  for (const auto& [name, value] : report.counters) {
    lines.push_back({label("counted"),
                     {fmt::format("{} {}", grouped(static_cast<std::uint64_t>(value)), visible(name))}});
  }
  for (const Dropped& dropped : report.dropped) {
    lines.push_back({label("dropped"),
                     {fmt::format("{} {} of {}", grouped(dropped.messages), to_string(dropped.reason),
                                  dropped.topic.empty() ? "other topics" : visible(dropped.topic))}});
  }
  lines.push_back(
      {label("rows"),
       {fmt::format("up to {}, identity {}", report.newest_row, identity_text(report.identity))}});
  const std::vector<Advice> advice = advice_on(report, file);
  if (advice.empty()) {
    lines.push_back({{"all is well", Look::good}});
    return lines;
  }
  lines.push_back({});
  for (const Advice& each : advice) {
    lines.push_back({{each.grave ? "! " : "- ", each.grave ? Look::bad : Look::warn}, {each.problem}});
    lines.push_back({{"  " + each.action, Look::faint}});
  }
  return lines;
}

}  // namespace satchel::cli
