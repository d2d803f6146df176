// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "json.hpp"
#include "text.hpp"

#include <satchel/error.hpp>
#include <satchel/topic_rule.hpp>

#include <fmt/format.h>

#include <functional>
#include <memory>

namespace satchel::cli {
namespace {

/// Read at once.
constexpr std::size_t kSlice = 500;

struct DeadOptions {
  std::string file;
  std::vector<std::string> ids;
  std::string topics;
  std::size_t limit = 100;
  std::int64_t after = 0;
  bool all = false;
  bool yes = false;
  bool json = false;
  std::string prefix;
};

void for_each(Inspector& file, const DeadOptions& wanted,
              const std::function<bool(const DeadLetter&)>& take) {
  if (!wanted.topics.empty()) check_filter(wanted.topics);
  std::int64_t after = wanted.after;
  for (;;) {
    const std::vector<DeadLetter> slice = file.dead_letters(kSlice, after);
    for (const DeadLetter& dead : slice) {
      after = dead.id.row;
      if (!wanted.topics.empty() && !topic_matches(wanted.topics, dead.message.topic)) continue;
      if (!take(dead)) return;
    }
    if (slice.size() < kSlice) return;
  }
}

void list(const DeadOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  Table table{{"ROW", "DIED", "REASON", "TRIES", "TOPIC", "KEY"}};
  table.gives_way(4);
  std::size_t count = 0;
  for_each(file, wanted, [&](const DeadLetter& dead) {
    if (count == wanted.limit) return false;
    ++count;
    if (wanted.json) {
      context.out.write(to_json(dead) + "\n");
      return true;
    }
    std::vector<Span> cells{{std::to_string(dead.id.row)},         {time_text(dead.died)},
                            {std::string{to_string(dead.reason)}}, {std::to_string(dead.attempts)},
                            {visible(dead.message.topic)},         {visible(dead.message.key)}};
    if (!context.out.is_terminal()) cells.push_back({visible(dead.last_error)});
    table.add(std::move(cells), visible(dead.last_error));
    return true;
  });
  if (!table.empty()) table.print(context.out);
  if (count == 0 && context.out.is_terminal()) context.out.print("no such dead letter");
}

void export_all(const DeadOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  for_each(file, wanted, [&](const DeadLetter& dead) {
    context.out.write(to_json(dead) + "\n");
    return true;
  });
}

/// The ids that are meant; those that do not exist are told and left out.
std::vector<MessageId> chosen(const DeadOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  std::vector<MessageId> found;
  for (const std::string& text : wanted.ids) {
    const IdText id = parse_id(text);
    const std::optional<DeadLetter> dead = file.dead_letter(id.row);
    if (dead && (!id.id || *id.id == dead->id)) {
      found.push_back(dead->id);
    } else {
      context.out.print(fmt::format("no dead letter {}", visible(text)));
      context.exit = kAttention;
    }
  }
  if (wanted.ids.empty()) {
    for_each(file, wanted, [&](const DeadLetter& dead) {
      found.push_back(dead.id);
      return true;
    });
  }
  return found;
}

void need_choice(const DeadOptions& wanted) {
  const int ways = (wanted.ids.empty() ? 0 : 1) + (wanted.topics.empty() ? 0 : 1) + (wanted.all ? 1 : 0);
  if (ways == 1) return;
  throw UsageError{"choose dead letters", ways == 0 ? "none is named" : "they are named in more than one way",
                   "give ids, or --topic FILTER, or --all"};
}

void replay(const DeadOptions& wanted, Context& context) {
  need_choice(wanted);
  Outbox outbox = visit(wanted.file);
  std::uint64_t replayed = 0;
  if (wanted.all) {
    replayed = outbox.replay_all();
  } else {
    for (const MessageId& id : chosen(wanted, context)) replayed += outbox.replay(id) ? 1U : 0U;
  }
  context.out.print(counted(replayed, "message waits again", "messages wait again"));
}

void discard(const DeadOptions& wanted, Context& context) {
  need_choice(wanted);
  if (wanted.ids.empty() && !wanted.yes) {
    throw UsageError{"discard", "this deletes dead letters for good, and they are not named one by one",
                     fmt::format("save them with `satchel dead export {}`, then add --yes", wanted.file)};
  }
  Outbox outbox = visit(wanted.file, wanted.prefix);
  std::uint64_t discarded = 0;
  for (const MessageId& id : chosen(wanted, context)) discarded += outbox.discard(id) ? 1U : 0U;
  context.out.print(counted(discarded, "dead letter is gone", "dead letters are gone"));
}

void show(const DeadOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  bool first = true;
  for (const std::string& text : wanted.ids) {
    const IdText id = parse_id(text);
    const std::optional<DeadLetter> dead = file.dead_letter(id.row);
    if (!dead || (id.id && *id.id != dead->id)) {
      throw UsageError{"show " + visible(text), "no dead letter has this id",
                       "satchel dead list names those that are there"};
    }
    if (wanted.json) {
      context.out.write(to_json(*dead) + "\n");
      continue;
    }
    if (!std::exchange(first, false)) context.out.print("");
    print_field(context.out, "reason", std::string{to_string(dead->reason)}, Look::bad);
    print_field(context.out, "died", time_text(dead->died));
    print_field(context.out, "attempts", std::to_string(dead->attempts));
    print_field(context.out, "first error", visible(dead->first_error));
    print_field(context.out, "last error", visible(dead->last_error), Look::warn);
    print_message(context.out, dead->id, dead->message, dead->created);
  }
}

using Action = void (*)(const DeadOptions&, Context&);

CLI::App* add_action(CLI::App& parent, Context& context, const std::shared_ptr<DeadOptions>& wanted,
                     const std::string& name, const std::string& what,
                     const std::vector<std::string>& examples, Action action) {
  CLI::App* command = add_command(parent, name, what, examples);
  add_file(*command, wanted->file);
  command->callback([wanted, action, &context] { action(*wanted, context); });
  return command;
}

void add_choice(CLI::App& command, DeadOptions& wanted) {
  command.add_option("ID", wanted.ids, "Message ids, or their rows");
  command.add_option("--topic", wanted.topics, "Those whose topic matches this MQTT filter");
  command.add_flag("--all", wanted.all, "All of them");
}

}  // namespace

void add_dead(CLI::App& app, Context& context) {
  CLI::App* group = add_command(app, "dead", "Dead letters: messages that were given up",
                                {"satchel dead list device.db", "satchel dead replay device.db --all"});
  group->require_subcommand(1);
  const auto wanted = std::make_shared<DeadOptions>();
  CLI::App* command =
      add_action(*group, context, wanted, "list", "List them, the oldest first",
                 {"satchel dead list device.db", "satchel dead list device.db --topic 'plant/#'"}, list);
  command->add_option("--topic", wanted->topics, "Only topics that match this MQTT filter");
  command->add_option("--limit", wanted->limit, "At most so many")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--after", wanted->after, "Only those behind this row")->check(CLI::NonNegativeNumber);
  command->add_flag("--json", wanted->json, "One JSON object a line");
  command = add_action(*group, context, wanted, "show", "Show dead letters with their history and payload",
                       {"satchel dead show device.db 17"}, show);
  command->add_option("ID", wanted->ids, "Message ids, or their rows")->required();
  command->add_flag("--json", wanted->json, "One JSON object a line");
  command =
      add_action(*group, context, wanted, "replay", "Make them messages that wait, with their old ids",
                 {"satchel dead replay device.db 17 23", "satchel dead replay device.db --all"}, replay);
  add_choice(*command, *wanted);
  command = add_action(
      *group, context, wanted, "discard", "Delete them for good",
      {"satchel dead discard device.db 17", "satchel dead discard device.db --topic 'test/#' --yes",
       "satchel dead discard device.db 17 --options-from SATCHEL_"},
      discard);
  add_choice(*command, *wanted);
  command->add_flag("--yes", wanted->yes, "Really, though they are not named one by one");
  command->add_option("--options-from", wanted->prefix,
                      "Prefix of the environment variables with the application's options; without it "
                      "nothing is announced to the receiver");
  command = add_action(*group, context, wanted, "export", "Write all of them, one JSON object a line",
                       {"satchel dead export device.db > dead.ndjson"}, export_all);
  command->add_option("--topic", wanted->topics, "Only topics that match this MQTT filter");
}

}  // namespace satchel::cli
