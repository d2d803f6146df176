// SPDX-License-Identifier: MIT
#include "base/validate.hpp"
#include "store/ages.hpp"
#include "store/boots.hpp"
#include "store/damage.hpp"
#include "store/errors.hpp"
#include "store/log.hpp"
#include "store/place.hpp"
#include "store/quota_meter.hpp"
#include "store/reserve.hpp"
#include "store/schema.hpp"
#include "store/shared_file.hpp"
#include "store/sqlite_copies.hpp"
#include "store/sqlite_files.hpp"
#include "store/store.hpp"
#include "store/writer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace satchel::store {
namespace {

void tell(const Options& options, const std::string& text) {
  if (options.observer) options.observer->notice(text);
}

bool has_any_table(SQLite::Database& database) {
  Statement any{database, "SELECT 1 FROM sqlite_schema LIMIT 1"};
  return any.step();
}

void refuse_newer(const std::string& path, const std::optional<SchemaVersion>& found) {
  if (!found || found->compatible <= kSchemaVersion) return;
  throw SchemaTooNew{
      "open " + path,
      fmt::format("the file has schema {} and needs a satchel that knows {}; this one knows {}",
                  found->version, found->compatible, kSchemaVersion),
      "update the firmware, or open the file that belongs to this version; the file was not changed"};
}

}  // namespace

