// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/clock.hpp>
#include <satchel/message.hpp>
#include <satchel/sink.hpp>
#include <satchel/sink_url.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace satchel {

/// How a request asks for its message to be taken.
enum class HttpMethod : std::uint8_t { post, put };

/// Which version of the protocol a sink speaks.
enum class HttpVersion : std::uint8_t {
  automatic,  ///< HTTP/2 where libcurl has it and a TLS server offers it (ALPN), else HTTP/1.1
  v1,         ///< HTTP/1.1 only
  v2,         ///< HTTP/2: without TLS from the first byte; with TLS where it is offered (ALPN), else HTTP/1.1
};

/// What a request's body is made of.
enum class HttpBody : std::uint8_t {
  raw,                     ///< the payload as it is, one message a request
  cloudevents_binary,      ///< the payload as it is, the attributes as `ce-` headers
  cloudevents_structured,  ///< one CloudEvents 1.0 JSON object
  cloudevents_batch,       ///< a JSON array of them; only for servers that ask for it
  json_array,              ///< a JSON array, one item a message
  ndjson,                  ///< one JSON item a line
};

/// What an item of `json_array` and `ndjson` is.
enum class HttpItem : std::uint8_t {
  /// `{"id","topic","key","created","content_type","headers","payload"}`; a payload that is not JSON travels
  /// as
  /// `payload_text` or `payload_base64`.
  envelope,
  /// The payload itself, which must be JSON; one that is not is rejected. Ids, keys and headers do not
  /// travel, so that receivers
  /// cannot tell a copy.
  payload,
};

/// How many messages share a request. Only for the body modes that carry several.
struct HttpBatch {
  /// Messages. 1 to 10,000. More for a link with a long round trip. An outbox hands over `Options::window`
  /// messages at once: make that at least as large.
  std::size_t max_count = 100;
  /// Of the body before gzip; one larger message alone is still sent. 1 KiB to 64 MiB. Make it what the
  /// server takes in a request.
  std::size_t max_bytes = 256U << 10U;
  /// How long the first message waits for company. 0 to 1 h, and no more than half of
  /// `Options::claim_timeout`, which is to be raised for longer waits. Longer for fewer requests, 0 where
  /// each message has to go at once.
  std::chrono::milliseconds linger{20};
  /// What an item of `json_array` and `ndjson` is; without effect on the other bodies. `payload` for a server
  /// that wants its own JSON and nothing around it.
  HttpItem item = HttpItem::envelope;
};

/// Answer of `HttpOptions::credentials`: one of a token, a user name and password, or another scheme's whole
/// `Authorization` value.
struct HttpCredentials {
  std::string bearer_token{};   ///< sent as `Authorization: Bearer ...`
  std::string username{};       ///< for basic authentication, with `password`
  std::string password{};       ///< of `username`
  std::string authorization{};  ///< the whole value of the header, for any other scheme
};

/// A static header whose value is a secret, such as `X-Api-Key`.
struct HttpSecretHeader {
  std::string name{};  ///< of the header
  /// The first line of this file, read anew when the file has changed.
  std::string file{};
  /// Used when `file` is empty.
  std::string value{};
};

/// Certificates. Chain and host name are always verified; TLS 1.2 or newer.
struct HttpTls {
  /// CA certificates, PEM. Empty: the system's. Set it for a server whose certificate is of an authority of
  /// your own.
  std::string ca_file{};
  /// Client certificate, PEM, with `key_file`; both or none. Empty: none. Set it where the server knows
  /// devices by certificate.
  std::string certificate_file{};
  /// The key of `certificate_file`, PEM, without a passphrase.
  std::string key_file{};
};

/// Signature by Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`), computed over the
/// body as sent. Requests wait, as `down`, while the clock is not trusted: receivers refuse old timestamps.
struct HttpSignature {
  /// `whsec_` and 24 to 64 bytes in base64. Several: each signs, so that the receiver can change over. Empty:
  /// `secrets_file`.
  std::vector<std::string> secrets{};
  /// The same, one a line, read anew when the file has changed. Used when `secrets` is empty. For secrets
  /// that rotate while the program runs.
  std::string secrets_file{};
};

