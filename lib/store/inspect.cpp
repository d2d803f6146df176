// SPDX-License-Identifier: MIT
#include <satchel/inspect.hpp>

#include "base/remedy.hpp"
#include "base/route_topics.hpp"
#include "store/backup.hpp"
#include "store/boots.hpp"
#include "store/browse.hpp"
#include "store/damage.hpp"
#include "store/errors.hpp"
#include "store/figures.hpp"
#include "store/place.hpp"
#include "store/reader.hpp"
#include "store/relay_file.hpp"
#include "store/relay_health.hpp"
#include "store/relay_snapshot.hpp"
#include "store/schema.hpp"
#include "store/shared_file.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace satchel {

using std::chrono::milliseconds;
using namespace store;

namespace {

/// Messages of which the errors are tallied.
constexpr const char* kFailures =
    "SELECT coalesce(last_error, ''), count(*) FROM (SELECT last_error FROM satchel_attempt LIMIT 10000)"
    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5";
constexpr const char* kDeaths =
    "SELECT coalesce(last_error, ''), count(*) FROM (SELECT last_error FROM satchel_dead LIMIT 10000)"
    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5";

/// How long a rate counts after it was told.
constexpr std::chrono::seconds kRateLasts{10};
/// Messages whose topics are matched against the routes, as in `Status`.
constexpr std::size_t kMatched = 10'000;

bool counts_exactly(SQLite::Database& database) {
  Statement table{database, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'satchel_quota'"};
  return table.step();
}

std::int64_t number(SQLite::Database& database, const char* sql) {
  Statement statement{database, sql};
  return statement.step() ? statement.integer(0) : 0;
}

std::vector<Tally> tally(SQLite::Database& database, const char* sql) {
  std::vector<Tally> found;
  Statement rows{database, sql};
  while (rows.step())
    found.push_back({std::string{rows.text(0)}, static_cast<std::uint64_t>(rows.integer(1))});
  return found;
}

}  // namespace

/// One connection, for reading. Confined to one thread at a time.
class Inspector::Core {
 public:
  explicit Core(const std::string& path);

  Surroundings surroundings();
  FileReport report();
  RelayReport relay(const std::vector<std::int64_t>& in_flight, const Counts& counts);
  void add_snapshot(RelayReport& report, RelaySnapshot snapshot, const Counts& counts);
  // Those that no route takes.
  std::uint64_t count_by_route(RelaySnapshot& snapshot, const Counts& counts);
  // Since a time of this boot.
  milliseconds since(std::int64_t time) const;
  void count_policies(FileReport& report);
  void measure(FileReport& report) const;
  std::optional<RelayFile>& relay_file();

  template <class Action>
  auto read(const std::string& operation, Action&& action) {
    return in_our_terms(operation + " " + place.path, [&] { return action(*connection); });
  }

