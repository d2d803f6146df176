// SPDX-License-Identifier: MIT
//
// satchel: the operator's tool.
#include "command.hpp"
#include "text.hpp"

#include <satchel/error.hpp>
#include <satchel/features.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

namespace satchel::cli {
namespace {

/// Help with the commands' examples as they were written: CLI11 would make paragraphs of them.
class Help : public CLI::Formatter {
 public:
  Help() { column_width(kColumn); }

 private:
  static constexpr std::size_t kColumn = 26;
};

constexpr const char* kFooter =
    "satchel COMMAND --help says more, with examples.\n\n"
    "Exit status: 0 all is well; 1 something needs somebody; 2 wrong usage; 3 the file cannot be used;\n"
    "4 reading or writing failed; 5 the message was refused.\n\n"
    "Secrets never belong on a command line: a sink's URL names files or environment variables that hold "
    "them.";

int code_for(const Error& error) {
  if (dynamic_cast<const OpenError*>(&error) != nullptr) return kFile;
  if (dynamic_cast<const InvalidMessage*>(&error) != nullptr) return kRefused;
  if (dynamic_cast<const QuotaExceeded*>(&error) != nullptr) return kRefused;
  if (dynamic_cast<const StorageError*>(&error) != nullptr) return kStorage;
  return kUsage;
}

int fail(const std::string& text, int code) {
  fmt::print(stderr, "satchel: {}\n", text);
  return code;
}

int run(int argc, char** argv) {
  Context context;
  CLI::App app{"satchel looks into the outbox of a device: what waits, what is stuck and why, and mends it.",
               "satchel"};
  app.formatter(std::make_shared<Help>());
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string{"satchel "} + SATCHEL_VERSION);
  app.set_help_flag("-h,--help", "Print this and end");
  for (const auto add : {add_status, add_watch, add_list, add_show, add_send, add_relay, add_dead, add_check,
                         add_identity, add_copies})
    add(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(visible(error.what()) + "\n  satchel --help, or satchel COMMAND --help, says how", kUsage);
  }
  return context.exit;
}

}  // namespace
}  // namespace satchel::cli

int main(int argc, char** argv) {
  using namespace satchel;
  // A reader that has seen enough, like head, is no failure of ours, and no reason to leave locks to chance.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return cli::run(argc, argv);
  } catch (const Error& error) {
    if (error.code() == EPIPE && error.operation() == "write the output") return cli::kDone;
    return cli::fail(fmt::format("{}: {}\n  {}", cli::visible(error.operation()),
                                 cli::visible(error.problem()), cli::visible(error.hint())),
                     cli::code_for(error));
  } catch (const std::exception& error) {
    return cli::fail(cli::visible(error.what()), cli::kStorage);
  }
}
