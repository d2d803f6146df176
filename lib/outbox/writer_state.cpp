// SPDX-License-Identifier: MIT
//
// What a writer does on the application's connection. Its statements name the schema, because a temporary
// table of the application may have any name.
#include "outbox/writer_state.hpp"

#include "base/validate.hpp"
#include "store/ages.hpp"
#include "store/errors.hpp"
#include "store/place.hpp"
#include "store/schema.hpp"
#include "store/sqlite_copies.hpp"
#include "store/store.hpp"

#include <satchel/error.hpp>

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace satchel {

namespace {

using store::Statement;

Options checked(const WriterOptions& limits) {
  Options options;
  options.max_payload_bytes = limits.max_payload_bytes;
  options.max_header_bytes = limits.max_header_bytes;
  options.clock = limits.clock;
  options.observer = limits.observer;
  options.topics = limits.topics;
  options.quota = limits.quota;
  options.announce_topic = limits.announce_topic;
  validate(options);
  return options;
}

// SQLite has one such number for the whole connection, and the application may still want its own.
class KeepRowid {
 public:
  explicit KeepRowid(sqlite3* database) : database_{database}, rowid_{sqlite3_last_insert_rowid(database)} {}
  ~KeepRowid() { sqlite3_set_last_insert_rowid(database_, rowid_); }
  KeepRowid(const KeepRowid&) = delete;
  KeepRowid& operator=(const KeepRowid&) = delete;

 private:
  sqlite3* database_;
  sqlite3_int64 rowid_;
};

[[noreturn]] void throw_enqueue_error(const SQLite::Exception& failure, bool rolled_back) {
  const int code = store::code_of(failure);
  if (code == SQLITE_BUSY_SNAPSHOT) {
    throw BusyError{"enqueue", "the transaction began with a read, and somebody has written since",
                    "roll back and try again; begin with BEGIN IMMEDIATE, no busy timeout helps", code};
  }
  if (rolled_back) {
    store::throw_error("enqueue", code, std::string{failure.what()} + "; the transaction was rolled back");
  }
  store::throw_error("enqueue", failure);
}

}  // namespace

Writer::State::State(sqlite3* connection, WriterOptions wanted)
    : database{connection},
      limits{std::move(wanted)},
      options{checked(limits)},
      clock{limits.clock ? limits.clock : system_clock()},
      identity_{
          connection,
          "SELECT identity FROM main.satchel_identity WHERE first_id <= ? ORDER BY first_id DESC LIMIT 1"},
      find_boot_{connection, "SELECT boot FROM main.satchel_boot WHERE boot_id = ?"},
      add_boot_{connection, "INSERT INTO main.satchel_boot(boot_id) VALUES (?)"},
      relaxed_{connection,
               "UPDATE main.satchel_state SET value = 1 WHERE name = 'relaxed_writers' AND value = 0"} {
  store::in_our_terms("make a writer", [&] {
    check_file();
    check_tables();
    examine();
  });
  for (const std::string& text : notices) {
    if (limits.observer) limits.observer->notice(text);
  }
}

std::string Writer::State::ask(const char* pragma) const {
  // Not kept: SQLite answers some pragmas from what it knew when the statement was compiled.
  Statement statement{database, pragma};
  return statement.step() ? std::string{statement.text(0)} : std::string{};
}

bool Writer::State::in_transaction() const noexcept { return sqlite3_get_autocommit(database) == 0; }

// ---- what is checked ----

void Writer::State::check_file() const {
  if (store::opened_elsewhere(database)) {
    throw UsageError{"make a writer", "the connection was opened by another copy of SQLite than satchel's",
                     "link the program and satchel against one SQLite: with two, closing a file loses locks"};
  }
  const char* path = sqlite3_db_filename(database, "main");
  if (path == nullptr || *path == '\0') {
    throw UsageError{"make a writer", "the connection has no file: it is in memory or temporary",
                     "open the database in a file"};
  }
  if (sqlite3_db_readonly(database, "main") != 0) {
    throw UsageError{"make a writer", fmt::format("the connection to {} can only read", path),
                     "open it for writing"};
  }
}

void Writer::State::check_tables() const {
  const char* const path = sqlite3_db_filename(database, "main");
  const auto missing = [&] {
    return ask("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'satchel_state'").empty();
  };
  if (missing() && limits.create) {
    if (in_transaction()) {
      throw UsageError{"make a writer", "the satchel_ tables cannot be made while a transaction is open",
                       "make the writer first, or open an Outbox on the file before"};
    }
    // The application has the file open: it must not be moved away from under it.
    Options making = options;
    making.on_damage = OnDamage::refuse;
    store::Store::open(path, making);
  }
  if (missing()) {
    throw UsageError{"make a writer", fmt::format("{} has no satchel_ tables", path),
                     "open an Outbox on the file first, or set WriterOptions::create"};
  }
  const std::string mode = ask("PRAGMA main.journal_mode");
  if (mode != "wal") {
    throw UsageError{"make a writer", fmt::format("{} has journal mode {}", path, mode),
                     "set PRAGMA journal_mode=WAL, or open an Outbox on the file, which does"};
  }
  Statement state{database, "SELECT value FROM main.satchel_state WHERE name = 'schema_compatible'"};
  const std::int64_t needed = state.step() ? state.integer(0) : 0;
  if (needed > store::kSchemaVersion) {
    throw SchemaTooNew{"make a writer",
                       fmt::format("{} needs a satchel that knows schema {}; this one knows {}", path, needed,
                                   store::kSchemaVersion),
                       "update the firmware, or open the file that belongs to this version"};
  }
}

void Writer::State::examine() {
  const std::string path = sqlite3_db_filename(database, "main");
  relay_path = path + "-relay";
  file = store::shared_file(path);
  in_use.emplace(relay_path);
  in_use->try_share(store::RelayByte::in_use);
  enqueuer_.emplace(store::Enqueuer::Desk{database, path, &options, file, &*in_use, true, true});
  notices = store::notices_about_sqlite();
  if (const std::string pages = ask("PRAGMA wal_autocheckpoint"); pages != "0") {
    notices.push_back(
        fmt::format("this connection checkpoints by itself every {} pages. The relay does that for all, and "
                    "before SQLite 3.51.3 "
                    "two checkpoints at once can lose committed pages: set PRAGMA wal_autocheckpoint=0.",
                    pages));
  }
  int kept = 0;
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &kept);
  if (kept == 0) {
    notices.emplace_back(
        "when this connection is the last one to be closed, it checkpoints and deletes the log that the "
        "relay keeps for "
        "the time when the disk is full: call sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, "
        "0).");
  }
  const std::string synchronous = ask("PRAGMA main.synchronous");
  if (synchronous != "2" && synchronous != "3") {
    notices.emplace_back(
        "PRAGMA synchronous is below FULL: a power cut may take the last transactions with their messages, "
        "though none "
        "that was sent, for the relay now syncs before it sends. Set PRAGMA synchronous=FULL to keep what "
        "was committed.");
  }
  if (ask("PRAGMA busy_timeout") == "0") {
    notices.emplace_back(
        "this connection has no busy timeout: BEGIN IMMEDIATE fails at once while another process writes. "
        "Set PRAGMA "
        "busy_timeout=5000, unless it has a busy handler.");
  }
  if (in_transaction()) return;
  // Outside of a transaction what is read is committed and may be kept.
  const std::string boot_id = clock->boot_id();
  store::Use known{find_boot_};
  known->bind_text(1, boot_id);
  if (known->step()) boot = known->integer(0);
}

