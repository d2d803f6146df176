// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "json.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <memory>

namespace satchel::cli {
namespace {

struct ListOptions {
  std::string file;
  MessageQuery query;
  bool json = false;
};

Span state_of(const PendingMessage& message) {
  if (!message.damage.empty()) return {"damaged", Look::bad};
  if (message.in_flight) return {"in flight", Look::good};
  if (message.delayed) return {"delayed", Look::faint};
  if (message.next_attempt) return {"retry in " + duration_text(*message.next_attempt), Look::warn};
  if (message.attempts > 0) return {"failed before", Look::warn};
  return {"waiting", Look::plain};
}

std::string trouble_of(const PendingMessage& message) {
  return visible(message.damage.empty() ? message.last_error : message.damage);
}

void list(const ListOptions& wanted, Context& context) {
  if (!wanted.query.topics.empty()) check_filter(wanted.query.topics);
  Inspector file{wanted.file};
  const std::vector<PendingMessage> messages = file.messages(wanted.query);
  if (wanted.json) {
    for (const PendingMessage& message : messages) context.out.write(to_json(message) + "\n");
    return;
  }
  Table table{{"ROW", "AGE", "TOPIC", "KEY", "BYTES", "TRIES", "STATE"}};
  table.gives_way(2);
  for (const PendingMessage& message : messages) {
    table.add({{std::to_string(message.id.row)},
               {message.age ? duration_text(*message.age) : "unknown"},
               {visible(message.message.topic)},
               {visible(message.message.key)},
               {std::to_string(message.message.payload.size())},
               {std::to_string(message.attempts)},
               state_of(message)},
              trouble_of(message));
  }
  if (!table.empty()) table.print(context.out);
  if (!context.out.is_terminal()) return;
  if (messages.empty()) context.out.print("no such message waits");
  if (messages.size() == wanted.query.limit) {
    context.out.print({{fmt::format("there may be more: --after {}", messages.back().id.row), Look::faint}});
  }
}

struct ShowOptions {
  std::string file;
  std::string id;
  bool json = false;
  bool payload = false;
};

[[noreturn]] void not_there(const std::string& id) {
  throw UsageError{"show " + visible(id), "no message with this id waits, and no dead letter has it",
                   "satchel list and satchel dead list name those that are there"};
}

void show(const ShowOptions& wanted, Context& context) {
  const IdText id = parse_id(wanted.id);
  Inspector file{wanted.file};
  if (const auto found = file.message(id.row); found && (!id.id || *id.id == found->id)) {
    if (wanted.payload) return context.out.write(found->message.payload);
    if (wanted.json) return context.out.write(to_json(*found) + "\n");
    print_field(context.out, "state", state_of(*found).text, state_of(*found).look);
    if (found->attempts > 0) print_field(context.out, "attempts", std::to_string(found->attempts));
    print_field(context.out, "first error", visible(found->first_error));
    print_field(context.out, "last error", trouble_of(*found), Look::warn);
    return print_message(context.out, found->id, found->message, found->created);
  }
  const auto dead = file.dead_letter(id.row);
  if (!dead || (id.id && *id.id != dead->id)) not_there(wanted.id);
  if (wanted.payload) return context.out.write(dead->message.payload);
  if (wanted.json) return context.out.write(to_json(*dead) + "\n");
  print_field(context.out, "state", fmt::format("dead letter ({})", to_string(dead->reason)), Look::bad);
  print_field(context.out, "died", time_text(dead->died));
  print_field(context.out, "attempts", std::to_string(dead->attempts));
  print_field(context.out, "first error", visible(dead->first_error));
  print_field(context.out, "last error", visible(dead->last_error), Look::warn);
  print_message(context.out, dead->id, dead->message, dead->created);
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
  CLI::App* command =
      add_command(app, "list", "List messages that wait, the oldest first",
                  {"satchel list device.db", "satchel list device.db --failed",
                   "satchel list device.db --topic 'plant/+/temperature' --limit 1000 --json"});
  const auto wanted = std::make_shared<ListOptions>();
  add_file(*command, wanted->file);
  command->add_option("--topic", wanted->query.topics, "Only topics that match this MQTT filter");
  command->add_option("--key", wanted->query.key, "Only messages of this key");
  command->add_flag("--failed", wanted->query.failed, "Only messages that have failed before");
  command->add_option("--limit", wanted->query.limit, "At most so many")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--after", wanted->query.after, "Only messages behind this row")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", wanted->json, "One JSON object a line");
  command->callback([wanted, &context] { list(*wanted, context); });
}

void add_show(CLI::App& app, Context& context) {
  CLI::App* command =
      add_command(app, "show", "Show one message or dead letter, with its payload and its history",
                  {"satchel show device.db 17", "satchel show device.db 17 --payload > payload.bin"});
  const auto wanted = std::make_shared<ShowOptions>();
  add_file(*command, wanted->file);
  command->add_option("ID", wanted->id, "A message id, or its row")->required();
  CLI::Option* json = command->add_flag("--json", wanted->json, "As a JSON object");
  command->add_flag("--payload", wanted->payload, "Only the payload, byte for byte")->excludes(json);
  command->callback([wanted, &context] { show(*wanted, context); });
}

}  // namespace satchel::cli
