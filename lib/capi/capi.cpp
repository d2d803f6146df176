// SPDX-License-Identifier: MIT
#include "capi/callback_observer.hpp"
#include "capi/convert.hpp"
#include "capi/guard.hpp"
#include "capi/handles.hpp"
#include "capi/not_found.hpp"
#include "capi/outboxes.hpp"

#include <satchel/satchel.h>
#include <satchel/features.hpp>
#include <satchel/log.hpp>
#include <satchel/outbox.hpp>
#include <satchel/transaction.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace satchel::capi {

namespace {

constexpr std::size_t kLettersAtOnce = 100;

/// A transaction with the thread that it belongs to.
struct OwnedTransaction {
  Transaction transaction;
  std::thread::id owner = std::this_thread::get_id();
};

Handles<satchel_transaction, OwnedTransaction>& transactions() {
  static auto* all = new Handles<satchel_transaction, OwnedTransaction>;
  return *all;
}

void check_owner(const OwnedTransaction& found, const char* operation) {
  if (found.owner != std::this_thread::get_id()) {
    throw UsageError{operation, "the transaction belongs to another thread", "use it where it was begun"};
  }
}

std::shared_ptr<OwnedTransaction> own(const satchel_transaction* handle, const char* operation) {
  std::shared_ptr<OwnedTransaction> found = transactions().find(handle, operation);
  check_owner(*found, operation);
  return found;
}

/// Ends the handle too, unless the call comes from a thread that has no right to.
std::shared_ptr<OwnedTransaction> take_own(const satchel_transaction* handle, const char* operation) {
  own(handle, operation);
  return transactions().take(handle, operation);
}

std::shared_ptr<Observer> logging(const satchel_options& c, std::shared_ptr<Observer> next) {
  if (c.log_level < SATCHEL_LOG_DEBUG || c.log_level > SATCHEL_LOG_ERROR)
    throw InvalidOption{"open", "log_level is " + std::to_string(c.log_level), "a satchel_log_level"};
  // Recursive: the callback may call the outbox, which may have something to say about that.
  return log_to(
      [callback = c.on_log, context = c.log_context, mutex = std::make_shared<std::recursive_mutex>()](
          LogLevel level, std::string_view line) {
        const std::string text{line};
        const std::lock_guard lock{*mutex};
        callback(context, static_cast<int>(level), text.c_str());
      },
      static_cast<LogLevel>(c.log_level), std::move(next));
}

static_assert(static_cast<int>(LogLevel::debug) == SATCHEL_LOG_DEBUG);
static_assert(static_cast<int>(LogLevel::info) == SATCHEL_LOG_INFO);
static_assert(static_cast<int>(LogLevel::warning) == SATCHEL_LOG_WARNING);
static_assert(static_cast<int>(LogLevel::error) == SATCHEL_LOG_ERROR);

Options options_of(const satchel_options* given_options) {
  if (given_options == nullptr) return {};
  const satchel_options c = read(given_options, "open", to_c(Options{}));
  Options options = to_cpp(c);
  if (c.on_event != nullptr)
    options.observer = std::make_shared<CallbackObserver>(c.on_event, c.event_context);
  if (c.on_log != nullptr) options.observer = logging(c, std::move(options.observer));
  return options;
}

void for_each_letter(const Outbox& outbox, std::int64_t after, std::size_t limit,
                     satchel_dead_letter_callback callback, void* context) {
  while (limit > 0) {
    const std::vector<DeadLetter> letters = outbox.dead_letters(std::min(limit, kLettersAtOnce), after);
    if (letters.empty()) return;
    for (const DeadLetter& letter : letters) {
      const LetterView view{letter};
      if (callback(context, view.get()) != 0) return;
    }
    after = letters.back().id.row;
    limit -= letters.size();
  }
}

void found_or_throw(bool found, const satchel_message_id& id, const char* operation) {
  if (found) return;
  throw NotFound{operation, "there is no dead letter " + to_cpp(id).to_string(), "list them again"};
}

}  // namespace

