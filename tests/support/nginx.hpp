// SPDX-License-Identifier: MIT
#pragma once

#include "support/child.hpp"
#include "support/loopback.hpp"
#include "support/programs.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// What a started nginx serves, beside plain HTTP.
struct NginxTls {
  std::string certificate;
  std::string key;
  /// Asks for client certificates of this authority; empty: takes everybody.
  std::string client_ca{};
  bool http2 = false;
};

/// A real nginx on a free loopback port, with everything it writes in a directory of its own.
///
/// `/log/...` answers 204 and writes a line of JSON to the log (after the answer). `/keep/...` takes PUT and
/// keeps each body in a file named by the idempotency key (before the answer). `/count/...` answers 204, logs
/// and does not look at the body.
class Nginx {
 public:
  explicit Nginx(const std::vector<NginxTls>& tls = {}) {
    if (!is_installed()) throw std::runtime_error{"nginx is not installed"};
    std::string pattern = (std::filesystem::temp_directory_path() / "satchel-nginx-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    directory_ = pattern;
    std::filesystem::create_directories(directory_ / "kept");
    std::filesystem::create_directories(directory_ / "bodies");
    // nginx takes two servers on one port for one, without a word.
    tls_ports_ = free_ports(tls.size() + 1);
    port_ = tls_ports_.back();
    tls_ports_.pop_back();
    for (std::size_t index = 0; index < tls.size(); ++index)
      servers_ += tls_server(tls[index], tls_ports_[index]);
    write_configuration();
    start();
  }
  ~Nginx() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::uint16_t tls_port(std::size_t index = 0) const { return tls_ports_.at(index); }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::string tls_url(const std::string& path, std::size_t index = 0) const {
    return "https://localhost:" + std::to_string(tls_port(index)) + path;
  }

  static bool is_installed() { return !find_program("nginx").empty(); }

  /// Kill -9.
  void kill() { child_.reset(); }

  /// Starts it (again) on the same ports and waits until it listens.
  void start() {
    // A killed one leaves its socket behind, which the next one takes for a living server's.
    std::filesystem::remove(directory_ / "sink.sock");
    child_ = std::make_unique<Child>(std::vector<std::string>{
        find_program("nginx"), "-p", directory_.string(), "-c", (directory_ / "nginx.conf").string(), "-e",
        (directory_ / "error.log").string()});
    const bool listens = wait_until_accepting(port_, std::chrono::seconds{30}, [this] {
      siginfo_t ended{};
      waitid(P_PID, static_cast<id_t>(child_->pid()), &ended, WEXITED | WNOHANG | WNOWAIT);
      return ended.si_pid != 0;
    });
    if (!listens) throw std::runtime_error{"nginx does not listen: " + read(directory_ / "error.log")};
  }

  /// The complete lines of the log, once there are `count` of them; throws after a minute.
  std::vector<std::string> log(std::size_t count) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    for (;;) {
      std::vector<std::string> lines = log();
      if (lines.size() >= count) return lines;
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error{"only " + std::to_string(lines.size()) + " lines in nginx's log"};
      ::poll(nullptr, 0, 5);
    }
  }
  std::vector<std::string> log() const {
    std::vector<std::string> lines;
    std::ifstream file{directory_ / "access.log"};
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  /// Where `/keep/` keeps.
  std::filesystem::path kept() const { return directory_ / "kept"; }

 private:
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

  std::string locations() const {
    return "    location /log/ { proxy_pass http://unix:" + (directory_ / "sink.sock").string() +
           ":/; access_log access.log satchel; }\n"
           "    location /count/ { access_log access.log satchel; return 204; }\n"
           "    location /keep/ { root kept; rewrite ^ /$satchel_name break; dav_methods PUT; access_log "
           "access.log "
           "satchel; }\n"
           "    location /quiet/ { return 204; }\n"
           "    location / { return 404; }\n";
  }

  std::string tls_server(const NginxTls& tls, std::uint16_t port) const {
    std::string text = "  server {\n    listen 127.0.0.1:" + std::to_string(port) + " ssl" +
                       (tls.http2 ? " http2" : "") + ";\n    ssl_certificate " + tls.certificate +
                       ";\n    ssl_certificate_key " + tls.key + ";\n    ssl_protocols TLSv1.2 TLSv1.3;\n";
    if (!tls.client_ca.empty())
      text += "    ssl_client_certificate " + tls.client_ca + ";\n    ssl_verify_client on;\n";
    return text + locations() + "  }\n";
  }

  void write_configuration() const {
    std::ofstream file{directory_ / "nginx.conf"};
    file << "daemon off;\nmaster_process off;\npid nginx.pid;\nworker_rlimit_nofile 1024;\n"
            "events { worker_connections 256; }\n"
            "http {\n"
            "  access_log off;\n  keepalive_requests 1000000;\n  http2_max_concurrent_streams 128;\n"
            "  client_body_temp_path bodies;\n  proxy_temp_path bodies;\n  fastcgi_temp_path bodies;\n"
            "  uwsgi_temp_path bodies;\n  scgi_temp_path bodies;\n"
            "  client_body_buffer_size 4m;\n  client_body_in_single_buffer on;\n  client_max_body_size 4m;\n"
            "  map $http_idempotency_key $satchel_name { ~^\"(?<n>[0-9a-z-]+)\"$ $n; }\n"
            "  log_format satchel escape=json "
            "'{\"status\":\"$status\",\"protocol\":\"$server_protocol\",\"method\":\"$request_method\","
            "\"uri\":\"$request_uri\",\"idempotency_key\":\"$http_idempotency_key\",\"id\":\"$http_satchel_"
            "id\","
            "\"key\":\"$http_satchel_key\",\"content_type\":\"$http_content_type\",\"authorization\":"
            "\"$http_authorization\",\"client\":\"$ssl_client_s_dn\",\"body\":\"$request_body\"}';\n"
         << "  server { listen unix:" << (directory_ / "sink.sock").string() << "; return 204; }\n"
         << "  server {\n    listen 127.0.0.1:" << port_ << ";\n"
         << locations() << "  }\n"
         << servers_ << "}\n";
  }

  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  std::vector<std::uint16_t> tls_ports_;
  std::string servers_;
  std::unique_ptr<Child> child_;
};

}  // namespace support
