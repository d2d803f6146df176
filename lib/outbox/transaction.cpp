// SPDX-License-Identifier: MIT
#include "outbox/transaction_state.hpp"
#include "store/errors.hpp"

#include <satchel/error.hpp>
#include <satchel/transaction.hpp>

#include <SQLiteCpp/Statement.h>

#include <string>
#include <utility>

namespace satchel {

namespace {

// Binds each kind of parameter without a copy: the values outlive the statement.
struct Bind {
  SQLite::Statement& statement;
  int index;

  void operator()(std::nullptr_t) const { statement.bind(index); }
  void operator()(std::int64_t value) const { statement.bind(index, value); }
  void operator()(double value) const { statement.bind(index, value); }
  void operator()(std::string_view value) const { statement.bind(index, std::string{value}); }
  void operator()(std::span<const std::byte> value) const {
    // An empty span has no address, and SQLite reads a null pointer as NULL.
    const void* data = value.empty() ? static_cast<const void*>("") : value.data();
    statement.bind(index, data, static_cast<int>(value.size()));
  }
};

}  // namespace

Transaction::Transaction(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

bool Transaction::open() const noexcept { return state_ && state_->writing->open(); }

Transaction::State& Transaction::state(const char* operation) {
  if (!open()) {
    throw UsageError{operation, "the transaction has ended", "begin a new one after commit or rollback"};
  }
  return *state_;
}

SQLite::Database& Transaction::database() { return state("database").writing->database(); }

int Transaction::run(std::string_view sql, std::span<const Parameter> parameters) {
  SQLite::Database& connection = state("execute").writing->database();
  try {
    SQLite::Statement statement{connection, std::string{sql}};
    int index = 0;
    for (const Parameter& parameter : parameters) std::visit(Bind{statement, ++index}, parameter);
    return statement.exec();
  } catch (const SQLite::Exception& failure) {
    store::throw_error("execute", failure);
  }
}

MessageId Transaction::enqueue(const Message& message) { return state("enqueue").writing->enqueue(message); }

void Transaction::commit() { state("commit").writing->commit(); }

void Transaction::rollback() noexcept {
  if (open()) state_->writing->rollback();
}

}  // namespace satchel
