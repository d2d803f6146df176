// SPDX-License-Identifier: MIT
#include "command.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <array>

namespace satchel::cli {

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::vector<std::string>& examples) {
  CLI::App* command = app.add_subcommand(name, what);
  std::string footer = "Examples:";
  for (const std::string& example : examples) footer += "\n  " + example;
  command->footer(footer);
  return command;
}

void add_file(CLI::App& command, std::string& file) {
  command.add_option("FILE", file, "The application's database file")->required();
}

Options visiting_options(const std::string& prefix) {
  Options options = prefix.empty() ? Options{} : Options::from_environment(prefix);
  options.visiting = true;
  options.on_damage = OnDamage::refuse;
  return options;
}

Outbox visit(const std::string& file, const std::string& prefix) {
  // Says what is wrong with the file before anything is made beside it.
  static_cast<void>(Inspector{file});
  return Outbox{file, visiting_options(prefix)};
}

void print_field(const Terminal& out, const std::string& name, const std::string& value, Look look) {
  if (!value.empty()) out.print({{fmt::format("{:<13}", name), Look::faint}, {value, look}});
}

namespace {

std::string hex(std::string_view bytes) {
  constexpr std::size_t kMost = 256;
  constexpr std::size_t kLine = 16;
  std::string text;
  for (std::size_t at = 0; at < std::min(bytes.size(), kMost); at += kLine) {
    text += fmt::format("  {:04x} ", at);
    const std::string_view part = bytes.substr(at, kLine);
    for (const char byte : part) text += fmt::format(" {:02x}", static_cast<unsigned char>(byte));
    text.append(3 * (kLine - part.size()) + 2, ' ');
    for (const char byte : part) text += byte >= 0x20 && byte < 0x7f ? byte : '.';
    text += '\n';
  }
  if (bytes.size() > kMost) text += fmt::format("  ... {} more bytes\n", bytes.size() - kMost);
  return text;
}

}  // namespace

void print_message(const Terminal& out, const MessageId& id, const Message& message,
                   const std::optional<WallTime>& created) {
  constexpr std::array<const char*, 3> kPriorities{"", "urgent", "bulk"};
  print_field(out, "id", id.to_string(), Look::head);
  print_field(out, "topic", visible(message.topic));
  print_field(out, "key", visible(message.key));
  print_field(out, "content type", visible(message.content_type));
  for (const Header& header : message.headers)
    print_field(out, "header", visible(header.name) + ": " + visible(header.value));
  if (message.priority)
    print_field(out, "priority", kPriorities.at(static_cast<std::size_t>(*message.priority)));
  print_field(out, "created", time_text(created));
  if (message.expires_after) print_field(out, "expires after", duration_text(*message.expires_after));
  const bool text = printable(message.payload);
  print_field(out, "payload",
              fmt::format("{}{}", counted(message.payload.size(), "byte", "bytes"),
                          text ? "" : ", not text: --payload writes it as it is"));
  if (message.payload.empty()) return;
  out.write(text ? message.payload + (message.payload.back() == '\n' ? "" : "\n") : hex(message.payload));
}

}  // namespace satchel::cli
