// SPDX-License-Identifier: MIT
#include "store/writing.hpp"

#include "base/fork.hpp"
#include "base/headers.hpp"
#include "base/validate.hpp"
#include "store/damage.hpp"
#include "store/errors.hpp"
#include "store/writer.hpp"

#include <fmt/core.h>

#include <utility>

namespace satchel::store {

Writing::Writing(std::shared_ptr<Store> store)
    : store_{std::move(store)}, began_{store_->site_.clock->now()} {}

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

MessageId Writing::enqueue(const Message& message) {
  require_open("enqueue");
  const Options& options = store_->site_.options;
  if (messages_ >= options.max_transaction_messages) {
    throw FullError{"enqueue", fmt::format("the transaction holds {} messages already", messages_),
                    "commit earlier, or raise Options::max_transaction_messages"};
  }
  const Message checked = validated(message, options);
  try {
    const MessageId id = insert(checked);
    ++messages_;
    return id;
  } catch (const SQLite::Exception& failure) {
    if (is_damage(code_of(failure))) note_damage(store_->site_.relay_path);
    if (store_->writer_->connection->in_transaction()) throw_error("enqueue", failure);
    throw_error("enqueue", code_of(failure),
                std::string{failure.what()} + "; the transaction was rolled back");
  }
}

MessageId Writing::insert(const Message& message) {
  Store::Writer& writer = *store_->writer_;
  const Site& site = store_->site_;
  const std::string headers = message.headers.empty() ? std::string{} : encode_headers(message.headers);
  Use row{writer.insert};
  row->bind_text(1, message.topic)
      .bind_blob(2, message.payload)
      .bind_optional_text(3, message.key)
      .bind_optional_text(4, message.content_type)
      .bind_optional_text(5, headers)
      .bind(6, site.boot)
      .bind(7, to_ms(site.clock->now()));
  if (message.expires_after) {
    row->bind(8, message.expires_after->count());
  } else {
    row->bind_null(8);
  }
  row->run();
  MessageId id;
  id.row = sqlite3_last_insert_rowid(writer.connection->handle());
  newest_ = id.row;
  // Ranges change by commits of others alone, and none can come while this transaction is open.
  const std::int64_t version = messages_ == 0 ? writer.connection->data_version() : writer.ranges_version;
  if (version != writer.ranges_version || writer.ranges.empty()) {
    writer.ranges = read_ranges(writer.connection->database());
    writer.ranges_version = version;
  }
  id.identity = identity_of(writer.ranges, id.row);
  return id;
}

void Writing::commit() {
  require_open("commit");
  Connection& connection = *store_->writer_->connection;
  try {
    connection.commit();
  } catch (const SQLite::Exception& failure) {
    commit_failed(code_of(failure), failure.what());
  }
  if (messages_ > 0) store_->note_newest(newest_);
  store_->limit_log();
  const bool news = messages_ > 0 || store_->site_.options.external_writers;
  end();
  if (news) store_->announce();
}

void Writing::commit_failed(int code, const std::string& message) {
  store_->writer_->connection->rollback();
  if (is_damage(code)) note_damage(store_->site_.relay_path);
  const bool unknown = primary(code) == SQLITE_IOERR;
  if (unknown) {
    // The frames may be in the log: after a crash the commit would come back. The next commit overwrites
    // them.
    store_->fence();
  }
  end();
  if (!unknown) throw_error("commit", code, message);
  throw OutcomeUnknown{"commit", "I/O error in the commit: " + message,
                       "rows and messages share one fate: look for the rows after the next restart, or write "
                       "them again in a way "
                       "that bears a repetition; check the storage device",
                       code};
}

void Writing::rollback() noexcept {
  if (!open_ || fork_generation() != store_->generation_) return;
  store_->writer_->connection->rollback();
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