// Never destroyed: a thread of the application may still call while the process ends.
Handles<satchel_outbox, Outbox>& outboxes() {
  static auto* all = new Handles<satchel_outbox, Outbox>;
  return *all;
}

}  // namespace satchel::capi

using namespace satchel::capi;  // NOLINT: what follows is this interface's outside

const char* satchel_version(void) { return SATCHEL_VERSION; }

// ---- messages ----

int satchel_message_id_to_text(const satchel_message_id* id, char* text, size_t text_size) {
  return guarded("message_id_to_text", [&] {
    const std::string made = to_cpp(*given(id, "message_id_to_text", "the id")).to_string();
    given(text, "message_id_to_text", "the text");
    if (text_size <= made.size()) {
      throw satchel::UsageError{"message_id_to_text", "there is no room for the id",
                                "give it SATCHEL_MESSAGE_ID_TEXT bytes"};
    }
    std::memcpy(text, made.c_str(), made.size() + 1);
  });
}

int satchel_message_id_from_text(const char* text, satchel_message_id* id) {
  return guarded("message_id_from_text", [&] {
    given(text, "message_id_from_text", "the text");
    given(id, "message_id_from_text", "the id");
    const auto parsed = satchel::MessageId::parse(text);
    if (!parsed) {
      throw satchel::UsageError{"message_id_from_text", "this is not a message id",
                                "an id is 32 hexadecimal digits, a minus sign and a number"};
    }
    *id = to_c(*parsed);
  });
}

// ---- the outbox ----

int satchel_options_init(satchel_options* options, size_t size) {
  return guarded("options_init", [&] {
    satchel_options defaults = to_c(satchel::Options{});
    given(options, "options_init", "the structure");
    check_size<satchel_options>(size, "options_init");
    defaults.size = size;
    std::memset(static_cast<void*>(options), 0, size);
    std::memcpy(static_cast<void*>(options), &defaults, std::min(size, sizeof defaults));
  });
}

int satchel_open(const char* path, const satchel_options* options, satchel_outbox** outbox) {
  if (outbox != nullptr) *outbox = nullptr;
  return guarded("open", [&] {
    given(outbox, "open", "the place for the handle");
    auto opened = std::make_shared<satchel::Outbox>(given(path, "open", "the path"), options_of(options));
    *outbox = outboxes().add(std::move(opened));
  });
}

int satchel_open_from_environment(const char* path, const char* prefix, const satchel_options* options,
                                  satchel_outbox** outbox) {
  if (outbox != nullptr) *outbox = nullptr;
  return guarded("open", [&] {
    given(outbox, "open", "the place for the handle");
    satchel::Options all =
        satchel::Options::from_environment(options_of(options), given(prefix, "open", "the prefix"));
    auto opened = std::make_shared<satchel::Outbox>(given(path, "open", "the path"), std::move(all));
    *outbox = outboxes().add(std::move(opened));
  });
}

void satchel_close(satchel_outbox* outbox) {
  if (outbox == nullptr) return;
  guarded("close", [&] { outboxes().take(outbox, "close").reset(); });
}

int satchel_begin(satchel_outbox* outbox, satchel_transaction** transaction) {
  if (transaction != nullptr) *transaction = nullptr;
  return guarded("begin", [&] {
    given(transaction, "begin", "the place for the handle");
    auto begun = std::make_shared<OwnedTransaction>(
        OwnedTransaction{outboxes().find(outbox, "begin")->begin(), std::this_thread::get_id()});
    *transaction = transactions().add(std::move(begun));
  });
}

sqlite3* satchel_transaction_database(satchel_transaction* transaction) {
  sqlite3* database = nullptr;
  guarded("transaction_database",
          [&] { database = own(transaction, "transaction_database")->transaction.database().getHandle(); });
  return database;
}

int satchel_transaction_enqueue(satchel_transaction* transaction, const satchel_message* message,
                                satchel_message_id* id) {
  return guarded("enqueue", [&] {
    const auto open = own(transaction, "enqueue");
    const satchel::MessageId added = open->transaction.enqueue(to_cpp(read(message, "enqueue"), "enqueue"));
    if (id != nullptr) *id = to_c(added);
  });
}

