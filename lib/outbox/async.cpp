// SPDX-License-Identifier: MIT
#include "outbox/answer.hpp"

#include <satchel/async.hpp>

namespace satchel {

MessageId EnqueueResult::get() const {
  if (error) std::rethrow_exception(error);
  return id;
}

Enqueued::Enqueued(std::shared_ptr<detail::Answer> answer)
    : std::future<MessageId>{answer->future()}, answer_{std::move(answer)} {}

Enqueued&& Enqueued::on(Executor executor) && {
  executor_ = std::move(executor);
  return std::move(*this);
}

bool Enqueued::await_ready() const noexcept { return answer_->told(); }

MessageId Enqueued::await_resume() { return get(); }

bool Enqueued::suspend(std::function<void()> resume) {
  if (!executor_) return answer_->call_when_told(std::move(resume));
  return answer_->call_when_told(
      [executor = std::move(executor_), resume = std::move(resume)] { executor(resume); });
}

namespace detail {

void Answer::tell(const EnqueueResult& result) {
  if (result.error) {
    promise_.set_exception(result.error);
  } else {
    promise_.set_value(result.id);
  }
  std::function<void()> resume;
  {
    const Lock lock{mutex_};
    told_ = true;
    resume = std::move(resume_);
  }
  if (resume) resume();
}

bool Answer::told() const {
  const Lock lock{mutex_};
  return told_;
}

bool Answer::call_when_told(std::function<void()> resume) {
  const Lock lock{mutex_};
  if (told_) return false;
  resume_ = std::move(resume);
  return true;
}

}  // namespace detail

}  // namespace satchel
