// SPDX-License-Identifier: MIT
#include "sinks/http/gzip.hpp"
#include "sinks/http/json.hpp"
#include "sinks/http/response.hpp"
#include "sinks/http/secret_file.hpp"
#include "sinks/http/signature.hpp"
#include "sinks/http/text.hpp"
#include "sinks/http/transfer.hpp"
#include "sinks/http/url_template.hpp"
#include "support/temp_dir.hpp"

#include <satchel/error.hpp>

#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

using namespace satchel;
using namespace satchel::http;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Response with(const std::string& field) {
  Response response{4096, 4096};
  CHECK(response.take_header_line("HTTP/1.1 503 No\r\n"));
  CHECK(response.take_header_line(field));
  CHECK(response.take_header_line("\r\n"));
  return response;
}

}  // namespace

TEST_CASE("http text: base64 goes both ways and is strict on the way back") {
  for (const std::string& plain :
       {std::string{"f"}, std::string{"fo"}, std::string{"foo"}, std::string("\0\xff\x10", 3)}) {
    CHECK(base64_decode(base64(plain)) == plain);
  }
  CHECK(base64("").empty());
  CHECK(base64("foobar") == "Zm9vYmFy");
  for (const char* bad : {"", "a", "Zg=", "Zg===", "Zm9v\n", "Z=9v", "====", "Zm-_"}) {
    CAPTURE(std::string{bad});
    CHECK_FALSE(base64_decode(bad));
  }
}

TEST_CASE("http text: tokens and field values are what RFC 9110 says") {
  CHECK(is_token("X-A.b_c~1"));
  CHECK(is_token(std::string(128, 'a')));
  for (const auto& bad : {std::string{}, std::string{"a b"}, std::string{"a:b"}, std::string{"\xc3\xa4"},
                          std::string("a\0", 2), std::string(129, 'a')})
    CHECK_FALSE(is_token(bad));
  CHECK(is_field_value("a\tb \xc3\xa4"));
  for (const auto& bad :
       {std::string{"a\rb"}, std::string{"a\nb"}, std::string("a\0b", 3), std::string{"\x7f"}})
    CHECK_FALSE(is_field_value(bad));
}

TEST_CASE("http json: compacting keeps numbers and text, and refuses what is not one JSON value") {
  CHECK(compact_json(" { \"a\" : [ 1.50 , -0 , 1E300, true , null ] } ") ==
        "{\"a\":[1.50,-0,1E300,true,null]}");
  CHECK(compact_json("\"\\u00e4\\n\"") == "\"ä\\n\"");
  for (const auto& bad :
       {std::string{}, std::string{" "}, std::string{"{"}, std::string{"1 2"}, std::string{"{}x"},
        std::string{"NaN"}, std::string{"\"\xff\""}, std::string("1\0", 2), std::string{"01"}})
    CHECK_FALSE(compact_json(bad));
}

TEST_CASE("http json: a million brackets do not overflow the stack") {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  CHECK(compact_json(deep) == deep);
}

TEST_CASE("http json: an object refuses what is not UTF-8 and escapes the rest") {
  JsonObject object;
  object.text("a\"", "b\n\x01");
  object.raw("c", "[1]");
  CHECK(object.finish() == "{\"a\\\"\":\"b\\n\\u0001\",\"c\":[1]}");
  JsonObject bad;
  CHECK_THROWS_AS(bad.text("a", "\xff"), InvalidMessage);
}

