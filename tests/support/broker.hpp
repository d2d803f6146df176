// SPDX-License-Identifier: MIT
#pragma once

#include "support/child.hpp"
#include "support/loopback.hpp"
#include "support/programs.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace support {

/// How to set up a real broker.
struct BrokerSetup {
  struct Tls {
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    bool require_certificate = false;
    std::string version{};  ///< "tlsv1.2", "tlsv1.3"; empty: the broker's default
  };
  std::optional<Tls> tls{};
  /// Only this user may connect; empty: everybody.
  std::string username{};
  std::string password{};
  /// More lines for its configuration.
  std::vector<std::string> lines{};
};

/// A real mosquitto on a free loopback port, from construction to destruction, with its files in a folder of
/// its own.
class Broker {
 public:
  explicit Broker(BrokerSetup setup = {}) : setup_(std::move(setup)), program_(find_program("mosquitto")) {
    if (program_.empty()) throw std::runtime_error{"mosquitto is not installed"};
    std::string pattern = (std::filesystem::temp_directory_path() / "satchel-broker-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
    folder_ = pattern;
    write_users();
    // Another process may take the free port before the broker does: then it ends at once, and another port
    // is tried.
    for (int tries = 0; tries < 5; ++tries) {
      port_ = free_port();
      write_configuration();
      if (launch()) return;
    }
    std::filesystem::remove_all(folder_);
    throw std::runtime_error{"mosquitto does not start"};
  }
  ~Broker() {
    child_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  static bool is_installed() { return !find_program("mosquitto").empty(); }

  std::uint16_t port() const noexcept { return port_; }
  std::string folder() const { return folder_.string(); }

  /// Ends it without a good-bye.
  void kill() { child_->kill(); }
  /// Ends it in an orderly way.
  void terminate() {
    child_->signal(SIGTERM);
    child_->wait();
  }
  /// Starts it again on the same port.
  void restart() {
    if (!launch()) throw std::runtime_error{"mosquitto does not start again"};
  }
  /// Stops it in its tracks: connections stay open and nobody answers.
  void freeze() { child_->signal(SIGSTOP); }
  void thaw() { child_->signal(SIGCONT); }

 private:
  bool launch() {
    child_.reset();
    child_ = std::make_unique<Child>(
        std::vector<std::string>{program_, "-c", (folder_ / "mosquitto.conf").string()});
    return wait_until_accepting(port_, std::chrono::seconds{10}, [this] {
      siginfo_t ended{};
      waitid(P_PID, static_cast<id_t>(child_->pid()), &ended, WEXITED | WNOHANG | WNOWAIT);
      return ended.si_pid != 0;
    });
  }

  void write_users() {
    if (setup_.username.empty()) return;
    const std::string file = (folder_ / "users").string();
    std::ofstream{file} << setup_.username << ':' << setup_.password << '\n';
    ::chmod(file.c_str(), 0600);
    // Replaces the clear text by its hash.
    Child hashing{{find_program("mosquitto_passwd"), "-U", file}};
    if (hashing.wait() != 0) throw std::runtime_error{"mosquitto_passwd failed"};
  }

  void write_configuration() {
    std::ofstream file{folder_ / "mosquitto.conf"};
    file << "listener " << port_ << " 127.0.0.1\n"
         << "persistence false\n"
         << "max_queued_messages 0\n"
         << "max_inflight_messages 0\n"
         << "log_dest none\n"
         << "allow_anonymous " << (setup_.username.empty() ? "true" : "false") << '\n';
    if (::geteuid() == 0) file << "user root\n";
    if (!setup_.username.empty()) file << "password_file " << (folder_ / "users").string() << '\n';
    if (setup_.tls) {
      file << "cafile " << setup_.tls->ca_file << "\ncertfile " << setup_.tls->certificate_file
           << "\nkeyfile " << setup_.tls->key_file << '\n';
      if (setup_.tls->require_certificate) file << "require_certificate true\n";
      if (!setup_.tls->version.empty()) file << "tls_version " << setup_.tls->version << '\n';
    }
    for (const std::string& line : setup_.lines) file << line << '\n';
  }

  // constant after construction
  const BrokerSetup setup_;
  const std::string program_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  // changes with each start
  std::unique_ptr<Child> child_;
};

}  // namespace support
