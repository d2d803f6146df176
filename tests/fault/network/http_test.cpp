// SPDX-License-Identifier: MIT
//
// Sessions with a real HTTP server over a link that fails at every byte.
#include "claiming_sink.hpp"
#include "sweep.hpp"

#include "support/certificates.hpp"
#include "support/nginx.hpp"

#include <doctest/doctest.h>

using namespace network;
using satchel::HttpOptions;
using satchel::HttpSink;
using support::Nginx;

namespace {

std::string field(const std::string& line, const std::string& name) {
  const std::string mark = "\"" + name + "\":\"";
  const std::size_t begin = line.find(mark);
  if (begin == std::string::npos) return {};
  return line.substr(begin + mark.size(), line.find('"', begin + mark.size()) - begin - mark.size());
}

/// What the server took, in the order in which it did, from line `first` of its log on. A session over
/// `clean` marks the end.
std::vector<Arrival> arrivals(const Nginx& nginx, const Target& clean, std::size_t first,
                              std::size_t& invented) {
  const std::size_t last = 99'999'999;
  Lane{clean, 99}.run(last, {});
  std::vector<Arrival> found;
  for (std::size_t wanted = first + kMessages;; ++wanted) {
    const std::vector<std::string> lines = nginx.log(wanted);
    found.clear();
    invented = 0;
    std::size_t marks = 0;
    for (std::size_t i = first; i < lines.size(); ++i) {
      // Anything else is a request that broke off, and which the server has refused or given up.
      if (field(lines[i], "status") != "204") continue;
      const auto arrival = parse_arrival(field(lines[i], "body"));
      if (!arrival)
        ++invented;
      else if (arrival->session == last)
        ++marks;
      else
        found.push_back(*arrival);
    }
    if (marks >= kMessages) return found;
    wanted = lines.size();
  }
}

Target target_of(const std::string& name, std::uint16_t port, HttpOptions options) {
  const bool tls = !options.tls.ca_file.empty();
  options.parallel = 1;
  options.connect_timeout = kPatience;
  options.request_timeout = kPatience;
  Target target;
  target.name = name;
  target.port = port;
  // HTTP/1.1 has one request under way on a connection.
  target.per_loss = 1;
  target.sink = [options, tls](std::uint16_t proxy, std::size_t) {
    HttpOptions own = options;
    own.url = (tls ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(proxy) + "/log/f";
    return std::make_unique<HttpSink>(own);
  };
  return target;
}

Findings sweep(const Target& target, const Nginx& nginx, std::size_t every, const std::vector<Harm>& harms,
               const std::vector<Way>& ways, const std::string& done, const Target* clean = nullptr) {
  const auto faults = faults_for(size_of(target), harms, ways, every);
  const std::size_t first = nginx.log(kMessages).size();
  const std::vector<Session> sessions = run_sessions(target, faults);
  std::size_t invented = 0;
  const auto arrived = arrivals(nginx, clean != nullptr ? *clean : target, first, invented);
  const Findings found = judge(target, sessions, arrived, invented);
  report("network", done, found, every);
  return found;
}

}  // namespace

TEST_CASE("network: an HTTP session survives a fault of the link at every byte, in both ways") {
  Nginx nginx;
  HttpOptions options;
  options.version = satchel::HttpVersion::v1;
  const Target target = target_of("HTTP/1.1", nginx.port(), options);
  demand_all(sweep(target, nginx, stride(11), without_duplicate(), kBoth, "HTTP/1.1 session"));
  demand_all(sweep(target, nginx, stride(11), {Harm::duplicate}, {Way::down},
                   "HTTP/1.1 session, bytes that come twice at the device"));
}

TEST_CASE("network: bytes that come twice over a plain HTTP link end in receipts all the same") {
  // A request with bytes too many is another request: the server takes it, or refuses it for good. Only TLS
  // can help. But the session goes on.
  Nginx nginx;
  HttpOptions options;
  options.version = satchel::HttpVersion::v1;
  const Target target = target_of("HTTP/1.1 twice", nginx.port(), options);
  const std::size_t every = stride(11);
  const auto faults = faults_for(size_of(target), {Harm::duplicate}, {Way::up}, every);
  const Findings found = judge_senders(target, run_sessions(target, faults));
  CHECK(found.unsettled == 0);
  CHECK(found.hung == 0);
  report_senders("network", "HTTP/1.1 session, bytes that come twice at the server: receipts only", found,
                 every);
}

TEST_CASE("network: an HTTP session in TLS survives a fault of the link, in both ways") {
  support::Certificates certificates;
  const support::CertificateFiles server = certificates.server();
  for (const bool http2 : {false, true}) {
    Nginx nginx{{{server.certificate, server.key, "", http2}}};
    HttpOptions options;
    options.version = http2 ? satchel::HttpVersion::v2 : satchel::HttpVersion::v1;
    options.tls.ca_file = certificates.ca_file();
    const std::string name = http2 ? "HTTP/2 in TLS" : "HTTP/1.1 in TLS";
    const Target target = target_of(name, nginx.tls_port(), options);
    demand_all(sweep(target, nginx, tls_stride(11), kHarms, kBoth, name + ", session"));
  }
}

TEST_CASE("network: the sweep sees the loss when a sink takes a written request for an answered one") {
  Nginx nginx;
  const Target clean = target_of("clean", nginx.port(), {});
  Target target = clean;
  target.name = "control";
  target.sink = [](std::uint16_t proxy, std::size_t) { return std::make_unique<ClaimingSink>(proxy); };
  const Findings found = sweep(target, nginx, 11, {Harm::cut, Harm::stall}, {Way::up},
                               "control that must lose: nobody waits for the answer", &clean);
  CHECK(found.lost > 0);
  CHECK(found.invented == 0);
}