/// Where to post and how. Checked when the sink is made (`InvalidOption`).
struct HttpOptions {
  /// `https://host/base/{topic}`: the topic takes the place of `{topic}`, percent-encoded, its slashes kept.
  /// A message whose topic has a segment `.` or `..` would leave the base and becomes a dead letter. Without
  /// `{topic}` all messages go to one address. `http://` and `https://` only; no user, no password, no
  /// fragment.
  std::string url{};
  /// `put` for a server that stores by address.
  HttpMethod method = HttpMethod::post;
  /// `v1` for a server or proxy that gets HTTP/2 wrong, `v2` for one that speaks it without TLS.
  HttpVersion version = HttpVersion::automatic;

  /// What a request carries; the default is one message as it is. Modes that carry several save requests, the
  /// CloudEvents modes suit receivers that know them.
  HttpBody body = HttpBody::raw;
  /// How many messages share a request, for bodies that carry several.
  HttpBatch batch{};
  /// CloudEvents `source`; empty: `/satchel/<identity>`. Set it where receivers filter by it.
  std::string event_source{};
  /// CloudEvents `type` of messages without a header `ce-type`. Set it where receivers route by it.
  std::string event_type{"satchel.message"};
  /// Compress bodies of `gzip_min_bytes` and more, where that makes them smaller. The server has to take it.
  /// Set it where bytes cost more than time of the processor.
  bool gzip = false;
  /// 1 to 64 MiB. Smaller bodies gain little.
  std::size_t gzip_min_bytes = 1024;

  /// Sent with every request: `{"X-Tenant", "site-7"}`. They win over a message's header of that name. Empty:
  /// none. For what the server asks of all.
  std::vector<Header> headers{};
  /// Sent as `User-Agent`; empty: none. Set it to what the server's log should show.
  std::string user_agent{"satchel"};

  /// Asked before every request, on the sink's network thread; what it throws is reported as `blocked`. Wins
  /// over the options below. Nothing: those. For tokens that the program makes itself.
  std::function<HttpCredentials()> credentials{};
  /// The first line of this file as bearer token, read anew when the file has changed. Empty: none. For
  /// tokens that another program renews.
  std::string bearer_token_file{};
  /// Basic authentication, with `password_file` or `password`. Empty: none.
  std::string username{};
  /// The first line of this file is the password, read anew when the file has changed. Empty: `password`.
  std::string password_file{};
  /// Used when `password_file` is empty. For programs that get the secret by other ways.
  std::string password{};
  /// Sent with every request, like `headers`, and beside one of the credentials above.
  std::vector<HttpSecretHeader> secret_headers{};
  /// A token, a password or a secret header over `http://` can be read on the way: needs this to be set,
  /// except to a loopback address.
  bool credentials_without_tls = false;

  /// Certificates, for `https://`.
  HttpTls tls{};
  /// Nothing: requests are not signed. Set it for a receiver that checks who sent a webhook.
  std::optional<HttpSignature> signature{};