  const Place place;
  const std::shared_ptr<Clock> clock = system_clock();
  std::unique_ptr<Connection> connection;
  SchemaVersion version;
  // Kept open: every close wakes the relay for a moment.
  std::optional<RelayFile> relay_file_;
};

Inspector::Core::Core(const std::string& path) : place{survey(path)} {
  const std::string operation = "open " + path;
  if (!place.exists)
    throw OpenError{operation, "there is no such file", "name the database file of the application"};
  refuse_inherited(place.path);
  try {
    {
      // Before the connection is set up, which puts the file into WAL mode.
      const SQLite::Database look{place.path, SQLite::OPEN_READONLY, 1000};
      Statement outbox{look, "SELECT 1 FROM sqlite_schema WHERE name = 'satchel_state'"};
      if (!outbox.step()) {
        throw OpenError{operation, "there is no outbox in this file",
                        "name the file that the application opens with satchel"};
      }
    }
    connection = std::make_unique<Connection>(place.path, Options{}, Role::reader);
    version = read_schema_version(connection->database()).value_or(SchemaVersion{});
  } catch (const SQLite::Exception& failure) {
    throw_open_error(operation, failure);
  }
  if (version.compatible > kSchemaVersion) {
    throw SchemaTooNew{
        operation,
        fmt::format("the file has schema {} and needs a satchel that knows {}; this one knows {}",
                    version.version, version.compatible, kSchemaVersion),
        "use the program that belongs to the application"};
  }
}

std::optional<RelayFile>& Inspector::Core::relay_file() {
  if (relay_file_ && !relay_file_->current()) relay_file_.reset();
  if (!relay_file_) relay_file_ = RelayFile::existing(place.relay_path);
  return relay_file_;
}

Surroundings Inspector::Core::surroundings() {
  SQLite::Database& database = connection->database();
  Surroundings around;
  around.retries = version.version >= 2;
  around.ranges = read_ranges(database);
  around.present.now = to_ms(clock->now());
  const WallReading wall = clock->wall();
  around.present.trusted = wall.trusted;
  // A boot that the file has not seen yet has a number that no message has.
  around.present.boot = -1;
  if (const std::optional<Boot> boot = find_boot(database, clock->boot_id())) {
    around.present.boot = boot->number;
    around.present.wall_offset = boot->wall_offset;
  }
  if (!around.present.wall_offset) around.present.wall_offset = trusted_offset(*clock);
  if (std::optional<RelayFile>& file = relay_file()) {
    if (std::optional<RelayRecord> record = file->read()) around.in_flight = std::move(record->in_flight);
  }
  return around;
}

RelayReport Inspector::Core::relay(const std::vector<std::int64_t>& in_flight, const Counts& counts) {
  RelayReport report;
  std::optional<RelayFile>& file = relay_file();
  if (!file) return report;
  report.alive = file->held(RelayByte::leader);
  report.standby = file->held(RelayByte::standby);
  Statement pending{connection->database(), "SELECT 1 FROM satchel_message WHERE id = ?1 AND topic <> ''"};
  for (const std::int64_t row : in_flight) {
    const Use use{pending};
    if (pending.bind(1, row).step()) ++report.in_flight;
  }
  struct stat status {};
  if (::stat(place.relay_path.c_str(), &status) == 0) {
    report.active = WallTime{std::chrono::seconds{status.st_mtim.tv_sec} +
                             milliseconds{status.st_mtim.tv_nsec / 1'000'000}};
  }
  if (const std::optional<RelayRound> round = file->marked_round(); round && report.alive) {
    report.heartbeat = since(round->began);
    if (!round->over) report.round_overdue = *report.heartbeat;
  }
  const RelayHealth health = decode_health(file->health());
  report.process = health.process;
  report.failure = health.failure;
  const bool same_boot = health.boot_id == clock->boot_id();
  for (const RelayHealth::Sink& sink : health.sinks) {
    SinkReport told{sink.name, sink.state, sink.problem, std::nullopt};
    if (same_boot) told.since = since(sink.since);
    report.sinks.push_back(std::move(told));
  }
  RelaySnapshot snapshot = decode_snapshot(file->snapshot());
  // Otherwise a relay of an older satchel came after the one that wrote it.
  if (snapshot.process == health.process && snapshot.boot_id == health.boot_id)
    add_snapshot(report, std::move(snapshot), counts);
  return report;
}

milliseconds Inspector::Core::since(std::int64_t time) const {
  return milliseconds{std::max<std::int64_t>(subtract(to_ms(clock->now()), time), 0)};
}

void Inspector::Core::add_snapshot(RelayReport& report, RelaySnapshot snapshot, const Counts& counts) {
  const bool same_boot = snapshot.boot_id == clock->boot_id();
  if (same_boot) report.told = since(snapshot.noted);
  Status& status = snapshot.status;
  report.unsettled = status.unsettled;
  report.delivered = status.delivered;
  report.retried = status.retried;
  report.expired = status.expired;
  report.died = status.died;
  report.delivered_bytes = status.delivered_bytes;
  // It goes on telling while messages flow.
  if (report.told && *report.told < kRateLasts) {
    report.messages_per_second = status.messages_per_second;
    report.bytes_per_second = status.bytes_per_second;
  }
  report.wear = status.wear;
  snapshot.quota.exact = snapshot.quota.exact && counts_exactly(connection->database());
  report.quota_left = quota_left(snapshot.quota, *connection, counts);
  if (snapshot.topics_known) report.unrouted = count_by_route(snapshot, counts);
  for (std::size_t i = 0; i < status.routes.size(); ++i) {
    RouteReport route{std::move(status.routes[i]), snapshot.topics_known, std::nullopt, std::nullopt};
    const std::optional<BootTime> until = std::exchange(route.status.held_until, std::nullopt);
    if (same_boot) {
      route.since = since(snapshot.routes[i].since);
      if (until)
        route.held_for =
            milliseconds{std::max<std::int64_t>(subtract(to_ms(*until), to_ms(clock->now())), 0)};
    }
    route.status.sink_remedy = remedy_of(route.status.sink, route.status.sink_problem);
    report.routes.push_back(std::move(route));
  }
}

std::uint64_t Inspector::Core::count_by_route(RelaySnapshot& snapshot, const Counts& counts) {
  std::vector<RouteStatus>& routes = snapshot.status.routes;
  if (routes.empty()) return 0;
  const std::vector<std::string>& first = snapshot.routes.front().topics;
  if (std::find(first.begin(), first.end(), "#") != first.end()) {
    routes.front().pending = counts.pending;
    routes.front().pending_is_bound = counts.pending_is_bound;
    return 0;
  }
  std::size_t seen = 0;
  std::uint64_t unrouted = 0;
  visit_topics(*connection, kMatched, [&](std::string_view topic) {
    ++seen;
    for (std::size_t route = 0; route < routes.size(); ++route) {
      if (!takes_topic(snapshot.routes[route].topics, topic)) continue;
      ++routes[route].pending;
      return;
    }
    ++unrouted;
  });
  for (RouteStatus& route : routes) route.pending_is_bound = seen == kMatched;
  return unrouted;
}

void Inspector::Core::count_policies(FileReport& report) {
  SQLite::Database& database = connection->database();
  const Parts parts = count_parts(*connection, version.version);
  report.urgent = parts.urgent;
  report.bulk = parts.bulk;
  report.delayed = parts.delayed;
  report.failing = parts.failing;
  if (version.version < 2) return;
  Statement dropped{database,
                    "SELECT reason, topic, messages, unconfirmed FROM satchel_dropped ORDER BY 1, 2"};
  while (dropped.step()) {
    report.dropped.push_back({static_cast<DropReason>(dropped.integer(0)), std::string{dropped.text(1)},
                              static_cast<std::uint64_t>(dropped.integer(2)),
                              static_cast<std::uint64_t>(dropped.integer(3))});
  }
}

void Inspector::Core::measure(FileReport& report) const {
  report.file_bytes = size_of_file(place.path);
  report.wal_bytes = size_of_file(place.path + "-wal");
  SQLite::Database& database = connection->database();
  report.free_bytes = static_cast<std::uint64_t>(number(database, "PRAGMA freelist_count")) *
                      static_cast<std::uint64_t>(connection->page_size());
  report.device_bytes = room_beside(place.path);
  struct stat status {};
  if (::stat(place.path.c_str(), &status) == 0) report.mode = status.st_mode & 07777U;
}

FileReport Inspector::Core::report() {
  SQLite::Database& database = connection->database();
  const Surroundings around = surroundings();
  FileReport report;
  report.path = place.path;
  version = read_schema_version(database).value_or(SchemaVersion{});
  report.schema = version.version;
  report.schema_compatible = version.compatible;
  report.identities = around.ranges.size();
  if (!around.ranges.empty()) report.identity = around.ranges.back().identity;
  const Counts counts = count(connection->database());
  report.pending = counts.pending;
  report.pending_is_bound = counts.pending_is_bound;
  report.dead = counts.dead;
  report.newest_row = counts.newest_row;
  count_policies(report);
  report.oldest = browse_oldest(*connection, around);
  report.failures = tally(database, kFailures);
  report.deaths = tally(database, kDeaths);
  Statement counters{database, "SELECT name, value FROM satchel_counter"};
  while (counters.step()) report.counters[std::string{counters.text(0)}] = counters.integer(1);
  counters.reset();
  measure(report);
  report.relay = relay(around.in_flight, counts);
  return report;
}

Inspector::Inspector(const std::string& path) : core_{std::make_unique<Core>(path)} {}
Inspector::~Inspector() = default;
Inspector::Inspector(Inspector&&) noexcept = default;
Inspector& Inspector::operator=(Inspector&&) noexcept = default;

FileReport Inspector::report() {
  return core_->read("look at", [&](Connection&) { return core_->report(); });
}

std::vector<PendingMessage> Inspector::messages(const MessageQuery& query) {
  return core_->read("list messages of",
                     [&](Connection& reader) { return browse(reader, query, core_->surroundings()); });
}

std::optional<PendingMessage> Inspector::message(std::int64_t row) {
  return core_->read("show a message of",
                     [&](Connection& reader) { return browse_row(reader, row, core_->surroundings()); });
}

std::vector<DeadLetter> Inspector::dead_letters(std::size_t limit, std::int64_t after) {
  const bool retries = core_->version.version >= 2;
  return core_->read("list dead letters of",
                     [&](Connection& reader) { return list_dead(reader, limit, after, retries); });
}

std::optional<DeadLetter> Inspector::dead_letter(std::int64_t row) {
  std::vector<DeadLetter> found = dead_letters(1, row - 1);
  if (found.empty() || found.front().id.row != row) return std::nullopt;
  return std::move(found.front());
}

std::string Inspector::damage() {
  return core_->read("check", [&](Connection& reader) { return first_damage(reader.database()); });
}

BackupReport Inspector::backup(const std::string& target,
                               const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const Counts counts = back_up(*core_->connection, target, progress);
  return {counts.pending, counts.pending_is_bound, counts.dead};
}

}  // namespace satchel