int satchel_commit(satchel_transaction* transaction) {
  return guarded("commit", [&] { take_own(transaction, "commit")->transaction.commit(); });
}

void satchel_rollback(satchel_transaction* transaction) {
  if (transaction == nullptr) return;
  guarded("rollback", [&] { take_own(transaction, "rollback")->transaction.rollback(); });
}

int satchel_enqueue(satchel_outbox* outbox, const satchel_message* message, satchel_message_id* id) {
  return guarded("enqueue", [&] {
    const auto open = outboxes().find(outbox, "enqueue");
    const satchel::MessageId added = open->enqueue(to_cpp(read(message, "enqueue"), "enqueue"));
    if (id != nullptr) *id = to_c(added);
  });
}

int satchel_enqueue_async(satchel_outbox* outbox, const satchel_message* message,
                          satchel_enqueue_callback callback, void* context) {
  return guarded("enqueue_async", [&] {
    const auto open = outboxes().find(outbox, "enqueue_async");
    given(callback, "enqueue_async", "the callback");
    open->enqueue_async(to_cpp(read(message, "enqueue_async"), "enqueue_async"),
                        [callback, context](const satchel::EnqueueResult& result) {
                          satchel_message_id id{};
                          const int code = guarded("enqueue_async", [&] { id = to_c(result.get()); });
                          if (code == SATCHEL_OK) return callback(context, nullptr, &id);
                          // A failure in a call of the callback's own does not change it.
                          KeptError error;
                          copy_last_error(error);
                          callback(context, &error.view, nullptr);
                        });
  });
}

// ---- delivery ----

int satchel_attach(satchel_outbox* outbox, const char* url) {
  return guarded("attach", [&] {
    const auto open = outboxes().find(outbox, "attach");
    open->attach(std::string{given(url, "attach", "the URL")});
  });
}

int satchel_start(satchel_outbox* outbox) {
  return guarded("start", [&] { outboxes().find(outbox, "start")->start(); });
}

int satchel_stop(satchel_outbox* outbox, int64_t timeout_ms, int* clean) {
  if (clean != nullptr) *clean = 0;
  return guarded("stop", [&] {
    const bool ended = outboxes().find(outbox, "stop")->stop(std::chrono::milliseconds{timeout_ms});
    if (clean != nullptr) *clean = ended ? 1 : 0;
  });
}

int satchel_run_once(satchel_outbox* outbox, int* worked) {
  if (worked != nullptr) *worked = 0;
  return guarded("run_once", [&] {
    const bool did = outboxes().find(outbox, "run_once")->run_once();
    if (worked != nullptr) *worked = did ? 1 : 0;
  });
}

// ---- inspect and repair ----

int satchel_dead_letters(satchel_outbox* outbox, int64_t after, size_t limit,
                         satchel_dead_letter_callback callback, void* context) {
  return guarded("dead_letters", [&] {
    const auto open = outboxes().find(outbox, "dead_letters");
    for_each_letter(*open, after, limit, given(callback, "dead_letters", "the callback"), context);
  });
}

int satchel_replay(satchel_outbox* outbox, const satchel_message_id* id) {
  return guarded("replay", [&] {
    const auto open = outboxes().find(outbox, "replay");
    given(id, "replay", "the id");
    found_or_throw(open->replay(to_cpp(*id)), *id, "replay");
  });
}

int satchel_discard(satchel_outbox* outbox, const satchel_message_id* id) {
  return guarded("discard", [&] {
    const auto open = outboxes().find(outbox, "discard");
    given(id, "discard", "the id");
    found_or_throw(open->discard(to_cpp(*id)), *id, "discard");
  });
}

int satchel_replay_all(satchel_outbox* outbox, uint64_t* count) {
  return guarded("replay_all", [&] {
    const uint64_t replayed = outboxes().find(outbox, "replay_all")->replay_all();
    if (count != nullptr) *count = replayed;
  });
}
