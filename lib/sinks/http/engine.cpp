// SPDX-License-Identifier: MIT
#include "sinks/http/engine.hpp"

#include "base/fork.hpp"
#include "base/quiet_thread.hpp"
#include "sinks/http/outcome.hpp"
#include "sinks/verdicts/verdicts.hpp"

#include <satchel/error.hpp>

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace satchel::http {

namespace {

using std::chrono::milliseconds;

BatchLimits limits_of(const HttpOptions& options) {
  if (!carries_many(options.body)) return {};
  return {options.batch.max_count, options.batch.max_bytes, options.batch.linger};
}

MultiPtr make_multi(const HttpOptions& options) {
  MultiPtr multi{curl_multi_init()};
  if (!multi) throw std::bad_alloc{};
  const auto parallel = static_cast<long>(options.parallel);
  curl_multi_setopt(multi.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS, parallel);
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, parallel);
  curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, parallel);
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_CONCURRENT_STREAMS, parallel);
  return multi;
}

std::vector<std::uint64_t> claims_of(const Batch& batch) {
  std::vector<std::uint64_t> claims;
  claims.reserve(batch.size());
  for (const Item& item : batch) claims.push_back(item.delivery.claim);
  return claims;
}

}  // namespace

Engine::Engine(std::shared_ptr<const HttpOptions> options, std::shared_ptr<Clock> clock, SinkEvents& events)
    : options_{std::move(options)},
      clock_{std::move(clock)},
      multi_{make_multi(*options_)},
      born_{fork_generation()},
      outlet_{events},
      encoder_{*options_},
      builder_{*options_},
      batcher_{limits_of(*options_)} {
  for (std::size_t index = 0; index < options_->parallel; ++index) {
    transfers_.push_back(std::make_unique<Transfer>(*options_));
    idle_.push_back(transfers_.back().get());
  }
}

Engine::~Engine() { abandon_transfers(); }

void Engine::launch() {
  // libcurl with CURLOPT_NOSIGNAL leaves SIGPIPE to the application.
  std::thread thread = start_quiet_thread([engine = shared_from_this()] { engine->run(); });
  pthread_setname_np(thread.native_handle(), "satchel-http");
  const Lock lock{mutex_};
  thread_ = std::move(thread);
}

void Engine::send(std::vector<Delivery> batch) {
  outlet_.expect(batch);
  bool ended = false;
  {
    const Lock lock{mutex_};
    ended = phase_ == Phase::ended;
    inbox_.insert(inbox_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    // While every transfer is busy nothing could be begun: the next one that ends looks into the inbox.
    if (!ended && !std::exchange(wants_work_, false)) return;
  }
  if (ended) return outlet_.give_up("the network thread has ended");
  curl_multi_wakeup(multi_.get());
}

bool Engine::has_ended() {
  const Lock lock{mutex_};
  return phase_ == Phase::ended;
}

void Engine::finish(Moment patience) noexcept {
  {
    const Lock lock{mutex_};
    if (phase_ == Phase::running) phase_ = Phase::finishing;
    patience_ = patience;
  }
  curl_multi_wakeup(multi_.get());
}

bool Engine::wait_for_end(Moment until) noexcept {
  Lock lock{mutex_};
  // In a forked child the thread does not exist, and it cannot wait for itself.
  const bool waits = born_ == fork_generation() && thread_.get_id() != std::this_thread::get_id();
  const bool ended = waits && ended_.wait_until(lock.native(), until, [this]() SATCHEL_REQUIRES(mutex_) {
    return phase_ == Phase::ended;
  });
  std::thread thread = std::move(thread_);
  lock.unlock();
  if (!thread.joinable()) return ended;
  if (ended)
    thread.join();
  else
    thread.detach();
  return ended;
}

void Engine::run() noexcept {
  try {
    loop();
  } catch (const std::exception& error) {
    // Out of memory, at worst: nothing may be lost and nothing may escape.
    outlet_.give_up(error.what());
    outlet_.down(verdicts::transport(verdicts::Cause::out_of_resources, error.what()));
  }
  abandon_transfers();
  const Lock lock{mutex_};
  phase_ = Phase::ended;
  ended_.notify_all();
}

void Engine::loop() {
  while (take_orders()) {
    start_transfers();
    int running = 0;
    const CURLMcode result = curl_multi_perform(multi_.get(), &running);
    if (result != CURLM_OK)
      throw Error{"send", curl_multi_strerror(result), "libcurl is in an unusable state", result};
    // What has ended makes room: begin the next before anything else.
    if (collect() && receipts_.size() < options_->parallel) continue;
    pass_on_receipts();
    if (!may_sleep()) continue;
    curl_multi_poll(multi_.get(), nullptr, 0, poll_limit(), nullptr);
  }
}

bool Engine::may_sleep() {
  // The last one has come to its end: there is nothing to wait for.
  if (finishing_ && busy_.empty()) return false;
  const Lock lock{mutex_};
  wants_work_ = !idle_.empty();
  // With room and something to fill it there is no time to sleep.
  return !wants_work_ || inbox_.empty();
}

bool Engine::take_orders() {
  std::vector<Delivery> arrived;
  bool finishing = false;
  {
    const Lock lock{mutex_};
    arrived.swap(inbox_);
    finishing = phase_ != Phase::running;
    give_up_at_ = patience_;
  }
  take_in(std::move(arrived));
  finishing_ = finishing;
  if (finishing_) {
    answer(batcher_.drain(), down("the sink was stopped before the message was sent"));
    pass_on_receipts();
  }
  return !finishing_ || (!busy_.empty() && std::chrono::steady_clock::now() < give_up_at_);
}

void Engine::take_in(std::vector<Delivery> arrived) {
  if (arrived.empty()) return;
  const Moment now = std::chrono::steady_clock::now();
  for (Delivery& delivery : arrived) {
    const std::uint64_t claim = delivery.claim;
    try {
      batcher_.add(encoder_.encode(std::move(delivery)), now);
    } catch (const InvalidMessage& error) {
      Receipt receipt = reject(error.what());
      receipt.claim = claim;
      receipts_.push_back(std::move(receipt));
    }
  }
}

void Engine::start_transfers() {
  if (finishing_) return;
  while (!idle_.empty()) {
    auto batch = batcher_.take(std::chrono::steady_clock::now());
    if (!batch) break;
    start(*std::move(batch));
  }
}

void Engine::start(Batch batch) {
  std::variant<Request, Receipt> made = builder_.build(batch);
  if (const auto* receipt = std::get_if<Receipt>(&made)) return answer(batch, *receipt);
  outlet_.on_the_wire(claims_of(batch));
  Transfer& transfer = *idle_.back();
  const bool fresh = fresh_connections_ > 0;
  if (fresh) --fresh_connections_;
  transfer.prepare(std::get<Request>(std::move(made)), std::move(batch), fresh);
  const CURLMcode result = curl_multi_add_handle(multi_.get(), transfer.handle());
  if (result != CURLM_OK)
    throw Error{"send", curl_multi_strerror(result), "libcurl is in an unusable state", result};
  idle_.pop_back();
  busy_.push_back(&transfer);
}

bool Engine::collect() {
  bool any = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    char* owner = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    // The message belongs to libcurl and is gone with this call.
    curl_multi_remove_handle(multi_.get(), message->easy_handle);
    conclude(*reinterpret_cast<Transfer*>(owner), result);
    any = true;
  }
  return any;
}

