// SPDX-License-Identifier: MIT
#include "capi/callback_observer.hpp"

#include "capi/convert.hpp"

namespace satchel::capi {

namespace {

satchel_event event_of(satchel_event_kind kind, const char* text = "") noexcept {
  satchel_event event{};
  event.size = sizeof event;
  event.kind = kind;
  event.text = text;
  event.hint = "";
  return event;
}

}  // namespace

void CallbackObserver::delivered(const MessageId& id, int attempts) noexcept {
  const satchel_message_id c_id = to_c(id);
  satchel_event event = event_of(SATCHEL_EVENT_DELIVERED);
  event.id = &c_id;
  event.attempts = attempts;
  callback_(context_, &event);
}

void CallbackObserver::retrying(const MessageId& id, int attempts, const std::string& error,
                                std::chrono::milliseconds backoff) noexcept {
  const satchel_message_id c_id = to_c(id);
  satchel_event event = event_of(SATCHEL_EVENT_RETRYING, error.c_str());
  event.id = &c_id;
  event.attempts = attempts;
  event.duration_ms = backoff.count();
  callback_(context_, &event);
}

void CallbackObserver::died(const MessageId& id, DeadReason, const std::string& error) noexcept {
  const satchel_message_id c_id = to_c(id);
  satchel_event event = event_of(SATCHEL_EVENT_DIED, error.c_str());
  event.id = &c_id;
  callback_(context_, &event);
}

void CallbackObserver::expired(const MessageId& id) noexcept {
  const satchel_message_id c_id = to_c(id);
  satchel_event event = event_of(SATCHEL_EVENT_EXPIRED);
  event.id = &c_id;
  callback_(context_, &event);
}

void CallbackObserver::dropped(DropReason reason, const std::string& topic, std::uint64_t messages) noexcept {
  satchel_event event = event_of(SATCHEL_EVENT_DROPPED, topic.c_str());
  event.messages = messages;
  event.drop_reason = static_cast<int>(reason);
  callback_(context_, &event);
}

void CallbackObserver::sink_up(const std::string& sink) noexcept {
  const satchel_event event = event_of(SATCHEL_EVENT_SINK_UP, sink.c_str());
  callback_(context_, &event);
}

void CallbackObserver::sink_down(const std::string& sink, const std::string& reason, bool alarm,
                                 std::chrono::milliseconds pause) noexcept {
  satchel_event event = event_of(SATCHEL_EVENT_SINK_DOWN, reason.c_str());
  event.alarm = alarm ? 1 : 0;
  event.duration_ms = pause.count();
  event.hint = sink.c_str();
  callback_(context_, &event);
}

void CallbackObserver::leading(bool leads) noexcept {
  const satchel_event event = event_of(leads ? SATCHEL_EVENT_LEADING : SATCHEL_EVENT_STANDING_BY);
  callback_(context_, &event);
}

void CallbackObserver::failing(const std::string& problem, const std::string& hint) noexcept {
  satchel_event event = event_of(SATCHEL_EVENT_FAILING, problem.c_str());
  event.hint = hint.c_str();
  callback_(context_, &event);
}

void CallbackObserver::healed() noexcept {
  const satchel_event event = event_of(SATCHEL_EVENT_HEALED);
  callback_(context_, &event);
}

void CallbackObserver::gate_held(std::chrono::milliseconds held) noexcept {
  satchel_event event = event_of(SATCHEL_EVENT_GATE_HELD);
  event.duration_ms = held.count();
  callback_(context_, &event);
}

void CallbackObserver::notice(const std::string& text) noexcept {
  const satchel_event event = event_of(SATCHEL_EVENT_NOTICE, text.c_str());
  callback_(context_, &event);
}

}  // namespace satchel::capi
