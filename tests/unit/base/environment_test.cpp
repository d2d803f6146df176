// SPDX-License-Identifier: MIT
#include "base/environment.hpp"
#include "base/option_table.hpp"

#include <satchel/error.hpp>
#include <satchel/options.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace satchel {

namespace {

using std::chrono::milliseconds;
using Variables = std::map<std::string, std::string>;

Options from(Variables variables) { return overlaid(Options{}, "SATCHEL_", std::move(variables)); }

/// The error's text without its operation, or "no error".
std::string error_of(Variables variables) {
  try {
    from(std::move(variables));
  } catch (const InvalidOption& error) {
    return error.problem() + " (" + error.hint() + ")";
  }
  return "no error";
}

std::string error_of(const std::string& name, const std::string& value) {
  return error_of(Variables{{name, value}});
}

/// A variable for as long as it lives.
class Set {
 public:
  Set(std::string name, const std::string& value) : name_{std::move(name)} {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Set() { ::unsetenv(name_.c_str()); }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;

 private:
  std::string name_;
};

/// Every option as text, to compare two of them.
struct Lister {
  template <class Value, class Bound>
  void range(const char* name, const Value& value, Bound, Bound) {
    if constexpr (requires { value.count(); }) {
      lines.push_back(std::string{name} + "=" + std::to_string(value.count()));
    } else {
      lines.push_back(std::string{name} + "=" + std::to_string(value));
    }
  }
  template <class Value>
  void range_or_zero(const char* name, Value value, std::uint64_t low, std::uint64_t high) {
    range(name, value, low, high);
  }
  template <class Value>
  void power_of_two(const char* name, Value value, std::uint64_t low, std::uint64_t high) {
    range(name, value, low, high);
  }
  void choice(const char* name, const std::string& value) {
    lines.push_back(std::string{name} + "=" + value);
  }
  template <class Value>
  void choice(const char* name, Value value) {
    lines.push_back(std::string{name} + "=" + std::to_string(static_cast<int>(value)));
  }
  std::vector<std::string> lines;
};

std::vector<std::string> listed(const Options& options) {
  Lister lister;
  for_each_option(options, lister);
  return lister.lines;
}

}  // namespace

TEST_CASE("environment: with no variable set the defaults stand") {
  CHECK(listed(from({})) == listed(Options{}));
  const Options options = from({});
  CHECK(options.polling_interval == milliseconds{1000});
  CHECK(options.batch_size == 100);
  CHECK(options.max_attempts == 5);
  CHECK(options.claim_timeout == milliseconds{300'000});
}

TEST_CASE("environment: every option has its variable") {
  const Variables variables{
      {"SATCHEL_DURABILITY", "relaxed"},
      {"SATCHEL_EXTERNAL_WRITERS", "true"},
      {"SATCHEL_POLLING_INTERVAL_SECONDS", "0.25"},
      {"SATCHEL_MAX_RETRY_COUNT", "7"},
      {"SATCHEL_MAX_AGE_SECONDS", "86400"},
      {"SATCHEL_RETRY_BACKOFF_BASE_SECONDS", "2"},
      {"SATCHEL_RETRY_BACKOFF_FACTOR", "1.5"},
      {"SATCHEL_RETRY_BACKOFF_CAP_SECONDS", "60"},
      {"SATCHEL_PROBE_BACKOFF_BASE_SECONDS", "3"},
      {"SATCHEL_PROBE_BACKOFF_FACTOR", "3"},
      {"SATCHEL_PROBE_BACKOFF_CAP_SECONDS", "90"},
      {"SATCHEL_BLOCKED_PROBE_SECONDS", "30"},
      {"SATCHEL_STABLE_AFTER_SECONDS", "5"},
      {"SATCHEL_CLAIM_TIMEOUT_SECONDS", "12.5"},
      {"SATCHEL_DEAD_KEY", "block"},
      {"SATCHEL_BULK_SHARE", "3"},
      {"SATCHEL_DRAIN_JITTER_SECONDS", "600"},
      {"SATCHEL_ANNOUNCE_TOPIC", "device/losses"},
      {"SATCHEL_ON_RESTORE", "keep"},
      {"SATCHEL_DEVICE_ID", "unit 7"},
      {"SATCHEL_WINDOW", "50"},
      {"SATCHEL_WINDOW_BYTES", "1000"},
      {"SATCHEL_MAX_UNSETTLED", "60"},
      {"SATCHEL_MAX_PAYLOAD_BYTES", "70"},
      {"SATCHEL_MAX_HEADER_BYTES", "80"},
      {"SATCHEL_MAX_TRANSACTION_MESSAGES", "90"},
      {"SATCHEL_MAX_EVENT_DEPTH", "8"},
      {"SATCHEL_QUOTA_MESSAGES", "1000000"},
      {"SATCHEL_QUOTA_BYTES", "1000001"},
      {"SATCHEL_QUOTA_KEEP_FREE", "1000002"},
      {"SATCHEL_QUOTA_WHEN_FULL", "drop_lowest"},
      {"SATCHEL_QUOTA_EXACT", "true"},
      {"SATCHEL_QUOTA_URGENT_MESSAGES", "1000003"},
      {"SATCHEL_QUOTA_URGENT_BYTES", "1000004"},
      {"SATCHEL_QUOTA_NORMAL_MESSAGES", "1000005"},
      {"SATCHEL_QUOTA_NORMAL_BYTES", "1000006"},
      {"SATCHEL_QUOTA_BULK_MESSAGES", "1000007"},
      {"SATCHEL_QUOTA_BULK_BYTES", "1000008"},
      {"SATCHEL_MAX_FILE_BYTES", "65536"},
      {"SATCHEL_BUSY_TIMEOUT_SECONDS", "0"},
      {"SATCHEL_GATE_REPORT_AFTER_SECONDS", "0.001"},
      {"SATCHEL_ASYNC_QUEUE", "11"},
      {"SATCHEL_ASYNC_FULL", "drop"},
      {"SATCHEL_ASYNC_BATCH", "12"},
      {"SATCHEL_ASYNC_LINGER_SECONDS", "0.013"},
      {"SATCHEL_BATCH_SIZE", "14"},
      {"SATCHEL_SETTLE_LINGER_SECONDS", "0.015"},
      {"SATCHEL_PAGE_SIZE", "1024"},
      {"SATCHEL_CACHE_BYTES", "16384"},
      {"SATCHEL_MEMORY_BUDGET", "1048576"},
      {"SATCHEL_CHECKPOINT_BYTES", "32768"},
      {"SATCHEL_MAX_WAL_BYTES", "655360"},
      {"SATCHEL_RESERVE", "true"},
      {"SATCHEL_ON_DAMAGE", "refuse"},
      {"SATCHEL_CHECK_AT_OPEN", "true"},
      {"SATCHEL_VFS", "unix-excl"},
  };
  const std::vector<std::string> before = listed(Options{});
  const std::vector<std::string> after = listed(from(variables));
  // Does not go together with a reserve.
  const std::vector<std::string> alone = listed(from({{"SATCHEL_MAX_FREE_BYTES", "4096"}}));
  REQUIRE(before.size() == after.size());
  // One variable for each, and each of them changed: so none is missing in this test or in the code.
  CHECK(variables.size() + 1 == after.size());
  for (std::size_t index = 0; index < after.size(); ++index) {
    CHECK((before[index] != after[index] || before[index] != alone[index]));
  }

  const Options options = from(variables);
  CHECK(options.durability == Durability::relaxed);
  CHECK(options.external_writers);
  CHECK(options.polling_interval == milliseconds{250});
  CHECK(options.max_attempts == 7);
  CHECK(options.retry_backoff.factor == 1.5);
  CHECK(options.claim_timeout == milliseconds{12'500});
  CHECK(options.async_full == AsyncFull::drop);
  CHECK(options.max_wal_bytes == 655'360);
  CHECK(options.dead_key == DeadKey::block);
  CHECK(options.on_restore == OnRestore::keep);
  CHECK(options.drain_jitter == std::chrono::minutes{10});
  CHECK(options.quota.when_full == WhenFull::drop_lowest);
  CHECK(options.quota.urgent.bytes == 1'000'004);
}

TEST_CASE("environment: the names of the plugin with their own values") {
  const Options options = from({{"SATCHEL_POLLING_INTERVAL_SECONDS", "1.0"},
                                {"SATCHEL_BATCH_SIZE", "100"},
                                {"SATCHEL_MAX_RETRY_COUNT", "5"},
                                {"SATCHEL_CLAIM_TIMEOUT_SECONDS", "300.0"}});
  CHECK(listed(options) == listed(Options{}));
}

TEST_CASE("environment: a value that is not valid names variable, value and range") {
  CHECK(error_of("SATCHEL_BATCH_SIZE", "0") == "SATCHEL_BATCH_SIZE is '0' (a whole number from 1 to 10000)");
  CHECK(error_of("SATCHEL_POLLING_INTERVAL_SECONDS", "fast") ==
        "SATCHEL_POLLING_INTERVAL_SECONDS is 'fast' (a decimal number of seconds from 0.001 to 86400)");
  CHECK(error_of("SATCHEL_RETRY_BACKOFF_FACTOR", "0.5") ==
        "SATCHEL_RETRY_BACKOFF_FACTOR is '0.5' (a decimal number from 1 to 100)");
  CHECK(error_of("SATCHEL_DURABILITY", "Full") == "SATCHEL_DURABILITY is 'Full' (one of full, relaxed)");
  CHECK(error_of("SATCHEL_DEAD_KEY", "keep") == "SATCHEL_DEAD_KEY is 'keep' (one of release, block)");
  CHECK(error_of("SATCHEL_ON_RESTORE", "") == "SATCHEL_ON_RESTORE is '' (one of renew, keep)");
  CHECK(error_of("SATCHEL_QUOTA_WHEN_FULL", "drop") ==
        "SATCHEL_QUOTA_WHEN_FULL is 'drop' (one of reject, drop_oldest, drop_newest, drop_lowest)");
  CHECK(error_of("SATCHEL_EXTERNAL_WRITERS", "yes") ==
        "SATCHEL_EXTERNAL_WRITERS is 'yes' (one of true, false, 1, 0)");
  CHECK(error_of("SATCHEL_PAGE_SIZE", "5000") ==
        "SATCHEL_PAGE_SIZE is '5000' (a power of two from 512 to 65536)");
  CHECK(error_of("SATCHEL_MAX_FILE_BYTES", "1").find("0 or a whole number from 65536") != std::string::npos);
  CHECK(error_of("SATCHEL_MAX_RETRY_COUNT", "0") ==
        "SATCHEL_MAX_RETRY_COUNT is '0' (a whole number from 1 to 1000000)");
  CHECK(error_of("SATCHEL_MAX_FILE_BYTES", "0") == "no error");
}

TEST_CASE("environment: numbers are plain decimals, within their range to the last digit") {
  for (const char* text : {"", " 5", "5 ", "-1", "+1", "1e2", "0x10", "nan", "inf", "1,5", "1.5.2", ".",
                           "five", "99999999999999999999999999999999999999", "86400.001", "0.0004"}) {
    INFO(text);
    CHECK(error_of("SATCHEL_POLLING_INTERVAL_SECONDS", text) != "no error");
  }
  for (const char* text : {"", " 5", "-1", "+1", "1.0", "1e2", "0x10", "10001", "18446744073709551616"}) {
    INFO(text);
    CHECK(error_of("SATCHEL_BATCH_SIZE", text) != "no error");
  }
  CHECK(from({{"SATCHEL_POLLING_INTERVAL_SECONDS", "86400"}}).polling_interval == milliseconds{86'400'000});
  CHECK(from({{"SATCHEL_POLLING_INTERVAL_SECONDS", "0.001"}}).polling_interval == milliseconds{1});
  CHECK(from({{"SATCHEL_POLLING_INTERVAL_SECONDS", ".5"}}).polling_interval == milliseconds{500});
  CHECK(from({{"SATCHEL_POLLING_INTERVAL_SECONDS", "0.2999"}}).polling_interval == milliseconds{300});
  CHECK(from({{"SATCHEL_BATCH_SIZE", "10000"}}).batch_size == 10'000);
  CHECK(from({{"SATCHEL_EXTERNAL_WRITERS", "1"}}).external_writers);
  CHECK_FALSE(from({{"SATCHEL_EXTERNAL_WRITERS", "0"}}).external_writers);
}

TEST_CASE("environment: a variable that is no option is an error that names one like it, not its value") {
  CHECK(error_of("SATCHEL_BATCHSIZE", "s3cret") ==
        "SATCHEL_BATCHSIZE is not an option (do you mean SATCHEL_BATCH_SIZE?)");
  CHECK(error_of("SATCHEL_CLAIM_TIMEOUT", "3") ==
        "SATCHEL_CLAIM_TIMEOUT is not an option (do you mean SATCHEL_CLAIM_TIMEOUT_SECONDS?)");
  CHECK(error_of("SATCHEL_", "3") ==
        "SATCHEL_ is not an option (the options are listed at Options::from_environment)");
  CHECK(error_of("SATCHEL_" + std::string(100'000, 'X'), "3") != "no error");
  CHECK(error_of("SATCHEL_batch_size", "3") != "no error");
  CHECK(error_of("SATCHEL_BUILD_DIR", "1") == "no error");
}

TEST_CASE("environment: a long value is shown in part") {
  const std::string error = error_of("SATCHEL_BATCH_SIZE", std::string(1000, '9'));
  CHECK(error.find(std::string(64, '9') + "...'") != std::string::npos);
  CHECK(error.size() < 200);
}

TEST_CASE("environment: the two names of one option exclude each other") {
  CHECK(from({{"SATCHEL_MAX_ATTEMPTS", "9"}}).max_attempts == 9);
  CHECK(error_of({{"SATCHEL_MAX_ATTEMPTS", "9"}, {"SATCHEL_MAX_RETRY_COUNT", "9"}}) ==
        "SATCHEL_MAX_ATTEMPTS and SATCHEL_MAX_RETRY_COUNT are both set (they are one option: keep one of "
        "them)");
}

TEST_CASE("environment: options that contradict one another are an error") {
  CHECK(error_of("SATCHEL_RETRY_BACKOFF_BASE_SECONDS", "1000") ==
        "retry_backoff.cap is 300000 ms (from 1000000 to 2592000000 ms)");
  // 4 GiB, or what a size can hold.
  const std::string most = sizeof(std::size_t) == 4 ? "4294967295" : "4294967296";
  CHECK(error_of({{"SATCHEL_CHECKPOINT_BYTES", "65536"}, {"SATCHEL_MAX_WAL_BYTES", "65535"}}) ==
        "SATCHEL_MAX_WAL_BYTES is '65535' (a whole number from 65536 to " + most + ")");
  CHECK(error_of("SATCHEL_QUOTA_BULK_MESSAGES", "5").find("without quota.exact") != std::string::npos);
  CHECK(error_of("SATCHEL_ANNOUNCE_TOPIC", "a/#").find("announce_topic is the topic 'a/#'") == 0);
}

TEST_CASE("environment: it is laid over the options that are given, with the prefix that is given") {
  Options base;
  base.window = 7;
  base.batch_size = 8;
  const Set batch{"SATCHEL_UNIT_BATCH_SIZE", "9"};
  const Options options = Options::from_environment(base, "SATCHEL_UNIT_");
  CHECK(options.window == 7);
  CHECK(options.batch_size == 9);
  CHECK(Options::from_environment("SATCHEL_UNIT_").window == Options{}.window);
  CHECK_THROWS_AS(Options::from_environment(""), InvalidOption);
}

TEST_CASE("environment: the process's own variables count, those of others do not") {
  const Set interval{"SATCHEL_POLLING_INTERVAL_SECONDS", "2.5"};
  const Set other{"XSATCHEL_BATCH_SIZE", "nonsense"};
  CHECK(Options::from_environment().polling_interval == milliseconds{2500});
}

TEST_CASE("environment: what was set wrongly before is reported as well") {
  Options base;
  base.window = 0;
  CHECK_THROWS_AS(overlaid(base, "SATCHEL_", {}), InvalidOption);
}

}  // namespace satchel
