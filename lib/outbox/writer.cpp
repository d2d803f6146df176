// SPDX-License-Identifier: MIT
#include <satchel/writer.hpp>

#include "base/validate.hpp"
#include "outbox/writer_state.hpp"
#include "store/relay_file.hpp"

#include <satchel/error.hpp>

#include <optional>
#include <utility>

namespace satchel {

namespace {

sqlite3* usable(sqlite3* database) {
  if (database == nullptr) throw UsageError{"make a writer", "no connection", "pass an open one"};
  return database;
}

}  // namespace

Writer::Hold::Hold(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
Writer::Hold::Hold(Hold&&) noexcept = default;
Writer::Hold::~Hold() = default;

Writer::Writer(SQLite::Database& database, WriterOptions options)
    : Writer{database.getHandle(), std::move(options)} {}

Writer::Writer(sqlite3* database, WriterOptions options)
    : state_{std::make_unique<State>(usable(database), std::move(options))} {}

Writer::~Writer() {
  // In a forked child the connection belongs to the parent, and so do the statements on it.
  if (state_ && fork_generation() != state_->born) static_cast<void>(state_.release());
}

Writer::Writer(Writer&&) noexcept = default;

Writer& Writer::operator=(Writer&& other) noexcept {
  if (this != &other) {
    Writer old{std::move(*this)};
    state_ = std::move(other.state_);
  }
  return *this;
}

Writer::State& Writer::state(const char* operation) const {
  if (!state_) throw UsageError{operation, "this writer was moved from", "use the one that it was moved to"};
  refuse_in_child(state_->born, operation);
  return *state_;
}

MessageId Writer::enqueue(const Message& message) {
  State& writer = state("enqueue");
  const std::optional<Message> complete = writer.hooks.propagated(message);
  const Message checked = validated(complete ? *complete : message, writer.options);
  if (writer.in_transaction()) return writer.insert_in_open_transaction(checked);
  const MessageId id = writer.insert_in_own_transaction(checked);
  committed();
  return id;
}

void Writer::committed() noexcept {
  // Also where the relay is in this process: it watches the file for the others anyway.
  if (state_ && fork_generation() == state_->born) store::touch_relay_file(state_->relay_path);
}

void Writer::add_propagator(HeaderPropagator propagator) {
  state("add_propagator").hooks.add_propagator(std::move(propagator));
}

Writer::Hold Writer::gate() {
  State& writer = state("gate");
  std::unique_ptr<Hold::State> hold = writer.enter_gate("gate");
  writer.held = hold->token;
  return Hold{std::move(hold)};
}

const std::vector<std::string>& Writer::notices() const { return state("notices").notices; }

}  // namespace satchel
