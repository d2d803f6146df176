// SPDX-License-Identifier: MIT
#include "command.hpp"
#include "text.hpp"

#include <satchel/error.hpp>
#include <satchel/sqlite_defects.hpp>

#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

namespace satchel::cli {
namespace {

struct CheckOptions {
  std::string file;
  bool quick = false;
};

/// One line a finding, and below it what to do.
class Findings {
 public:
  explicit Findings(Context& context) : context_{context} {}

  void good(const std::string& what, const std::string& found) { line("ok", Look::good, what, found); }
  void warn(const std::string& what, const std::string& found, const std::string& action) {
    line("note", Look::warn, what, found);
    context_.out.print_whole({{"      " + action, Look::faint}});
  }
  void bad(const std::string& what, const std::string& found, const std::string& action) {
    line("BAD", Look::bad, what, found);
    context_.out.print_whole({{"      " + action, Look::faint}});
    context_.exit = kAttention;
  }

 private:
  void line(const std::string& mark, Look look, const std::string& what, const std::string& found) {
    context_.out.print_whole(
        {{fmt::format("{:<6}", mark), look}, {fmt::format("{:<12}", what), Look::head}, {found}});
  }

  Context& context_;
};

void check_permissions(Findings& findings, const FileReport& report) {
  constexpr unsigned kOthers = 077;
  for (const char* suffix : {"", "-wal", "-shm", "-relay"}) {
    struct stat status {};
    const std::string path = report.path + suffix;
    if (::stat(path.c_str(), &status) != 0) continue;
    const unsigned mode = status.st_mode & 07777U;
    if ((mode & kOthers) == 0) continue;
    return findings.warn("permissions", fmt::format("{} has mode {:04o}", path, mode),
                         fmt::format("payloads may be secret: chmod 600 {}*", report.path));
  }
  findings.good("permissions", "for the owner alone");
}

/// False when the rest cannot be looked at.
bool check_damage(Findings& findings, Inspector& file, const CheckOptions& wanted) {
  if (wanted.quick) {
    findings.good("structure", "not read (--quick)");
    return true;
  }
  const std::string damage = file.damage();
  if (damage.empty()) {
    findings.good("structure", "sound, read from end to end");
    return true;
  }
  findings.bad(
      "structure", visible(damage),
      fmt::format("stop the application, save a copy of {0}*, then satchel salvage {0}", wanted.file));
  return false;
}

void check_room(Findings& findings, const FileReport& report) {
  constexpr std::uint64_t kLittle = 4U << 20U;
  const std::string room = size_text(report.device_bytes) + " free on the file system";
  if (report.device_bytes >= kLittle) return findings.good("room", room);
  findings.bad("room", room, "make room: without it commits fail");
}

void check_defects(Findings& findings) {
  const std::vector<SqliteDefect> defects = sqlite_defects();
  if (defects.empty()) return findings.good("SQLite", "no known defect that concerns an outbox");
  for (const SqliteDefect& defect : defects) {
    std::string action = defect.measure;
    if (!defect.demand.empty()) action += "; " + defect.demand;
    findings.warn("SQLite", fmt::format("{}: {} (fixed in {})", defect.id, defect.problem, defect.fixed_in),
                  "satchel: " + action);
  }
}

/// Of this program alone: what the application has linked, its observer is told at open.
void check_copies(Findings& findings) {
  const std::vector<SqliteCopy> copies = sqlite_copies();
  const SqliteCopy& used = copies.front();
  const std::string found = fmt::format("{} in {}", used.version, visible(used.file));
  if (copies.size() == 1) return findings.good("SQLite", found);
  std::string others;
  for (std::size_t index = 1; index < copies.size(); ++index)
    others += fmt::format(", {} in {}", copies[index].version, visible(copies[index].file));
  findings.warn(
      "SQLite", fmt::format("{} copies in this program: {}{}", copies.size(), found, others),
      "two that have the file open lose its locks: run satchel without the libraries that bring them");
}

void check(const CheckOptions& wanted, Context& context) {
  Findings findings{context};
  // Opening has looked at the file system, the hard links, the rights and the version of the format: what is
  // wrong there is thrown, with what to do.
  Inspector file{wanted.file};
  if (!check_damage(findings, file, wanted)) return;
  const FileReport report = file.report();
  findings.good("file", report.path + ", on a file system that can hold it");
  findings.good("format",
                fmt::format("version {}, usable from {} on", report.schema, report.schema_compatible));
  if (report.identities == 0) {
    findings.bad("identity", "there is none",
                 "somebody has emptied satchel_identity; satchel identity renew");
  } else {
    findings.good("identity",
                  fmt::format("{}, {} in the file", identity_text(report.identity), report.identities));
  }
  check_permissions(findings, report);
  check_room(findings, report);
  check_copies(findings);
  check_defects(findings);
  if (report.relay.alive) {
    findings.good("relay",
                  report.relay.process > 0 ? fmt::format("process {}", report.relay.process) : "running");
  } else {
    findings.warn("relay", "none is running", "nothing is sent until the application runs");
  }
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  CLI::App* command = add_command(
      app, "check", "Look for what is wrong with the file: structure, format, identity, rights, room, SQLite",
      {"satchel check device.db", "satchel check device.db --quick"});
  const auto wanted = std::make_shared<CheckOptions>();
  add_file(*command, wanted->file);
  command->add_flag("--quick", wanted->quick, "Do not read the whole file");
  command->callback([wanted, &context] { check(*wanted, context); });
}

}  // namespace satchel::cli
