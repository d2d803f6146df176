// SPDX-License-Identifier: MIT
#include "base/fork.hpp"
#include "base/trust_clock.hpp"
#include "base/validate.hpp"
#include "event/hooks.hpp"
#include "outbox/answer.hpp"
#include "outbox/committer.hpp"
#include "outbox/engine.hpp"
#include "outbox/look.hpp"
#include "outbox/transaction_state.hpp"
#include "outbox/turns.hpp"
#include "store/store.hpp"

#include <satchel/event.hpp>
#include <satchel/outbox.hpp>
#include <satchel/sink_url.hpp>

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace satchel {

namespace {

using std::chrono::milliseconds;

// Every message that is passed over is matched against the filters of all routes.
constexpr std::size_t kMostRoutes = 32;

// A destructor waits this long for a relay thread that hangs in somebody's code, then leaves it behind.
constexpr milliseconds kPatience{5000};

Options completed(Options options) {
  options.clock = clock_of(options);
  validate(options);
  return sized_by_budget(std::move(options));
}

// The relay would take each message back before the sink sends it.
void refuse_lingering(const Sink& sink, milliseconds claim_timeout) {
  const milliseconds linger = sink.linger();
  if (linger <= claim_timeout / 2) return;
  throw InvalidOption{
      "attach",
      "the sink lingers for " + std::to_string(linger.count()) + " ms, more than half of claim_timeout, " +
          std::to_string(claim_timeout.count()) + " ms",
      "make HttpBatch::linger (batch_linger) or what the sink has for it shorter, or Options::claim_timeout "
      "longer"};
}

}  // namespace

/// What an outbox is made of. Thread-safe.
class Outbox::Core {
 public:
  Core(const std::string& path, Options wanted)
      : options{completed(std::move(wanted))},
        store{store::Store::open(path, options)},
        hooks{std::make_shared<event::Hooks>(options.max_event_depth)} {}

  void check(const char* operation) const { refuse_in_child(born, operation); }

  // The transaction that this thread has open. One of the outbox's own cannot be used: it is about to end.
  Transaction& open_one(const char* operation) const {
    Transaction* const open = hooks->current.load();
    if (open == nullptr)
      throw UsageError{operation, "called from within an enqueue", "let no function of SQL call the outbox"};
    return *open;
  }

  // The engine, made from the routes when there is none yet. Call with mutex held.
  outbox::Engine& engine_for(const char* operation);

  std::shared_ptr<outbox::Engine> current_engine() {
    const std::lock_guard lock{mutex};
    return engine;
  }

  void add(outbox::Way way);
  void pause(const char* operation, const std::string& route, bool paused);
  // The routes as nobody has started them yet, or as the relay sees them. Call with mutex held.
  std::vector<RouteStatus> routes_at_rest() const;

  // Checks and queues a message for the committer, whose thread starts with the first one.
  void submit(Message message, EnqueueCallback done);

  std::shared_ptr<outbox::Committer> current_committer() {
    const std::lock_guard lock{mutex};
    return committer;
  }

  // Constant after construction.
  const unsigned born = fork_generation();
  const Options options;
  const std::shared_ptr<store::Store> store;
  const std::shared_ptr<event::Hooks> hooks;

  std::mutex mutex;
  // Guarded by mutex.
  std::vector<outbox::Way> ways;   // until they are the engine's
  std::vector<std::string> names;  // of the routes, in the order of `attach`
  std::vector<std::vector<std::string>> filters;
  std::shared_ptr<outbox::Engine> engine;
  std::shared_ptr<outbox::Committer> committer;  // none before the first asynchronous message
  bool threaded = false;                         // the engine has its thread
  bool stopped = false;                          // the sinks are used up

  outbox::Turns turns;  // of the threads that are in `run_once`
};

outbox::Engine& Outbox::Core::engine_for(const char* operation) {
  if (stopped) throw UsageError{operation, "this outbox was stopped", "open a new one to relay again"};
  if (engine) return *engine;
  if (ways.empty()) throw UsageError{operation, "no sink", "attach one first"};
  engine = std::make_shared<outbox::Engine>(store, ways, options);
  return *engine;
}

void Outbox::Core::add(outbox::Way way) {
  const std::lock_guard lock{mutex};
  if (engine || stopped)
    throw UsageError{"attach", "the relay of this outbox has begun", "attach all sinks before start"};
  if (names.size() >= kMostRoutes)
    throw UsageError{"attach", "there are 32 routes already", "give routes more topic filters"};
  std::string& name = way.options.name;
  if (name.empty()) name = "route-" + std::to_string(names.size() + 1);
  if (std::find(names.begin(), names.end(), name) != names.end())
    throw InvalidOption{"attach", "name " + name + ": another route has it", "give each route its own"};
  names.reserve(names.size() + 1);
  filters.reserve(filters.size() + 1);
  ways.push_back(std::move(way));
  names.push_back(ways.back().options.name);
  filters.push_back(ways.back().options.topics);
  std::vector<RouteOptions> routes;
  for (const outbox::Way& one : ways) routes.push_back(one.options);
  const bool numbers =
      std::any_of(routes.begin(), routes.end(), [](const RouteOptions& one) { return one.sequence; });
  if (numbers) store->sequence_routes(std::move(routes));
}

void Outbox::Core::pause(const char* operation, const std::string& route, bool paused) {
  const std::lock_guard lock{mutex};
  const auto found = std::find(names.begin(), names.end(), route);
  if (found == names.end())
    throw UsageError{operation, "there is no route " + route, "use a name that was given to attach"};
  const auto number = static_cast<std::size_t>(found - names.begin());
  if (engine) {
    engine->pause(number, paused);
  } else {
    ways[number].options.paused = paused;
  }
}

std::vector<RouteStatus> Outbox::Core::routes_at_rest() const {
  std::vector<RouteStatus> routes;
  for (const outbox::Way& way : ways) {
    RouteStatus& status = routes.emplace_back();
    status.name = way.options.name;
    status.paused = way.options.paused;
  }
  return routes;
}

void Outbox::Core::submit(Message message, EnqueueCallback done) {
  check("enqueue_async");
  if (store->current_on_this_thread() != nullptr) {
    throw UsageError{"enqueue_async",
                     "this thread has a transaction open, and the commit would wait for its end",
                     "enqueue in the transaction, or call this after its end"};
  }
  // On the caller's thread: there the trace context is.
  if (std::optional<Message> complete = hooks->propagated(message)) message = *std::move(complete);
  message = validated(message, options);
  std::shared_ptr<outbox::Committer> queue;
  {
    const std::lock_guard lock{mutex};
    if (!committer) {
      auto fresh = std::make_shared<outbox::Committer>(
          options, outbox::Committer::Ports{[kept = store](const std::vector<Message>& batch) {
                                              return outbox::commit_together(*kept, batch);
                                            },
                                            [observer = options.observer](const std::string& text) {
                                              if (observer) observer->notice(text);
                                            }});
      fresh->start();
      committer = std::move(fresh);
    }
    queue = committer;
  }
  queue->submit(std::move(message), std::move(done));
}

Outbox::Outbox(const std::string& path, Options options)
    : core_{std::make_shared<Core>(path, std::move(options))} {}

Outbox::Outbox(Outbox&&) noexcept = default;

Outbox& Outbox::operator=(Outbox&& other) noexcept {
  if (this != &other) {
    Outbox old{std::move(*this)};
    core_ = std::move(other.core_);
  }
  return *this;
}

Outbox::~Outbox() {
  if (!core_) return;
  if (fork_generation() != core_->born) {
    // The connections belong to the parent: closing them here would work on its file behind its back.
    static_cast<void>(new (std::nothrow) std::shared_ptr<Core>(std::move(core_)));  // left alone on purpose
    return;
  }
  if (const std::shared_ptr<outbox::Committer> committer = core_->current_committer()) {
    // With a transaction open here the committer may wait for this very thread.
    const bool would_wait_for_itself = core_->store->current_on_this_thread() != nullptr;
    committer->close(would_wait_for_itself ? milliseconds{0} : kPatience);
  }
  // A copy, not under the lock: an observer may ask for the status meanwhile.
  const std::shared_ptr<outbox::Engine> engine = core_->current_engine();
  if (!engine) return;
  if (core_->threaded) {
    engine->stop(milliseconds{0}, kPatience);
  } else {
    engine->finish(milliseconds{0});
  }
}

Transaction Outbox::begin() {
  core_->check("begin");
  return Transaction{std::make_unique<Transaction::State>(core_->store->begin(), core_->hooks)};
}

MessageId Outbox::enqueue(const Message& message) {
  core_->check("enqueue");
  if (core_->store->current_on_this_thread() != nullptr) return core_->open_one("enqueue").enqueue(message);
  const std::optional<Message> complete = core_->hooks->propagated(message);
  return core_->store->save(complete ? *complete : message);
}

void Outbox::dispatch(const detail::AnyEvent& event) {
  core_->check("publish");
  if (core_->store->current_on_this_thread() != nullptr) return core_->open_one("publish").dispatch(event);
  Transaction transaction = begin();
  transaction.dispatch(event);
  transaction.commit();
}

void Outbox::add_handler(std::type_index type, EventHandler handler) {
  core_->hooks->add_handler(type, std::move(handler));
}

void Outbox::add_propagator(HeaderPropagator propagator) {
  core_->hooks->add_propagator(std::move(propagator));
}

Enqueued Outbox::enqueue_async(Message message) {
  const auto answer = std::make_shared<detail::Answer>();
  Enqueued later{answer};
  core_->submit(std::move(message), [answer](const EnqueueResult& result) { answer->tell(result); });
  return later;
}

void Outbox::enqueue_async(Message message, EnqueueCallback done) {
  if (!done) throw UsageError{"enqueue_async", "no callback", "pass one, or use the form with a future"};
  core_->submit(std::move(message), std::move(done));
}

void Outbox::attach(std::unique_ptr<Sink> sink, RouteOptions route) {
  core_->check("attach");
  if (!sink) throw UsageError{"attach", "no sink", "pass one"};
  validate(route);
  refuse_lingering(*sink, core_->options.claim_timeout);
  core_->add({std::move(sink), std::move(route)});
}

void Outbox::attach(const std::string& url, RouteOptions route) { attach(make_sink(url), std::move(route)); }

void Outbox::pause(const std::string& route) {
  core_->check("pause");
  core_->pause("pause", route, true);
}

void Outbox::resume(const std::string& route) {
  core_->check("resume");
  core_->pause("resume", route, false);
}

void Outbox::start() {
  core_->check("start");
  const outbox::Turns::Turn turn{core_->turns, "start"};
  const std::lock_guard lock{core_->mutex};
  if (core_->threaded && !core_->stopped) return;
  core_->engine_for("start").start();
  core_->threaded = true;
}

bool Outbox::stop(milliseconds timeout) {
  core_->check("stop");
  // A day is for ever here, and can be added to any clock.
  timeout = std::clamp<milliseconds>(timeout, milliseconds{0}, std::chrono::hours{24});
  std::shared_ptr<outbox::Engine> engine;
  bool threaded = false;
  {
    const std::lock_guard lock{core_->mutex};
    engine = core_->engine;
    threaded = core_->threaded;
    if (engine) core_->stopped = true;
  }
  if (!engine) return true;
  if (threaded) return engine->stop(timeout, timeout);
  return core_->turns.stop(*engine, timeout);
}

bool Outbox::run_once() {
  core_->check("run_once");
  outbox::Turns::Turn turn{core_->turns, "run_once"};
  outbox::Engine* engine = nullptr;
  {
    const std::lock_guard lock{core_->mutex};
    if (core_->threaded)
      throw UsageError{"run_once", "the relay thread runs", "use either start or run_once"};
    engine = &core_->engine_for("run_once");
  }
  return turn.step(*engine);
}

std::optional<SalvageReport> Outbox::salvaged() const { return core_->store->salvaged(); }

Status Outbox::status() const {
  core_->check("status");
  Status status = outbox::file_status(*core_->store);
  std::unique_lock lock{core_->mutex};
  if (core_->committer) status.async_dropped = core_->committer->dropped();
  status.running = core_->threaded && !core_->stopped;
  if (!core_->engine) {
    status.routes = core_->routes_at_rest();
  } else {
    outbox::add_relay(status, *core_->engine, core_->options.clock->now());
  }
  const std::vector<std::vector<std::string>> filters = core_->filters;
  lock.unlock();
  outbox::count_by_route(status, *core_->store, filters);
  return status;
}

std::vector<DeadLetter> Outbox::dead_letters(std::size_t limit, std::int64_t after) const {
  core_->check("dead_letters");
  return core_->store->dead_letters(limit, after);
}

bool Outbox::replay(const MessageId& id) {
  core_->check("replay");
  return core_->store->replay(id);
}

std::uint64_t Outbox::replay_all() {
  core_->check("replay_all");
  return core_->store->replay_all();
}

bool Outbox::discard(const MessageId& id) {
  core_->check("discard");
  return core_->store->discard(id);
}

std::vector<Dropped> Outbox::dropped() const {
  core_->check("dropped");
  return core_->store->dropped();
}

Identity Outbox::identity() const { return core_->store->identity(); }

Identity Outbox::renew_identity() {
  core_->check("renew_identity");
  return core_->store->renew_identity();
}

}  // namespace satchel