TEST_CASE("http gzip: nothing comes of what would not get smaller") {
  Gzip gzip;
  CHECK_FALSE(gzip.compress(""));
  CHECK_FALSE(gzip.compress("abc"));
  const auto once = gzip.compress(std::string(10'000, 'a'));
  REQUIRE(once);
  CHECK(once->size() < 100);
  CHECK(gzip.compress(std::string(10'000, 'a')) == once);
}

TEST_CASE("http response: counts once its final head is complete") {
  Response response{4096, 10};
  CHECK(response.take_header_line("HTTP/1.1 103 Early Hints\r\n"));
  CHECK(response.take_header_line("Retry-After: 9\r\n"));
  CHECK(response.take_header_line("\r\n"));
  CHECK_FALSE(response.complete());
  CHECK(response.take_header_line("HTTP/2 503 \r\n"));
  CHECK_FALSE(response.complete());
  CHECK(response.take_header_line("\r\n"));
  CHECK(response.complete());
  CHECK(response.status() == 503);
  CHECK(response.retry_after(std::nullopt) == seconds{0});
  CHECK(response.take_body("0123456789"));
  CHECK_FALSE(response.take_body("x"));
  response.clear();
  CHECK_FALSE(response.complete());
  CHECK(response.take_body("0123456789"));
}

TEST_CASE("http response: headers beyond the limit end it") {
  Response response{100, 0};
  CHECK(response.take_header_line("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(response.take_header_line(std::string(100, 'x')));
  CHECK(response.header_overflow());
}

TEST_CASE("http response: all three forms of a date are understood") {
  const WallTime now{seconds{784'111'777 - 60}};  // 1994-11-06 08:48:37 UTC
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    CAPTURE(std::string{date});
    CHECK(with(std::string{"Retry-After: "} + date + "\r\n").retry_after(now) == seconds{60});
  }
  CHECK(with("Retry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n").retry_after(now) == seconds{0});
  CHECK(with("retry-after:   5  \r\n").retry_after(now) == seconds{5});
  CHECK(with("Retry-After: 5.5\r\n").retry_after(now) == seconds{0});
}

TEST_CASE("http response: a date in a year that no clock reaches is as far away as dates go") {
  satchel::http::Response response{4096, 4096};
  CHECK(response.take_header_line("HTTP/1.1 503 No\r\n"));
  CHECK(response.take_header_line("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
  CHECK(response.take_header_line("Retry-After: Sun, 06 Nov 1999999999 08:49:37 GMT\r\n"));
  CHECK(response.take_header_line("\r\n"));
  // Where libcurl's time_t has 32 bits it knows no date past January 2038: then the sink's own backoff holds.
  const bool wide = sizeof(std::time_t) > 4;
  CHECK(response.retry_after(std::nullopt) == (wide ? std::chrono::hours{24LL * 365 * 100} : seconds{0}));
}

TEST_CASE("http url template: topics are encoded, and cannot leave the base path") {
  const UrlTemplate url{"https://h/base/{topic}/end?a=b"};
  CHECK(url.expand("a/b c") == "https://h/base/a/b%20c/end?a=b");
  CHECK(url.expand("...") == "https://h/base/.../end?a=b");
  CHECK(url.expand("a?b#c%2e\r\n") == "https://h/base/a%3Fb%23c%252e%0D%0A/end?a=b");
  for (const char* bad : {"..", ".", "a/..", "../a", "a/./b", "a/../b"}) {
    CAPTURE(std::string{bad});
    CHECK_THROWS_AS(url.expand(bad), InvalidMessage);
  }
  CHECK(UrlTemplate{"https://h/a:b/{topic}:c"}.expand("x:y") == "https://h/a:b/x%3Ay:c");
  const UrlTemplate fixed{"http://h/x"};
  CHECK_FALSE(fixed.has_topic());
  CHECK(fixed.expand("..") == "http://h/x");
}

TEST_CASE("http transfer: HTTP/2 is asked for where libcurl has it, or where it was asked for by name") {
  for (const bool https : {true, false}) {
    CHECK(version_number(HttpVersion::automatic, https, true) == CURL_HTTP_VERSION_2TLS);
    CHECK(version_number(HttpVersion::automatic, https, false) == CURL_HTTP_VERSION_1_1);
    for (const bool http2 : {true, false})
      CHECK(version_number(HttpVersion::v1, https, http2) == CURL_HTTP_VERSION_1_1);
  }
  CHECK(version_number(HttpVersion::v2, true, false) == CURL_HTTP_VERSION_2TLS);
  CHECK(version_number(HttpVersion::v2, false, false) == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
}

TEST_CASE("http signature: the example of the Standard Webhooks documents") {
  const std::string key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  CHECK(webhook_signature({key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1'614'265'330, "{\"test\": 2432232314}") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("http secrets: a file that was empty for a while and comes back as it was is read again") {
  const support::TempDir directory;
  const std::string path = directory.path() + "/token";
  const std::string token(40, 't');
  std::ofstream{path} << token;
  SecretFile file{path};
  REQUIRE(file.first() == token);
  std::filesystem::rename(path, path + ".kept");
  std::ofstream{path};
  CHECK_THROWS_AS(file.first(), Error);
  std::filesystem::rename(path + ".kept", path);
  REQUIRE(file.lines().size() == 1);
  CHECK(file.first() == token);
}
