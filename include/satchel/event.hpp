// SPDX-License-Identifier: MIT
//
// Typed events. An event is a struct that names itself:
//
//     struct LineStopped {
//       using event_kind = satchel::IntegrationEvent;
//       static constexpr std::string_view event_name = "line-stopped";
//       static constexpr std::string_view topic = "plant/{line}/stopped";
//
//       std::string line;
//       double celsius = 0;
//
//       template <class Archive>
//       void serialize(Archive& archive) {
//         archive(CEREAL_NVP(line), CEREAL_NVP(celsius));
//       }
//     };
//
//     tx.publish(LineStopped{.line = "boiler", .celsius = 104.5});
#pragma once

#include <satchel/codec.hpp>
#include <satchel/detail/event_fields.hpp>
#include <satchel/detail/event_template.hpp>
#include <satchel/message.hpp>
#include <satchel/outbox.hpp>
#include <satchel/transaction.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <utility>

#pragma GCC visibility push(default)

namespace satchel {

/// Kind of an event that other systems are told of: published, it becomes a message. Named in the struct by
/// `using event_kind = satchel::IntegrationEvent;`, or as its base class.
struct IntegrationEvent {
  using event_kind = IntegrationEvent;
};

/// Kind of an event that stays in the process: published, its handlers are called, inside the transaction.
struct DomainEvent {
  using event_kind = DomainEvent;
};

template <class E>
concept Event = requires {
  typename E::event_kind;
  { E::event_name } -> std::convertible_to<std::string_view>;
}
&&(std::same_as<typename E::event_kind, IntegrationEvent> ||
   std::same_as<typename E::event_kind, DomainEvent>);

template <class E>
concept AnIntegrationEvent = Event<E> && std::same_as<typename E::event_kind, IntegrationEvent>;

template <class E>
concept ADomainEvent = Event<E> && std::same_as<typename E::event_kind, DomainEvent>;

/// Name and value of the headers that go with every integration event.
inline constexpr const char* kEventNameHeader = "event-name";
inline constexpr const char* kEventVersionHeader =
    "event-version";  ///< of an event with a version: the name of the header that says it

/// The message that an integration event becomes. Of the struct's static members it takes
///
/// - `event_name`: the header `event-name`, and the topic where there is no other,
/// - `event_version`, an int, 1 where it is not given: the header `event-version`,
/// - `topic` and `key`, `std::string_view`s with the event's fields in braces (`plant/{line}/alarm`; a field
///   of a struct within is `{place.line}`). They are checked when the program is compiled, but for the names,
/// - `codec`, see `CodecOf`: payload and content type.
///
/// Throws `InvalidMessage`: a field that does not exist, a field that cannot be a level of a topic, a value
/// that the codec cannot write.
template <AnIntegrationEvent E>
Message to_message(const E& event);

/// Use `Transaction::publish`, `Outbox::publish` and `Outbox::subscribe`, which call these.
template <class E, class Target>
requires std::same_as<Target, Transaction> || std::same_as<Target, Outbox>
auto publish_event(Target& target, const E& event);
template <class E, class Handler>
void subscribe_event(Outbox& outbox, Handler handler);

namespace detail {

/// A domain event whose type has been forgotten. Borrowed for a call.
struct AnyEvent {
  std::type_index type;
  std::string_view name;
  const void* event;
};

template <ADomainEvent E>
AnyEvent any_event(const E& event) noexcept {
  return {typeid(E), E::event_name, &event};
}

/// How templates get at what outboxes and transactions keep private.
struct EventAccess {
  static void dispatch(Transaction& transaction, const AnyEvent& event) { transaction.dispatch(event); }
  static void dispatch(Outbox& outbox, const AnyEvent& event) { outbox.dispatch(event); }
  static void add_handler(Outbox& outbox, std::type_index type, EventHandler handler) {
    outbox.add_handler(type, std::move(handler));
  }
};

// A static member counts; a field of the same name does not.
template <class E>
concept HasTopic = requires {
  typename std::bool_constant<(std::string_view{E::topic}, true)>;
};
template <class E>
concept HasKey = requires {
  typename std::bool_constant<(std::string_view{E::key}, true)>;
};

template <class E>
constexpr int event_version() noexcept {
  if constexpr (requires { typename std::integral_constant<int, E::event_version>; }) {
    return E::event_version;
  } else {
    return 1;
  }
}

template <class E>
constexpr std::string_view topic_template() noexcept {
  if constexpr (HasTopic<E>) {
    return E::topic;
  } else {
    return E::event_name;
  }
}

template <class E>
constexpr std::string_view key_template() noexcept {
  if constexpr (HasKey<E>) {
    return E::key;
  } else {
    return {};
  }
}

template <class E>
constexpr void check_event() noexcept {
  static_assert(Event<E>,
                "an event needs `static constexpr std::string_view event_name` and "
                "`using event_kind = satchel::IntegrationEvent` or satchel::DomainEvent");
}

}  // namespace detail

template <AnIntegrationEvent E>
Message to_message(const E& event) {
  constexpr std::string_view kTopic = detail::topic_template<E>();
  constexpr std::string_view kKey = detail::key_template<E>();
  static_assert(!kTopic.empty(), "the topic of an event must not be empty");
  static_assert(detail::is_template(kTopic),
                "the event's topic has braces that do not match: plant/{field}/name");
  static_assert(detail::is_template(kKey), "the event's key has braces that do not match: {field}");
  static_assert(detail::event_version<E>() > 0, "event_version counts from 1");
  using Codec = typename CodecOf<E>::type;

  Message message;
  message.topic = kTopic;
  message.key = kKey;
  if constexpr (detail::has_fields(kTopic) || detail::has_fields(kKey)) {
    detail::EventFields fields;
    fields(event);
    message.topic = detail::fill_topic(kTopic, fields, E::event_name);
    message.key = detail::fill_key(kKey, fields, E::event_name);
  }
  message.payload = Codec::encode(event);
  message.content_type = Codec::content_type;
  message.headers = {{kEventNameHeader, std::string{E::event_name}},
                     {kEventVersionHeader, std::to_string(detail::event_version<E>())}};
  return message;
}

template <class E, class Target>
requires std::same_as<Target, Transaction> || std::same_as<Target, Outbox>
auto publish_event(Target& target, const E& event) {
  detail::check_event<E>();
  if constexpr (ADomainEvent<E>) {
    detail::EventAccess::dispatch(target, detail::any_event(event));
  } else if constexpr (AnIntegrationEvent<E>) {
    return target.enqueue(to_message(event));
  }
}

/// Calls `handler` for every domain event of this type, see `Outbox::subscribe`.
template <class E, class Handler>
void subscribe_event(Outbox& outbox, Handler handler) {
  detail::check_event<E>();
  static_assert(ADomainEvent<E>, "an integration event becomes a message; only a domain event has handlers");
  static_assert(std::invocable<Handler&, const E&> || std::invocable<Handler&, const E&, Transaction&>,
                "a handler takes (const E&) or (const E&, satchel::Transaction&)");
  detail::EventAccess::add_handler(
      outbox, typeid(E), [handler = std::move(handler)](const void* event, Transaction* transaction) mutable {
        const E& typed = *static_cast<const E*>(event);
        if constexpr (std::invocable<Handler&, const E&, Transaction&>) {
          handler(typed, *transaction);
        } else {
          handler(typed);
        }
      });
}

}  // namespace satchel

#pragma GCC visibility pop