  /// Requests at once. 1 to 256. More for a link with a long round trip, fewer where the server limits
  /// clients.
  std::size_t parallel = 8;
  /// For name resolution, TCP and TLS together. 10 ms to 10 min. Longer for a link with seconds of delay.
  std::chrono::milliseconds connect_timeout{10'000};
  /// For a whole request, the connection included. 10 ms to 1 h. Longer for large bodies on a slow link, and
  /// below `Options::claim_timeout`.
  std::chrono::milliseconds request_timeout{30'000};
  /// A kept-alive connection is not used again after this long without a request. 1 s to 1 day. Make it
  /// shorter than the server's own limit, or requests meet connections that were closed.
  std::chrono::seconds idle_connection{110};
  /// The same after this long in all, so that changes of the name's address are followed. 1 s to 1 day.
  /// Shorter where servers move often.
  std::chrono::seconds connection_lifetime{3600};

  /// Longest `Retry-After` that is believed; more is taken for so much. 0 to 30 days. Whatever it allows, the
  /// relay waits for an hour at most, or for the cap of its backoff where that is longer. Shorter for a
  /// server that exaggerates.
  std::chrono::milliseconds max_retry_after{3'600'000};
  /// The rest of a longer response is not read; its status counts all the same. 0 to 64 MiB. Only the
  /// beginning of a response is kept, so that this saves traffic and no memory: less where bytes cost.
  std::size_t max_response_bytes = 64U << 10U;
  /// A response with more headers than this is a fault of the server. 1 KiB to 256 KiB. More for a server
  /// that sends as many.
  std::size_t max_response_header_bytes = 32U << 10U;

  /// `http://host:port`; empty: none, whatever the environment says. Set it where the network has no other
  /// way out.
  std::string proxy{};

  /// Tells the time for signatures and for `Retry-After` as a date; nothing: `system_clock()`. Another one
  /// for tests.
  std::shared_ptr<Clock> clock{};
};

/// Sends messages to an HTTP server: one request a message, or batches.
///
/// Every request carries an `Idempotency-Key`, because a request whose answer was lost is sent again, by the
/// relay or by libcurl itself. With one message it is `"<id>"`, the same for every copy. With several it is a
/// hash of their ids, which a copy in another batch does not share: tell copies by the ids of the items.
///
/// With a body for one message it also carries `satchel-id`, `satchel-topic` (unless the address has it) and
/// `satchel-key` (both percent-encoded like CloudEvents attributes), `satchel-created` (RFC 3339, if known),
/// `satchel-sequence` (if any; `satchelsequence` in CloudEvents, `sequence` in a JSON array), the content
/// type and the message's headers, but for those that speak of the connection, of credentials or of the
/// request itself (`Host`, `Content-Length`, `Authorization`, ...).
///
/// Redirects are not followed. A batch that the server rejects is halved until the message that it cannot
/// take stands alone; the others are delivered. A message that failed before is sent alone.
class HttpSink final : public Sink {
 public:
  /// Throws `InvalidOption`, and `Error` when this libcurl cannot do what the options ask for. Connects with
  /// the first message.
  explicit HttpSink(HttpOptions options);
  /// From `https://user@host:port/path/{topic}?name=value&...` or `http://...`. The names are those of
  /// `HttpOptions`, of `HttpTls` (`ca_file`, `certificate_file`, `key_file`), and for `HttpBatch`
  /// `batch_count`, `batch_bytes`, `batch_linger` and `batch_item`. `header.NAME` sets a static header,
  /// `query` the address's own query. `version` is `automatic`, `1.1` or `2`; durations are in milliseconds,
  /// `idle_connection` and `connection_lifetime` in seconds. Secrets come from `bearer_token_file`,
  /// `password_file`, `signature_secrets_file`, or from the environment variables named by
  /// `bearer_token_env`, `password_env`, `signature_secrets_env` (one a line); `header_file.NAME` and
  /// `header_env.NAME` are `secret_headers` from a file or an environment variable. In the path an escaped
  /// slash or brace cannot be told from a plain one: `HttpOptions::url` takes such an address as it is
  /// written. Throws like the constructor.
  static HttpSink from_url(const SinkUrl& url);
  ~HttpSink() override;
  HttpSink(HttpSink&&) noexcept;
  HttpSink& operator=(HttpSink&&) noexcept;

  void start(SinkEvents& events) override;
  void resume() override;
  void send(std::vector<Delivery> batch) override;
  void reset() override;
  /// Requests under way may end within `timeout`; what has not, is answered `down`. The network thread is
  /// left behind when it hangs in name resolution or in a callback.
  void stop(std::chrono::milliseconds timeout) noexcept override;
  std::size_t capacity() const noexcept override;
  /// `HttpBatch::linger` where requests carry several messages.
  std::chrono::milliseconds linger() const noexcept override;
  /// `https://host:port/base/{topic}`, without the query.
  std::string name() const override;

 private:
  class Worker;
  std::shared_ptr<Worker> worker_;
};

}  // namespace satchel

#pragma GCC visibility pop
