// SPDX-License-Identifier: MIT
#include "store/writing.hpp"

#include "base/fork.hpp"
#include "base/headers.hpp"
#include "base/validate.hpp"
#include "store/damage.hpp"
#include "store/errors.hpp"
#include "store/writer.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cstdint>
#include <new>
#include <utility>

namespace satchel::store {
namespace {

// Binds each kind of parameter without a copy: the values outlive the use of the statement. What has no
// address is not NULL.
struct Bind {
  sqlite3_stmt* statement;
  int index;

  int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
  int operator()(std::string_view value) const {
    const char* text = value.empty() ? "" : value.data();
    return sqlite3_bind_text64(statement, index, text, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(std::span<const std::byte> value) const {
    const void* data = value.empty() ? static_cast<const void*>("") : value.data();
    return sqlite3_bind_blob64(statement, index, data, value.size(), SQLITE_STATIC);
  }
};

/// What rides may write some pages more than the transaction alone: never the last ones.
bool has_room_to_ride(const std::string& path) {
  constexpr std::uint64_t kRoom = 4U << 20U;
  struct statvfs status {};
  return statvfs(path.c_str(), &status) == 0 && std::uint64_t{status.f_bavail} * status.f_frsize >= kRoom;
}

}  // namespace

Writing::Writing(std::shared_ptr<Store> store)
    : store_{std::move(store)}, began_{store_->site_.clock->now()} {
  store_->writer_->enqueuer.begin();
}

EnqueueTime Writing::now() const {
  return {store_->site_.boot, to_ms(store_->site_.clock->now()), store_->site_.opened};
}

Writing::~Writing() { rollback(); }

bool Writing::open() const noexcept { return open_ && store_->writer_->connection->in_transaction(); }

void Writing::require_open(const char* operation) const {
  store_->check_process(operation);
  if (!open_) {
    throw UsageError{operation, "the transaction is over", "begin a new one"};
  }
  if (!store_->writer_->connection->in_transaction()) {
    throw StorageError{operation,
                       "the transaction was rolled back by an error before, or ended by an SQL statement",
                       "roll back and begin a new one; never run COMMIT or ROLLBACK on its connection"};
  }
}

SQLite::Database& Writing::database() {
  require_open("transaction");
  return store_->writer_->connection->database();
}

int Writing::execute(std::string_view sql, std::span<const Parameter> parameters) {
  require_open("execute");
  Store::Writer& writer = *store_->writer_;
  sqlite3* const database = writer.connection->handle();
  StatementCache::Handle statement = writer.statements.take(database, sql);
  const auto check = [database](int result, int expected) {
    if (result != expected) throw failure_of(database, result);
  };
  int index = 0;
  for (const Parameter& parameter : parameters)
    check(std::visit(Bind{statement.get(), ++index}, parameter), SQLITE_OK);
  const int result = sqlite3_step(statement.get());
  if (result == SQLITE_ROW)
    throw SQLite::Exception{"the statement returns rows: read them by way of database()", SQLITE_ERROR};
  check(result, SQLITE_DONE);
  writer.statements.give_back(sql, std::move(statement));
  return sqlite3_changes(database);
}

MessageId Writing::enqueue(const Message& message) {
  require_open("enqueue");
  const Options& options = store_->site_.options;
  if (messages_ >= options.max_transaction_messages) {
    throw FullError{"enqueue", fmt::format("the transaction holds {} messages already", messages_),
                    "commit earlier, or raise Options::max_transaction_messages"};
  }
  const Message checked = validated(message, options);
  try {
    return insert(checked);
  } catch (const SQLite::Exception& failure) {
    if (is_damage(code_of(failure))) note_damage(store_->site_.relay_path);
    if (store_->writer_->connection->in_transaction()) throw_error("enqueue", failure);
    throw_error("enqueue", code_of(failure),
                std::string{failure.what()} + "; the transaction was rolled back");
  }
}

MessageId Writing::insert(const Message& message) {
  Store::Writer& writer = *store_->writer_;
  MessageId id;
  id.row = writer.enqueuer.add(message, now());
  if (id.row == 0) return id;
  newest_ = id.row;
  delayed_ = delayed_ || (message.not_before && message.not_before->count() > 0);
  // Ranges change by commits of others alone, and none can come while this transaction is open.
  const std::int64_t version = messages_ == 0 ? writer.connection->data_version() : writer.ranges_version;
  if (version != writer.ranges_version || writer.ranges.empty()) {
    writer.ranges = read_ranges(writer.all_ranges);
    writer.ranges_version = version;
  }
  id.identity = identity_of(writer.ranges, id.row);
  ++messages_;
  return id;
}

void Writing::dropped(DropReason reason, const std::vector<DroppedRow>& rows) {
  require_open("drop");
  store_->writer_->enqueuer.dropped(reason, rows, now());
}

void Writing::announce_drops() {
  const std::int64_t row = store_->writer_->enqueuer.announce(now());
  if (row == 0) return;
  newest_ = row;
  ++messages_;
}

void Writing::commit() {
  require_open("commit");
  Connection& connection = *store_->writer_->connection;
  bool committing = false;
  std::optional<std::int64_t> removed;
  std::int64_t newest = 0;
  try {
    announce_drops();
    removed = take_riders();
    // Asked of the file: the application may have rolled back to a savepoint of its own.
    if (messages_ > 0) newest = newest_row();
    committing = true;
    connection.commit();
  } catch (const SQLite::Exception& failure) {
    commit_failed(code_of(failure), failure.what(), committing);
  }
  Riders& riders = store_->site_.file->riders;
  if (removed) riders.arrived(*removed);
  if (messages_ > 0) riders.committed(store_->site_.clock->now());
  const auto drops = store_->writer_->enqueuer.end(true);
  if (newest > 0) store_->note_newest(newest);
  if (delayed_) store_->site_.file->delayed.fetch_add(1);
  store_->limit_log();
  const bool news = messages_ > 0 || store_->site_.options.external_writers;
  end();
  if (news) store_->announce();
  Observer* const observer = store_->site_.options.observer.get();
  if (observer == nullptr) return;
  for (const auto& [group, messages] : drops) observer->dropped(group.first, group.second, messages);
}

std::int64_t Writing::newest_row() const {
  {
    Use row{store_->writer_->is_there};
    if (row->bind(1, newest_).step()) return newest_;
  }
  Use newest{store_->writer_->newest};
  return newest->step() ? newest->integer(0) : 0;
}

std::optional<std::int64_t> Writing::take_riders() {
  const Site& site = store_->site_;
  // Behind a message of this transaction, so that the newest row is not among them and leaves no tombstone.
  // What is reserved for the relay's own records does not count on them.
  if (messages_ == 0 || site.options.reserve) return std::nullopt;
  Riders& riders = site.file->riders;
  Remover& remover = store_->writer_->remover;
  try {
    const std::optional<Riders::Group> group = riders.take(site.clock->now());
    if (!group) return std::nullopt;
    if (has_room_to_ride(site.path) && remover.epoch() == group->epoch)
      return remover.remove(runs_of(group->rows));
    riders.thrown_off(false);
  } catch (const SQLite::Exception&) {
    // Some may be removed, the others are not: the relay records them all.
    riders.thrown_off(true);
    if (!store_->writer_->connection->in_transaction()) throw;
  } catch (const std::bad_alloc&) {
    riders.thrown_off(true);
  }
  return std::nullopt;
}

void Writing::commit_failed(int code, const std::string& message, bool committing) {
  store_->writer_->connection->rollback();
  store_->writer_->enqueuer.end(false);
  if (is_damage(code)) note_damage(store_->site_.relay_path);
  // Whatever fails behind the last frame, and that may be memory for the index of the log, leaves the frames
  // there: after a crash the commit would come back. The next commit overwrites them. A lock or a rule
  // refuses before the first frame, and a full disk the last.
  const int kind = primary(code);
  const bool refused = kind == SQLITE_BUSY || kind == SQLITE_CONSTRAINT || kind == SQLITE_FULL;
  const bool fenced = !committing || refused || store_->fence();
  const bool unknown = committing && (kind == SQLITE_IOERR || !fenced);
  store_->site_.file->riders.thrown_off(unknown);
  end();
  if (!unknown) throw_error("commit", code, message);
  throw OutcomeUnknown{"commit", "failure in the middle of the commit: " + message,
                       "rows and messages share one fate: look for the rows after the next restart, or write "
                       "them again in a way "
                       "that bears a repetition; check the storage device",
                       code};
}

void Writing::rollback() noexcept {
  if (!open_ || fork_generation() != store_->generation_) return;
  store_->writer_->connection->rollback();
  store_->writer_->enqueuer.end(false);
  end();
}

void Writing::end() noexcept {
  open_ = false;
  const Site& site = store_->site_;
  store_->current_.store(nullptr);
  const auto held = std::chrono::duration_cast<std::chrono::milliseconds>(site.clock->now() - began_);
  site.file->gate.leave();
  if (held > site.options.gate_report_after && site.options.observer) site.options.observer->gate_held(held);
}

}  // namespace satchel::store