/// One opening, step by step. What it made it takes away again unless it comes to its end.
struct Store::Opening {
  Opening(const std::string& path, const Options& wanted) : options{wanted}, place{survey(path)} {}
  ~Opening() {
    if (done) return;
    writer.reset();
    // Under the opening lock, and only a file that this opening has made and nobody has put a table into. The
    // names were made beforehand: there may be no memory now.
    if ((made_database && !has_tables) || left_empty()) {
      for (const std::string& file : files) ::unlink(file.c_str());
    }
    if (made_relay_file) ::unlink(place.relay_path.c_str());
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

  /// SQLite made the file and failed before anything was in it.
  bool left_empty() const noexcept {
    struct stat status {};
    return making_database && ::stat(place.path.c_str(), &status) == 0 && status.st_size == 0;
  }

  void run();
  void lock();
  void make_database();
  void connect();
  void look_for_damage();
  void prepare();
  void rescue(const std::string& problem, int code);
  void arrange_counts();
  void write_preparations(const std::optional<RelayRecord>& record);
  void forget_record(const RelayRecord& record, std::int64_t newest);
  bool up_to_date(const std::optional<RelayRecord>& record, const std::string& boot_id);

  Options options;
  Place place;
  const std::array<std::string, 4> files{place.path, place.path + "-wal", place.path + "-shm",
                                         place.path + "-journal"};
  std::shared_ptr<Clock> clock;
  std::optional<RelayFile> relay_file;
  std::unique_ptr<Connection> writer;
  std::optional<SalvageReport> salvaged;
  Identity origin{};
  std::int64_t machine = 0;
  std::int64_t boot = 0;
  bool made_relay_file = false;
  bool making_database = false;
  bool made_database = false;
  bool has_tables = false;
  bool done = false;
};

void Store::Opening::lock() {
  const auto timeout = std::max(options.busy_timeout, std::chrono::milliseconds{100});
  for (int attempt = 0; attempt < 10; ++attempt) {
    relay_file.emplace(place.relay_path);
    made_relay_file = relay_file->made();
    if (!relay_file->lock(RelayByte::opening, timeout)) {
      throw BusyError{"open " + place.path, "another process is opening the file and does not come to an end",
                      "try again; if it stays so, look for a stopped process that has the -relay file open"};
    }
    // Shared for as long as the store lives: a salvage must not move the file away from under it.
    if (relay_file->current() && relay_file->try_share(RelayByte::in_use)) return;
    // Another opening failed and took its file away between our open and our lock.
  }
  throw OpenError{"open " + place.path, "the relay file " + place.relay_path + " is deleted again and again",
                  "do not let another program delete it"};
}

void Store::Opening::make_database() {
  finish_salvage(place.path);
  struct stat status {};
  if (::stat(place.path.c_str(), &status) == 0) {
    refuse_hard_link(place.path);
    // SQLite would take it for a new one, and delete the log.
    if (status.st_size == 0 && relay_file->past())
      throw SQLite::Exception{"the file is empty, and its relay file remembers messages", SQLITE_CORRUPT};
    return;
  }
  if (options.visiting && !salvaged)
    throw OpenError{"open " + place.path, "there is no such file",
                    "name the database file of the application"};
  if (const std::optional<RelayRecord> past = relay_file->past(); past && !salvaged) {
    tell(options,
         fmt::format("{} was gone with all that it held; its relay file remembers rows up to {}: a new "
                     "database begins",
                     place.path, past->highest_sent));
  }
  // Made by SQLite itself with the mode of the relay file, 0600: descriptors of our own on a database file
  // are dangerous, and the process's umask belongs to the application.
  const std::string uri = "file:" + uri_path(place.path) + "?modeof=" + uri_path(place.relay_path);
  making_database = true;
  const SQLite::Database database{uri, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_URI, 0,
                                  options.vfs};
  made_database = true;
}

void Store::Opening::connect() {
  const std::string& path = place.path;
  bool fresh = false;
  {
    // Before anything is written: a file that is not ours to change is left exactly as it is.
    SQLite::Database look{path, SQLite::OPEN_READWRITE, static_cast<int>(options.busy_timeout.count()),
                          options.vfs};
    keep_log(look.getHandle());
    if (sqlite3_db_readonly(look.getHandle(), "main") == 1) {
      throw OpenError{"open " + path, "the file can only be read",
                      "make the file and its directory writable for this user, and the file system writable"};
    }
    const char* name = sqlite3_db_filename(look.getHandle(), "main");
    if (name == nullptr || place.path != name) {
      throw OpenError{"open " + path, fmt::format("SQLite opens it as '{}'", name == nullptr ? "" : name),
                      "use a VFS that keeps files where they are named"};
    }
    fresh = !has_any_table(look);
    has_tables = !fresh;
    const std::optional<SchemaVersion> version = read_schema_version(look);
    refuse_newer(path, version);
    if (options.visiting && !version && !salvaged) {
      throw OpenError{"open " + path, "there is no outbox in this file",
                      "name the file that the application opens with satchel"};
    }
  }
  writer = std::make_unique<Connection>(path, options, Role::writer, fresh && made_database);
  if (!options.reserve) return;
  has_any_table(writer->database());  // a first read, which opens the log
  take_reserve(writer->handle(), path, writer->page_size(), reserve_of(options, writer->page_size()));
  relay_file->reserve(options.window);
}

bool Store::Opening::up_to_date(const std::optional<RelayRecord>& record, const std::string& boot_id) {
  SQLite::Database& database = writer->database();
  const std::optional<SchemaVersion> version = read_schema_version(database);
  if (!version || version->version < kSchemaVersion) return false;
  const std::optional<Boot> known = find_boot(database, boot_id);
  if (!known || (!known->wall_offset && clock->wall().trusted)) return false;
  if (options.durability == Durability::relaxed) {
    Statement relaxed{database, "SELECT value FROM satchel_state WHERE name = 'relaxed_writers'"};
    if (!relaxed.step() || relaxed.integer(0) == 0) return false;
  }
  if (!options.visiting && !exact_counts_are(database, options.quota.exact)) return false;
  boot = known->number;
  origin = read_origin(database);
  return reason_for_new_range(read_ranges(database), newest_row(database), origin, machine, record).empty();
}

void Store::Opening::prepare() {
  const std::optional<RelayRecord> record = relay_file->past();
  const std::string boot_id = clock->boot_id();
  machine = machine_hash(options.device_id);
  if (options.visiting) {
    // Whose file it is, only its owner knows.
    const std::vector<IdentityRange> ranges = read_ranges(writer->database());
    if (!ranges.empty()) machine = ranges.back().machine;
  }
  // An opening that finds everything in place writes nothing.
  if (!salvaged && up_to_date(record, boot_id)) return;
  write_preparations(record);
}

void Store::Opening::write_preparations(const std::optional<RelayRecord>& record) {
  SQLite::Database& database = writer->database();
  std::string reason;
  std::int64_t newest = 0;
  std::int64_t last = 0;
  {
    Immediate transaction{*writer};
    refuse_newer(place.path, read_schema_version(database));
    migrate(database, migrations(), kSchemaCompatible);
    const Boot current = add_boot(database, clock->boot_id());
    boot = current.number;
    if (const auto offset = trusted_offset(*clock); offset && !current.wall_offset)
      note_wall_offset(database, boot, *offset);
    // Of a salvaged file nobody knows who wrote last.
    if (options.durability == Durability::relaxed || salvaged) {
      Statement{database, "UPDATE satchel_state SET value = 1 WHERE name = 'relaxed_writers'"}.run();
    }
    origin = read_origin(database);
    newest = last = newest_row(database);
    // Newer rows than those that were read may have been given ids, and sent.
    reason =
        salvaged ? "salvaged" : reason_for_new_range(read_ranges(database), newest, origin, machine, record);
    if (reason == "restored" && options.on_restore == OnRestore::keep) {
      newest = record->highest_sent;
      go_on_behind(database, newest);
    } else if (!reason.empty()) {
      begin_range(database, newest, machine, reason);
    }
    arrange_counts();
    transaction.commit();
  }
  has_tables = true;
  if (made_database) sync_directory(place.path);
  if (record && reason == "restored") {
    forget_record(*record, newest);
    const bool kept = options.on_restore == OnRestore::keep;
    tell(options,
         fmt::format(
             "rows {} to {} were committed once and are not in the file any more: it was restored from "
             "an older copy, the end of its write-ahead log was lost, or the power was cut under relaxed "
             "durability. Messages from row {} on have {} identity",
             last + 1, record->highest_sent, newest + 1, kept ? "the same" : "a new"));
  }
  if (reason == "cloned")
    tell(options,
         fmt::format("messages from row {} on have a new identity: the file was cloned", newest + 1));
}

void Store::Opening::arrange_counts() {
  SQLite::Database& database = writer->database();
  const bool wanted = options.quota.exact;
  if (options.visiting || exact_counts_are(database, wanted)) return;
  // Another outbox that has the file open may go by them.
  if (!wanted && !relay_file->try_lock(RelayByte::in_use)) return;
  set_exact_counts(database, wanted);
  relay_file->try_share(RelayByte::in_use);
}

void Store::Opening::look_for_damage() {
  if (const std::string damage = header_damage(writer->database()); !damage.empty())
    throw SQLite::Exception{damage, SQLITE_CORRUPT};
  const bool marked = relay_file->damage_marked();
  if (!marked && !options.check_at_open) return;
  const std::string damage = first_damage(writer->database());
  if (!damage.empty()) throw SQLite::Exception{damage, SQLITE_CORRUPT};
  if (marked) relay_file->mark_damage(false);
}

void Store::Opening::rescue(const std::string& problem, int code) {
  writer.reset();
  const std::string what = "open " + place.path;
  // Without a relay file it may be anything that somebody has named by mistake.
  const bool ours = !made_relay_file || primary(code) != SQLITE_NOTADB;
  if (!ours || options.on_damage == OnDamage::refuse)
    throw_open_error(what, SQLite::Exception{problem, code});
  if (!relay_file->try_lock(RelayByte::in_use)) {
    throw OpenError{
        what, fmt::format("the file is damaged ({}), and another outbox has it open", problem),
        "close it there, in this process or another, then open it again: that salvages what can be "
        "read",
        code};
  }
  Salvage saved = salvage(place.path, options, problem);
  const std::optional<RelayRecord> newest = relay_file->newest();
  if (saved.report.end_unread && newest && newest->highest_sent >= saved.newest) {
    saved.report.unread_ids += static_cast<std::uint64_t>(newest->highest_sent - saved.newest);
    saved.report.end_unread = false;
  }
  salvaged = std::move(saved.report);
  has_tables = true;
  relay_file->mark_damage(false);
  relay_file->try_share(RelayByte::in_use);
}

void Store::Opening::run() {
  refuse_inherited(place.path);
  lock();
  for (int attempt = 0;; ++attempt) {
    try {
      make_database();
      connect();
      look_for_damage();
      prepare();
      require_columns(writer->database());
      return;
    } catch (const SQLite::Exception& failure) {
      if (attempt == 2) throw;
      std::string problem = failure.what();
      if (!is_damage(code_of(failure))) {
        if (primary(code_of(failure)) != SQLITE_ERROR) throw;
        writer.reset();
        problem = hidden_damage(place.path, options.vfs);
        if (problem.empty()) throw;
      }
      // Once more first: a device that has read badly once is not yet a damaged file.
      if (attempt == 1) rescue(problem, code_of(failure));
    }
    writer.reset();
  }
}

void Store::Opening::forget_record(const RelayRecord& record, std::int64_t newest) {
  // What it remembers is answered by the new range; left as it is, it would ask for one at every opening.
  // Somebody who has the leader's lock writes it anew by himself.
  relay_file->note_newest(origin, newest);
  if (!relay_file->try_lock(RelayByte::leader)) return;
  RelayRecord answered = record;
  ++answered.sequence;
  answered.highest_sent = newest;
  answered.in_flight.clear();
  relay_file->write(answered);
  relay_file->unlock(RelayByte::leader);
}

std::shared_ptr<Store> Store::open(const std::string& path, const Options& options) {
  validate(options);
  Opening opening{path, options};
  opening.clock = options.clock ? options.clock : system_clock();
  try {
    opening.run();
  } catch (const SQLite::Exception& failure) {
    throw_open_error("open " + opening.place.path, failure);
  }
  Site site;
  site.path = opening.place.path;
  site.relay_path = opening.place.relay_path;
  site.wal_path = opening.place.path + "-wal";
  site.options = options;
  site.clock = opening.clock;
  site.file = shared_file(opening.place.path);
  site.origin = opening.origin;
  site.machine = opening.machine;
  site.boot = opening.boot;
  site.opened = to_ms(site.clock->now());
  const auto page = static_cast<std::int64_t>(opening.writer->page_size());
  site.checkpoint_frames =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(options.checkpoint_bytes) / page);
  site.max_wal_frames =
      std::max(site.checkpoint_frames, static_cast<std::int64_t>(options.max_wal_bytes) / page);
  opening.writer->count_frames(site.file);
  take_up_log(opening.writer->handle(), *opening.relay_file, site.clock->boot_id(), *site.file);
  for (const std::string& text : notices_about_sqlite()) tell(options, text);
  if (opening.salvaged) {
    tell(options, opening.salvaged->summary());
    if (options.observer) options.observer->salvaged(*opening.salvaged);
  }
  opening.relay_file->unlock(RelayByte::opening);
  std::shared_ptr<Store> store{
      new Store{std::move(site), std::move(opening.writer), *std::move(opening.relay_file)}};
  store->salvaged_ = std::move(opening.salvaged);
  opening.done = true;
  return store;
}

}  // namespace satchel::store
