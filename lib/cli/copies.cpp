// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "json.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/core.h>

#include <fstream>
#include <iostream>
#include <memory>

namespace satchel::cli {
namespace {

struct CopyOptions {
  std::string file;
  std::string other;
  std::string topics;
  std::string prefix;
};

void back_up(const CopyOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  std::uint64_t shown = 101;
  file.backup(wanted.other, [&](std::uint64_t done, std::uint64_t total) {
    const std::uint64_t percent = total == 0 ? 100 : done * 100 / total;
    if (context.out.is_terminal() && percent != shown) context.out.write(fmt::format("\r{} %", percent));
    shown = percent;
  });
  if (context.out.is_terminal()) context.out.write("\r\x1b[K");
  Inspector copy{wanted.other};
  const FileReport report = copy.report();
  context.out.print(fmt::format("{}: {}, {}", visible(wanted.other),
                                counted(report.pending, "message", "messages"),
                                counted(report.dead, "dead letter", "dead letters")));
}

void salvage(const CopyOptions& wanted, Context& context) {
  Options options;
  options.visiting = true;
  options.check_at_open = true;
  options.on_damage = OnDamage::salvage;
  const Outbox outbox{wanted.file, options};
  const std::optional<SalvageReport> report = outbox.salvaged();
  if (!report) return context.out.print("the file is sound: nothing was changed");
  context.out.print_whole({{report->summary()}});
  for (const SalvagedTable& table : report->tables) {
    if (table.whole) continue;
    context.out.print_whole({{fmt::format("table {}: {} saved, not whole: {}", visible(table.name),
                                          counted(table.rows, "row", "rows"), visible(table.problem)),
                              Look::warn}});
  }
  context.exit = kAttention;
}

void export_all(const CopyOptions& wanted, Context& context) {
  if (!wanted.topics.empty()) check_filter(wanted.topics);
  Inspector file{wanted.file};
  MessageQuery query;
  query.topics = wanted.topics;
  for (bool more = true; more;) {
    const std::vector<PendingMessage> slice = file.messages(query);
    for (const PendingMessage& message : slice) context.out.write(to_json(message) + "\n");
    more = slice.size() == query.limit;
    if (more) query.after = slice.back().id.row;
  }
}

/// The next messages, at most `most`; none at the end of the input.
std::vector<Message> read_some(std::istream& from, std::size_t& line, std::size_t most) {
  std::vector<Message> messages;
  std::string text;
  while (messages.size() < most && std::getline(from, text)) {
    ++line;
    if (!text.empty()) messages.push_back(message_of(text, line));
  }
  if (from.bad())
    throw UsageError{fmt::format("read line {}", line + 1), "reading failed", "check the source"};
  return messages;
}

void import_all(const CopyOptions& wanted, Context& context) {
  constexpr std::size_t kBatch = 1000;
  std::ifstream file;
  if (wanted.other != "-") {
    file.open(wanted.other);
    if (!file) {
      throw UsageError{"read " + visible(wanted.other), "it cannot be opened",
                       "name a file, or - for standard input"};
    }
    // A file is read to its end before anything is written, so that a bad line changes nothing.
    std::size_t line = 0;
    while (!read_some(file, line, kBatch).empty()) continue;
    file.clear();
    file.seekg(0);
  }
  std::istream& from = wanted.other == "-" ? std::cin : file;
  Outbox outbox = visit(wanted.file, wanted.prefix);
  std::uint64_t added = 0;
  std::size_t line = 0;
  try {
    for (;;) {
      const std::vector<Message> messages = read_some(from, line, kBatch);
      if (messages.empty()) break;
      Transaction transaction = outbox.begin();
      for (const Message& message : messages) transaction.enqueue(message);
      transaction.commit();
      added += messages.size();
    }
  } catch (const Error&) {
    context.out.print(
        fmt::format("it failed; {} before", counted(added, "message was added", "messages were added")));
    throw;
  }
  context.out.print(counted(added, "message was added", "messages were added"));
}

}  // namespace

void add_copies(CLI::App& app, Context& context) {
  const auto wanted = std::make_shared<CopyOptions>();
  const auto add = [&](const char* name, const char* what, const std::vector<std::string>& examples,
                       auto action) {
    CLI::App* command = add_command(app, name, what, examples);
    add_file(*command, wanted->file);
    command->callback([wanted, action, &context] { action(*wanted, context); });
    return command;
  };
  CLI::App* command = add("backup", "Copy the file as it is now, beside those who write",
                          {"satchel backup device.db /media/usb/device.db"}, back_up);
  command->add_option("TARGET", wanted->other, "The copy; there must be no such file")->required();
  add("salvage",
      "Save what can be read of a damaged file; the application must not run. The damaged one is kept",
      {"satchel salvage device.db"}, salvage);
  command = add(
      "export", "Write the messages that wait, one JSON object a line",
      {"satchel export device.db > messages.ndjson", "satchel export device.db --topic 'plant/#' | wc -l"},
      export_all);
  command->add_option("--topic", wanted->topics, "Only topics that match this MQTT filter");
  command = add("import", "Put messages into the outbox that export has written; they get new ids",
                {"satchel import device.db messages.ndjson", "satchel import device.db - < messages.ndjson"},
                import_all);
  command->add_option("SOURCE", wanted->other, "A file of JSON objects, one a line; -: standard input")
      ->required();
  command->add_option("--options-from", wanted->prefix,
                      "Prefix of the environment variables with the application's options");
}

}  // namespace satchel::cli
