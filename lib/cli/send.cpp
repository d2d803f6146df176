// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>

namespace satchel::cli {
namespace {

struct SendOptions {
  std::string file;
  std::string topic;
  std::string payload;
  std::string payload_file;
  std::string key;
  std::string content_type;
  std::vector<std::string> headers;
  std::string expires_after;
  std::string not_before;
  std::string priority;
  bool coalesce = false;
  bool create = false;
  std::string prefix;
};

const std::map<std::string, Priority> kPriorities{
    {"urgent", Priority::urgent}, {"normal", Priority::normal}, {"bulk", Priority::bulk}};

std::string read_all(const std::string& name) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file)
      throw UsageError{"read " + visible(name), "it cannot be opened",
                       "name a file, or - for standard input"};
  }
  std::istream& from = name == "-" ? std::cin : file;
  std::string all{std::istreambuf_iterator<char>{from}, std::istreambuf_iterator<char>{}};
  if (from.bad()) throw UsageError{"read " + visible(name), "reading failed", "check the file"};
  return all;
}

Message message_of(const SendOptions& wanted) {
  Message message;
  message.topic = wanted.topic;
  message.payload = wanted.payload_file.empty() ? wanted.payload : read_all(wanted.payload_file);
  message.key = wanted.key;
  message.content_type = wanted.content_type;
  for (const std::string& header : wanted.headers) {
    const std::size_t equals = header.find('=');
    if (equals == std::string::npos)
      throw UsageError{"read --header", fmt::format("'{}' has no =", visible(header)), "--header name=value"};
    message.headers.push_back({header.substr(0, equals), header.substr(equals + 1)});
  }
  if (!wanted.expires_after.empty())
    message.expires_after = parse_duration("--expires-after", wanted.expires_after);
  if (!wanted.not_before.empty()) message.not_before = parse_duration("--not-before", wanted.not_before);
  if (!wanted.priority.empty()) message.priority = kPriorities.at(wanted.priority);
  if (wanted.coalesce) message.coalesce = true;
  return message;
}

bool holds_outbox(const std::string& file) {
  try {
    static_cast<void>(Inspector{file});
    return true;
  } catch (const OpenError& error) {
    // With a code it cannot be read.
    if (error.code() != 0) throw;
    return false;
  }
}

Outbox open(const SendOptions& wanted) {
  // An outbox that is there has an owner, whose options are not known here.
  if (!wanted.create || holds_outbox(wanted.file)) return visit(wanted.file, wanted.prefix);
  Options options = wanted.prefix.empty() ? Options{} : Options::from_environment(wanted.prefix);
  options.on_damage = OnDamage::refuse;
  return Outbox{wanted.file, options};
}

void send(const SendOptions& wanted, Context& context) {
  const Message message = message_of(wanted);
  Outbox outbox = open(wanted);
  const MessageId id = outbox.enqueue(message);
  context.out.write((id.row == 0 ? std::string{"dropped: the quota is used up"} : id.to_string()) + "\n");
  if (id.row == 0) context.exit = kRefused;
}

}  // namespace

void add_send(CLI::App& app, Context& context) {
  CLI::App* command =
      add_command(app, "send", "Put a message into the outbox; its relay sends it. Prints the message id",
                  {"satchel send device.db plant/boiler/command off",
                   "satchel send device.db plant/log --payload-file log.bin --priority bulk",
                   "echo '{\"on\":true}' | satchel send device.db plant/lamp --payload-file - --content-type "
                   "application/json"});
  const auto wanted = std::make_shared<SendOptions>();
  add_file(*command, wanted->file);
  command->add_option("TOPIC", wanted->topic, "Where it goes")->required();
  CLI::Option* payload = command->add_option("PAYLOAD", wanted->payload, "What it says; without it, nothing");
  command
      ->add_option("--payload-file", wanted->payload_file, "Reads the payload from a file; -: standard input")
      ->excludes(payload);
  command->add_option("--key", wanted->key, "Messages of one key keep their order");
  command->add_option("--content-type", wanted->content_type, "Media type of the payload");
  command->add_option("--header", wanted->headers, "name=value; may be given more than once")
      ->expected(1)
      ->take_all();
  command->add_option("--expires-after", wanted->expires_after,
                      "Drop it when it could not be delivered in this time: 10m");
  command->add_option("--not-before", wanted->not_before, "Do not send it before this time has passed: 30s");
  command->add_option("--priority", wanted->priority, "Which go first")
      ->check(CLI::IsMember({"urgent", "normal", "bulk"}));
  command->add_flag("--coalesce", wanted->coalesce,
                    "It takes the place of those of its key and topic that wait");
  command->add_flag("--create", wanted->create, "Make the file when there is none");
  command->add_option("--options-from", wanted->prefix,
                      "Prefix of the environment variables with the application's options");
  command->callback([wanted, &context] { send(*wanted, context); });
}

}  // namespace satchel::cli
