// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "json.hpp"
#include "page.hpp"
#include "screen.hpp"

#include <algorithm>
#include <memory>

namespace satchel::cli {
namespace {

struct StatusOptions {
  std::string file;
  bool json = false;
  bool watch = false;
  double interval = 1;
};

int exit_for(const FileReport& report, const std::string& file) {
  const std::vector<Advice> advice = advice_on(report, file);
  const bool grave = std::any_of(advice.begin(), advice.end(), [](const Advice& each) { return each.grave; });
  return grave ? kAttention : kDone;
}

void status(const StatusOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  if (wanted.watch) {
    run_live(context.out, wanted.interval,
             [&](std::size_t, std::size_t) { return page_of(file.report(), wanted.file); });
    return;
  }
  const FileReport report = file.report();
  context.exit = exit_for(report, wanted.file);
  if (wanted.json) return context.out.write(to_json(report) + "\n");
  // Whole, over several rows where the window is narrow: here the ends of lines matter.
  for (const Line& line : page_of(report, wanted.file)) context.out.print_whole(line);
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  CLI::App* command = add_command(
      app, "status", "Show what waits, what is stuck and why, and what to do",
      {"satchel status device.db", "satchel status device.db --watch", "satchel status device.db --json"});
  const auto wanted = std::make_shared<StatusOptions>();
  add_file(*command, wanted->file);
  CLI::Option* json =
      command->add_flag("--json", wanted->json, "As a JSON object; times are in milliseconds");
  command->add_flag("--watch", wanted->watch, "As a live screen; q ends it")->excludes(json);
  command->add_option("--interval", wanted->interval, "Seconds between two looks of --watch")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  command->callback([wanted, &context] { status(*wanted, context); });
}

}  // namespace satchel::cli
