// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "json.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <filesystem>
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
  const BackupReport copy = file.backup(wanted.other, [&](std::uint64_t done, std::uint64_t total) {
    const std::uint64_t percent = total == 0 ? 100 : done * 100 / total;
    if (context.out.is_terminal() && percent != shown) context.out.write(fmt::format("\r{} %", percent));
    shown = percent;
  });
  if (context.out.is_terminal()) context.out.write("\r\x1b[K");
  context.out.print(fmt::format("{}: {}, {}", visible(wanted.other),
                                counted(copy.pending, "message", "messages"),
                                counted(copy.dead, "dead letter", "dead letters")));
  context.out.print_whole({{fmt::format(
      "to put it back: stop the application, delete {0}-wal and {0}-shm, keep {0}-relay, copy it over {0}",
      visible(wanted.file))}});
}

void salvage(const CopyOptions& wanted, Context& context) {
  Options options;
  options.visiting = true;
  options.check_at_open = true;
  options.on_damage = OnDamage::salvage;
  const Outbox outbox{wanted.file, options};
  const std::optional<SalvageReport> report = outbox.salvaged();
  if (!report) return context.out.print("the file is sound: nothing was changed");
  context.out.print_whole({{visible(report->summary())}});
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

/// A message with the line of the input that says it.
struct Read {
  Message message;
  std::size_t line = 0;
};

/// Messages that are added in one transaction.
constexpr std::size_t kBatch = 1000;

/// The next messages, a batch at most; none at the end of the input.
std::vector<Read> read_batch(std::istream& from, std::size_t& line) {
  std::vector<Read> messages;
  std::string text;
  while (messages.size() < kBatch && std::getline(from, text)) {
    ++line;
    if (!text.empty()) messages.push_back({message_of(text, line), line});
  }
  if (from.bad())
    throw UsageError{fmt::format("read line {}", line + 1), "reading failed", "check the source"};
  return messages;
}

/// What has become of messages.
struct Imported {
  std::uint64_t added = 0;
  std::uint64_t dropped = 0;  ///< the quota was used up
};

Imported enqueue_all(Transaction& transaction, const std::vector<Read>& messages) {
  Imported imported;
  for (const auto& [message, line] : messages) {
    try {
      ++(transaction.enqueue(message).row == 0 ? imported.dropped : imported.added);
    } catch (const InvalidMessage& error) {
      throw InvalidMessage{fmt::format("read line {}", line), error.problem(), error.hint()};
    }
  }
  return imported;
}

/// Reads a file to its end and goes back to its beginning. What the outbox refuses is found by adding the
/// messages in transactions that are not committed.
void check_all(std::ifstream& file, Outbox& outbox) {
  std::size_t line = 0;
  for (;;) {
    const std::vector<Read> messages = read_batch(file, line);
    if (messages.empty()) break;
    Transaction transaction = outbox.begin();
    enqueue_all(transaction, messages);
  }
  file.clear();
  if (!file.seekg(0)) {
    throw UsageError{"read the source again", "it cannot be read from its beginning",
                     "name a file, or - for standard input"};
  }
}

void tell_dropped(const Imported& imported, Context& context) {
  if (imported.dropped == 0) return;
  context.out.print(fmt::format("{}: the quota is used up",
                                counted(imported.dropped, "message was dropped", "messages were dropped")));
  context.exit = kRefused;
}

void import_all(const CopyOptions& wanted, Context& context) {
  std::ifstream file;
  if (wanted.other != "-") {
    file.open(wanted.other);
    if (!file) {
      throw UsageError{"read " + visible(wanted.other), "it cannot be opened",
                       "name a file, or - for standard input"};
    }
  }
  std::istream& from = wanted.other == "-" ? std::cin : file;
  Outbox outbox = visit(wanted.file, wanted.prefix);
  Imported imported;
  std::size_t line = 0;
  try {
    // Before anything is written, so that a bad line changes nothing. A pipe can be read only once.
    if (wanted.other != "-" && std::filesystem::is_regular_file(wanted.other)) check_all(file, outbox);
    for (;;) {
      const std::vector<Read> messages = read_batch(from, line);
      if (messages.empty()) break;
      Transaction transaction = outbox.begin();
      const Imported batch = enqueue_all(transaction, messages);
      transaction.commit();
      imported.added += batch.added;
      imported.dropped += batch.dropped;
    }
  } catch (const Error&) {
    context.out.print(fmt::format("it failed; {} before",
                                  counted(imported.added, "message was added", "messages were added")));
    tell_dropped(imported, context);
    throw;
  }
  context.out.print(counted(imported.added, "message was added", "messages were added"));
  tell_dropped(imported, context);
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
  command
      ->add_option("SOURCE", wanted->other, "A file or pipe of JSON objects, one a line; -: standard input")
      ->required();
  command->add_option("--options-from", wanted->prefix,
                      "Prefix of the environment variables with the application's options");
}

}  // namespace satchel::cli