// ---- what is written ----

std::unique_ptr<Writer::Hold::State> Writer::State::enter_gate(const char* operation) {
  if (file->gate.held_by_this_thread()) {
    throw UsageError{operation, "this thread has the write access of the file already",
                     "use the transaction that it has open, or end that first"};
  }
  auto hold = std::make_unique<Hold::State>(file);
  file->gate.enter();
  hold->holds = true;
  return hold;
}

std::int64_t Writer::State::boot_number() {
  if (boot) return *boot;
  // Not kept: the row may be our own from this transaction, and go with it.
  const std::string boot_id = clock->boot_id();
  {
    store::Use known{find_boot_};
    known->bind_text(1, boot_id);
    if (known->step()) return known->integer(0);
  }
  store::Use row{add_boot_};
  row->bind_text(1, boot_id);
  row->run();
  return sqlite3_last_insert_rowid(database);
}

void Writer::State::note_durability() {
  const std::string synchronous = ask("PRAGMA main.synchronous");
  // The relay reads this after the rows, and syncs before it sends any of them.
  if (synchronous != "2" && synchronous != "3") relaxed_.run();
}

MessageId Writer::State::insert(const Message& message) {
  const KeepRowid keep{database};
  store::refuse_moved(*file, sqlite3_db_filename(database, "main"), "enqueue");
  note_durability();
  const std::int64_t boot_of_message = boot_number();
  const store::EnqueueTime at{boot_of_message, store::to_ms(clock->now()), opened};
  MessageId id;
  enqueuer_->begin();
  id.row = enqueuer_->add(message, at);
  // Nobody says how the transaction ends, so that nothing can wait for it.
  enqueuer_->announce(at);
  for (const auto& [group, messages] : enqueuer_->end(true)) {
    if (limits.observer) limits.observer->dropped(group.first, group.second, messages);
  }
  if (id.row == 0) return id;
  store::Use range{identity_};
  range->bind(1, id.row);
  if (range->step()) {
    const std::string_view bytes = range->text(0);
    std::copy_n(bytes.begin(), std::min(bytes.size(), id.identity.size()), id.identity.begin());
  }
  return id;
}

void Writer::State::commit() {
  try {
    Statement{database, "COMMIT"}.run();
  } catch (const SQLite::Exception& failure) {
    const int code = store::code_of(failure);
    roll_back();
    if (store::primary(code) != SQLITE_IOERR) store::throw_error("enqueue", failure);
    throw OutcomeUnknown{"enqueue", std::string{"I/O error in the commit: "} + failure.what(),
                         "after a restart the message may be there or not; check the storage device", code};
  }
}

void Writer::State::roll_back() noexcept {
  if (in_transaction()) sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
}

MessageId Writer::State::insert_in_own_transaction(const Message& message) {
  const bool mine = file->gate.held_by_this_thread() && !held.expired();
  const std::unique_ptr<Hold::State> hold = mine ? nullptr : enter_gate("enqueue");
  try {
    Statement{database, "BEGIN IMMEDIATE"}.run();
    const MessageId id = insert(message);
    commit();
    return id;
  } catch (const SQLite::Exception& failure) {
    roll_back();
    throw_enqueue_error(failure, false);
  } catch (...) {
    roll_back();
    throw;
  }
}

MessageId Writer::State::insert_in_open_transaction(const Message& message) {
  try {
    return insert(message);
  } catch (const SQLite::Exception& failure) {
    throw_enqueue_error(failure, !in_transaction());
  }
}

}  // namespace satchel
