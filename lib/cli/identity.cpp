// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "text.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>

#include <memory>

namespace satchel::cli {
namespace {

struct IdentityOptions {
  std::string file;
  bool yes = false;
};

void show(const IdentityOptions& wanted, Context& context) {
  Inspector file{wanted.file};
  const FileReport report = file.report();
  context.out.print(identity_text(report.identity));
  if (!context.out.is_terminal()) return;
  context.out.print(
      {{fmt::format("new messages get it, from row {} on; the file has {}", report.newest_row + 1,
                    counted(report.identities, "identity", "identities")),
        Look::faint}});
}

void renew(const IdentityOptions& wanted, Context& context) {
  if (!wanted.yes) {
    throw UsageError{"renew the identity", "receivers take what comes next for another device's messages",
                     "add --yes when this file is a copy that goes on beside its original"};
  }
  Outbox outbox = visit(wanted.file);
  context.out.print(identity_text(outbox.renew_identity()));
}

}  // namespace

void add_identity(CLI::App& app, Context& context) {
  CLI::App* group = add_command(app, "identity", "The identity that names this file's messages",
                                {"satchel identity show device.db", "satchel identity renew copy.db --yes"});
  group->require_subcommand(1);
  const auto wanted = std::make_shared<IdentityOptions>();
  CLI::App* command = add_command(*group, "show", "Print the identity that new messages get",
                                  {"satchel identity show device.db"});
  add_file(*command, wanted->file);
  command->callback([wanted, &context] { show(*wanted, context); });
  command = add_command(*group, "renew", "Begin a new identity, for a copy that goes on beside the original",
                        {"satchel identity renew copy.db --yes"});
  add_file(*command, wanted->file);
  command->add_flag("--yes", wanted->yes, "Really");
  command->callback([wanted, &context] { renew(*wanted, context); });
}

}  // namespace satchel::cli
