// SPDX-License-Identifier: MIT
#include <satchel/error.hpp>
#include <satchel/http.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

using namespace satchel;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

HttpOptions sound() {
  HttpOptions options;
  options.url = "https://host.example/base/{topic}";
  return options;
}

void refuse(const std::function<void(HttpOptions&)>& change, const std::string& told) {
  HttpOptions options = sound();
  change(options);
  try {
    const HttpSink sink{options};
    FAIL_CHECK("taken: " << told);
  } catch (const InvalidOption& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(text.find(told) != std::string::npos);
    CHECK(text.find("s3cret") == std::string::npos);
  }
}

void take(const std::function<void(HttpOptions&)>& change) {
  HttpOptions options = sound();
  change(options);
  CHECK_NOTHROW(HttpSink{options});
}

HttpSink from(const std::string& url) { return HttpSink::from_url(SinkUrl::parse(url)); }

void refuse_url(const std::string& url, const std::string& told) {
  try {
    const HttpSink sink = from(url);
    FAIL_CHECK("taken: " << url);
  } catch (const InvalidOption& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(text.find(told) != std::string::npos);
  }
}

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

}  // namespace

TEST_CASE("http options: numbers are taken at their limits and refused beyond") {
  take([](auto& o) { o.parallel = 1; });
  take([](auto& o) { o.parallel = 256; });
  refuse([](auto& o) { o.parallel = 0; }, "parallel is 0");
  refuse([](auto& o) { o.parallel = 257; }, "parallel is 257");
  take([](auto& o) { o.batch.max_count = 10'000; });
  refuse([](auto& o) { o.batch.max_count = 0; }, "batch.max_count");
  refuse([](auto& o) { o.batch.max_count = 10'001; }, "batch.max_count");
  refuse([](auto& o) { o.batch.max_bytes = 1023; }, "batch.max_bytes");
  refuse([](auto& o) { o.batch.max_bytes = (64U << 20U) + 1; }, "batch.max_bytes");
  refuse([](auto& o) { o.batch.linger = milliseconds{-1}; }, "batch.linger");
  refuse([](auto& o) { o.batch.linger = hours{1} + milliseconds{1}; }, "batch.linger");
  refuse([](auto& o) { o.gzip_min_bytes = 0; }, "gzip_min_bytes");
  take([](auto& o) { o.connect_timeout = milliseconds{10}; });
  refuse([](auto& o) { o.connect_timeout = milliseconds{9}; }, "connect_timeout");
  refuse([](auto& o) { o.request_timeout = hours{1} + milliseconds{1}; }, "request_timeout");
  refuse([](auto& o) { o.idle_connection = seconds{0}; }, "idle_connection");
  refuse([](auto& o) { o.connection_lifetime = hours{25}; }, "connection_lifetime");
  take([](auto& o) { o.max_retry_after = milliseconds{0}; });
  refuse([](auto& o) { o.max_retry_after = hours{24 * 31}; }, "max_retry_after");
  take([](auto& o) { o.max_response_bytes = 0; });
  refuse([](auto& o) { o.max_response_bytes = (64U << 20U) + 1; }, "max_response_bytes");
  refuse([](auto& o) { o.max_response_header_bytes = 1023; }, "max_response_header_bytes");
}

TEST_CASE("http options: a sink lingers where requests carry several messages") {
  HttpOptions options = sound();
  options.batch.linger = seconds{7};
  CHECK(HttpSink{options}.linger() == milliseconds{0});
  options.body = HttpBody::ndjson;
  CHECK(HttpSink{options}.linger() == seconds{7});
  options.batch.max_count = 1;
  CHECK(HttpSink{options}.linger() == milliseconds{0});
}

TEST_CASE(
    "http options: the URL is http or https, without a user, with at most one {topic}, not in the host") {
  const auto url = [](std::string text) {
    return [text = std::move(text)](HttpOptions& o) { o.url = text; };
  };
  take(url("http://localhost:8080"));
  take(url("https://[::1]:8443/a%20b?x=1&topic={topic}"));
  for (const char* bad : {"",
                          "ftp://host/",
                          "file:///etc/passwd",
                          "mqtt://host",
                          "//host/",
                          "https://",
                          "https:///x",
                          "host/path",
                          "https://host/a b",
                          "https://host/\r\nX: y",
                          "https://hst\xc3\xa4/",
                          "https://user@host/",
                          "https://u:s3cret@host/",
                          "https://host/#part",
                          "https://{topic}/",
                          "https://a.{topic}.b/",
                          "https://host/{topic}/{topic}",
                          "https://host/{id}",
                          "https://host/}{",
                          "https://host:99999/"}) {
    CAPTURE(std::string{bad});
    refuse(url(bad), "HttpSink");
  }
}

TEST_CASE("http options: what libcurl refuses is said when the sink is made, and by name") {
  HttpOptions options = sound();
  // Longer than any text that libcurl takes.
  options.user_agent.assign(9'000'000, 'a');
  try {
    const HttpSink sink{options};
    FAIL_CHECK("taken");
  } catch (const Error& error) {
    CHECK(error.problem().starts_with("libcurl refuses USERAGENT: "));
    CHECK_FALSE(error.hint().empty());
  }
}

TEST_CASE("http options: static headers cannot inject, and cannot take the place of the sink's own") {
  take([](auto& o) { o.headers = {{"X-Tenant", "site 7"}}; });
  refuse([](auto& o) { o.headers = {{"X-A", "b\r\nX-C: d"}}; }, "X-A");
  refuse([](auto& o) { o.headers = {{"X A", "b"}}; }, "token");
  refuse([](auto& o) { o.headers = {{"", "b"}}; }, "token");
  for (const char* reserved : {"Host", "content-LENGTH", "Authorization", "Cookie", "Idempotency-Key",
                               "satchel-id", "webhook-signature"})
    refuse([&](auto& o) { o.headers = {{reserved, "x"}}; }, reserved);
  refuse([](auto& o) { o.user_agent = "a\nb"; }, "user_agent");
}

TEST_CASE("http options: credentials go with TLS, or to this host, or where they are let") {
  const auto token = [](HttpOptions& o) { o.bearer_token_file = "/run/token"; };
  take(token);
  const auto plain = [&](const char* url) {
    return [=](HttpOptions& o) {
      token(o);
      o.url = url;
    };
  };
  refuse(plain("http://host.example/"), "http://host.example/");
  refuse(plain("http://localhost.example/"), "credentials_without_tls");
  take(plain("http://localhost:80/"));
  take(plain("http://127.0.0.2/"));
  take(plain("http://[::1]/"));
  take([&](auto& o) {
    plain("http://host.example/")(o);
    o.credentials_without_tls = true;
  });
  refuse([](auto& o) { o.password = "s3cret"; }, "username");
  refuse(
      [&](auto& o) {
        token(o);
        o.username = "u";
      },
      "bearer_token_file");
}

TEST_CASE("http options: certificates and keys come in pairs, signatures have secrets, proxies are http") {
  refuse([](auto& o) { o.tls.certificate_file = "c.pem"; }, "key_file");
  refuse([](auto& o) { o.tls.key_file = "k.pem"; }, "key_file");
  take([](auto& o) { o.signature = HttpSignature{.secrets = {kSecret}}; });
  take([](auto& o) { o.signature = HttpSignature{.secrets_file = "/run/secrets"}; });
  refuse([](auto& o) { o.signature = HttpSignature{}; }, "secret");
  for (const char* bad :
       {"s3cret", "whsec_", "whsec_s3cret!", "whsec_QUFB", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"})
    refuse([&](auto& o) { o.signature = HttpSignature{.secrets = {bad}}; }, "whsec_");
  take([](auto& o) { o.proxy = "http://proxy:3128"; });
  refuse([](auto& o) { o.proxy = "socks5://s3cret@proxy"; }, "proxy");
}

TEST_CASE("http options: the name tells where, without the query") {
  auto options = sound();
  options.url = "https://host.example:8443/base/{topic}?token=s3cret";
  CHECK(HttpSink{options}.name() == "https://host.example:8443/base/{topic}");
}

TEST_CASE("http options: capacity keeps every transfer busy, and is bounded") {
  auto options = sound();
  options.parallel = 8;
  CHECK(HttpSink{options}.capacity() == 16);
  options.body = HttpBody::json_array;
  options.batch.max_count = 100;
  CHECK(HttpSink{options}.capacity() == 1600);
  options.batch.max_count = 10'000;
  options.parallel = 256;
  CHECK(HttpSink{options}.capacity() == 65'535);
}

TEST_CASE("http url: options are query parameters with the names of the options") {
  CHECK(from("https://host:8443/base/{topic}").name() == "https://host:8443/base/{topic}");
  CHECK(from("http://[::1]:80/a%20b/%7Btopic%7D?query=x%3D1").name() == "http://[::1]:80/a%20b/{topic}");
  CHECK(from("https://h/?parallel=3").capacity() == 6);
  CHECK(from("https://h/"
             "?body=ndjson&batch_count=5&batch_bytes=4096&batch_linger=7&batch_item=payload&parallel=1")
            .capacity() == 10);
  CHECK_NOTHROW(
      from("https://h/"
           "?method=put&version=1.1&body=cloudevents_binary&event_source=%2Fd&event_type=t&gzip=true&gzip_"
           "min_bytes=10"
           "&user_agent=x&ca_file=a&certificate_file=b&key_file=c&connect_timeout=100&request_timeout=200&"
           "idle_connection=5"
           "&connection_lifetime=6&max_retry_after=7&max_response_bytes=8&max_response_header_bytes=2048&"
           "header.X-A=b"
           "&proxy=http%3A%2F%2Fp%3A1&signature_secrets_file=s&bearer_token_file=t"));
}

TEST_CASE("http url: the path keeps what a path may have, and {topic} its place") {
  for (const char* url : {"https://h/v1/topics/t:publish", "https://h/@a/b;c=d,e!$&'()*+/{topic}:end",
                          "https://h/a%20b%25%3F%23"})
    CHECK(from(url).name() == url);
  // What was escaped without need is the same text.
  CHECK(from("https://h/t%3Apublish").name() == "https://h/t:publish");
  CHECK(from("https://h/[a]").name() == "https://h/%5Ba%5D");
}

TEST_CASE("http url: what is unknown or malformed is refused with what is known") {
  refuse_url("https://h/?colour=red", "known are");
  refuse_url("https://h/?parallel=many", "parallel=many");
  refuse_url("https://h/?parallel=0", "parallel is 0");
  refuse_url("https://h/?parallel=-1", "parallel");
  refuse_url("https://h/?request_timeout=99999999999", "request_timeout");
  refuse_url("https://h/?body=xml", "one of cloudevents_batch, cloudevents_binary");
  refuse_url("https://h/?gzip=maybe", "true or false");
  refuse_url("https://h/?header.Authorization=Bearer%20x", "Authorization");
  refuse_url("https://h/?proxy=http%3A%2F%2Fu%3As3cret@p", "proxy");
  refuse_url("https:///path", "no host");
  refuse_url("http://device@h.example/?password_file=p", "credentials_without_tls");
}

TEST_CASE("http url: secrets come from files or from environment variables that exist") {
  setenv("SATCHEL_TEST_TOKEN", "s3cret", 1);
  setenv("SATCHEL_TEST_SECRETS", (std::string{kSecret} + "\n" + kSecret).c_str(), 1);
  unsetenv("SATCHEL_TEST_NONE");
  CHECK_NOTHROW(from("https://h/?bearer_token_env=SATCHEL_TEST_TOKEN"));
  CHECK_NOTHROW(from("https://user@h/?password_env=SATCHEL_TEST_TOKEN"));
  CHECK_NOTHROW(from("https://h/?signature_secrets_env=SATCHEL_TEST_SECRETS"));
  refuse_url("https://h/?bearer_token_env=SATCHEL_TEST_NONE", "SATCHEL_TEST_NONE");
  refuse_url("https://h/?password=s3cret", "the parameter 'password'");
  refuse_url("https://h/?bearer_token=s3cret", "the parameter 'bearer_token'");
}

TEST_CASE(
    "http url: a header that is a secret comes from a file or a variable, and needs TLS like the others") {
  setenv("SATCHEL_TEST_KEY", "s3cret", 1);
  unsetenv("SATCHEL_TEST_NONE");
  CHECK_NOTHROW(from("https://h/?header_env.X-Api-Key=SATCHEL_TEST_KEY"));
  CHECK_NOTHROW(from("https://h/?header_file.X-Api-Key=/etc/key"));
  CHECK_NOTHROW(from("http://localhost/?header_file.X-Api-Key=/etc/key"));
  CHECK_NOTHROW(from("http://h.example/?header_file.X-Api-Key=/etc/key&credentials_without_tls=true"));
  refuse_url("http://h.example/?header_file.X-Api-Key=/etc/key", "credentials_without_tls");
  refuse_url("http://h.example/?header_env.X-Api-Key=SATCHEL_TEST_KEY", "credentials_without_tls");
  refuse_url("https://h/?header_env.X-Api-Key=SATCHEL_TEST_NONE", "SATCHEL_TEST_NONE");
  refuse_url("https://h/?header_file.X-Api-Key=", "'X-Api-Key' is empty");
  refuse_url("https://h/?header_file.Authorization=/etc/key", "'Authorization'");
  refuse_url("https://h/?header_file.a%20b=/etc/key", "not an HTTP token");
  setenv("SATCHEL_TEST_KEY", "two\r\nlines", 1);
  refuse_url("https://h/?header_env.X-Api-Key=SATCHEL_TEST_KEY", "control character");
}
