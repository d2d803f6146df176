// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "text.hpp"

#include <fmt/core.h>

#include <memory>

namespace satchel::cli {
namespace {

struct IdentityOptions {
  std::string file;
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

}  // namespace

void add_identity(CLI::App& app, Context& context) {
  CLI::App* group = add_command(app, "identity", "The identity that names this file's messages",
                                {"satchel identity show device.db"});
  group->require_subcommand(1);
  const auto wanted = std::make_shared<IdentityOptions>();
  CLI::App* command = add_command(*group, "show", "Print the identity that new messages get",
                                  {"satchel identity show device.db"});
  add_file(*command, wanted->file);
  command->callback([wanted, &context] { show(*wanted, context); });
}

}  // namespace satchel::cli