void Engine::conclude(Transfer& transfer, CURLcode result) {
  const Outcome outcome = judge(transfer, result, *options_, *clock_);
  busy_.erase(std::find(busy_.begin(), busy_.end(), &transfer));
  idle_.push_back(&transfer);
  Batch batch = transfer.take_batch();
  if (outcome.fresh_connection || outcome.silent) ++fresh_connections_;
  doubt_connections(outcome.silent);
  if (outcome.credentials_refused) builder_.credentials().refused();
  if (!outcome.split) return answer(batch, outcome.receipt);
  const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
  Batch second{std::make_move_iterator(middle), std::make_move_iterator(batch.end())};
  batch.erase(middle, batch.end());
  batcher_.add_first(std::move(second));
  batcher_.add_first(std::move(batch));
}

void Engine::doubt_connections(bool silent) {
  if (silent) {
    // libcurl keeps an HTTP/2 connection whose stream timed out, and the other connections of a pool know
    // nothing of a link that has become a black hole: each would cost one more timeout. While it may keep one
    // only, each request that ends closes the one that has been idle for longest.
    doubted_connections_ = options_->parallel;
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, 1L);
  } else if (doubted_connections_ > 0 && --doubted_connections_ == 0) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(options_->parallel));
  }
}

void Engine::answer(const Batch& batch, const Receipt& receipt) {
  for (const Item& item : batch) {
    receipts_.push_back(receipt);
    receipts_.back().claim = item.delivery.claim;
  }
}

void Engine::pass_on_receipts() {
  if (receipts_.empty()) return;
  outlet_.answer(std::exchange(receipts_, {}));
}

int Engine::poll_limit() const {
  std::optional<Moment> until;
  if (finishing_) until = give_up_at_;
  // What is ready but has no free slot waits for a transfer to end, not for the time.
  if (!finishing_ && !idle_.empty()) until = batcher_.next_ready();
  if (!until) return std::numeric_limits<int>::max();
  const Moment now = std::chrono::steady_clock::now();
  if (*until <= now) return 0;
  constexpr std::int64_t kLongest = 3'600'000;
  const auto left = std::chrono::ceil<milliseconds>(*until - now);
  return static_cast<int>(std::min<std::int64_t>(left.count(), kLongest));
}

void Engine::abandon_transfers() noexcept {
  for (Transfer* transfer : busy_) curl_multi_remove_handle(multi_.get(), transfer->handle());
  busy_.clear();
  transfers_.clear();
}

}  // namespace satchel::http
