// SPDX-License-Identifier: MIT
#pragma once

#include "exit.hpp"
#include "terminal.hpp"

#include <satchel/inspect.hpp>
#include <satchel/outbox.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>
#include <vector>

namespace satchel::cli {

/// What all commands share. `exit` is what the program ends with.
struct Context {
  Terminal out{};
  int exit = kDone;
};

/// Each adds its command to the program.
void add_status(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_send(CLI::App& app, Context& context);
void add_relay(CLI::App& app, Context& context);
void add_dead(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_identity(CLI::App& app, Context& context);
void add_copies(CLI::App& app, Context& context);
void add_watch(CLI::App& app, Context& context);

/// A command on one file, with examples below its help.
CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::vector<std::string>& examples);
/// The file, which every command on one takes first.
void add_file(CLI::App& command, std::string& file);

/// Opens the file to change it, as a visitor: it has to hold an outbox already. A damaged one is left alone.
/// `prefix`: environment variables with it say what options the application has; empty: none.
Outbox visit(const std::string& file, const std::string& prefix = {});
/// The options of such an opening.
Options visiting_options(const std::string& prefix);

/// The whole of a message, for people.
void print_message(const Terminal& out, const MessageId& id, const Message& message,
                   const std::optional<WallTime>& created);
/// `name   value`; nothing when there is no value.
void print_field(const Terminal& out, const std::string& name, const std::string& value,
                 Look look = Look::plain);

}  // namespace satchel::cli
