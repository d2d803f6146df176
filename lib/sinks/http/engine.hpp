// SPDX-License-Identifier: MIT
#pragma once

#include "base/mutex.hpp"
#include "sinks/http/batcher.hpp"
#include "sinks/http/handles.hpp"
#include "sinks/http/request.hpp"
#include "sinks/http/transfer.hpp"
#include "sinks/outlet/outlet.hpp"

#include <satchel/http.hpp>

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace satchel::http {

/// The network thread with its connections, from one `start` or `reset` to the next. The thread keeps the
/// engine alive, so that it can be left behind while it hangs in name resolution or in a callback.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  /// Throws `Error` when libcurl cannot be used.
  Engine(std::shared_ptr<const HttpOptions> options, std::shared_ptr<Clock> clock, SinkEvents& events);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Starts the thread, once.
  void launch();
  void send(std::vector<Delivery> batch);
  Outlet& outlet() noexcept { return outlet_; }
  /// The thread has come to its end, asked or not.
  bool has_ended();

  /// Requests that run may end until `patience`; nothing new is begun, and the thread ends afterwards.
  void finish(Moment patience) noexcept;
  /// Waits for the end of the thread; false: it goes on by itself.
  bool wait_for_end(Moment until) noexcept;

 private:
  enum class Phase : std::uint8_t { running, finishing, ended };

  void run() noexcept;
  void loop();
  /// Takes up what the other threads want. False: the thread is to end.
  bool take_orders();
  void take_in(std::vector<Delivery> arrived);
  void start_transfers();
  void start(Batch batch);
  /// Reads which transfers have ended. True: at least one.
  bool collect();
  void conclude(Transfer& transfer, CURLcode result);
  /// Lets go of open connections, one by one, after a request stayed without an answer.
  void doubt_connections(bool silent);
  void answer(const Batch& batch, const Receipt& receipt);
  void pass_on_receipts();
  /// Nothing is left to be done but to wait. From then on `send` wakes the thread if it has room.
  bool may_sleep();
  int poll_limit() const;
  void abandon_transfers() noexcept;

  // Constant after construction.
  const std::shared_ptr<const HttpOptions> options_;
  const std::shared_ptr<Clock> clock_;
  const MultiPtr multi_;
  const unsigned born_;
  // Own synchronisation.
  Outlet outlet_;
  Mutex mutex_;
  std::condition_variable ended_;
  std::vector<Delivery> inbox_ SATCHEL_GUARDED_BY(mutex_);
  /// A transfer is idle, and the thread sleeps or is about to.
  bool wants_work_ SATCHEL_GUARDED_BY(mutex_) = false;
  Phase phase_ SATCHEL_GUARDED_BY(mutex_) = Phase::running;
  Moment patience_ SATCHEL_GUARDED_BY(mutex_){};
  std::thread thread_ SATCHEL_GUARDED_BY(mutex_);
  // Network thread only.
  ItemEncoder encoder_;
  RequestBuilder builder_;
  Batcher batcher_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<Transfer*> idle_;
  std::vector<Transfer*> busy_;
  std::vector<Receipt> receipts_;
  bool finishing_ = false;
  Moment give_up_at_{};
  std::size_t fresh_connections_ = 0;
  std::size_t doubted_connections_ = 0;
};

}  // namespace satchel::http
