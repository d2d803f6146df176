// SPDX-License-Identifier: MIT
#pragma once

#include "sinks/verdicts/verdicts.hpp"

#include <array>
#include <limits>

/// The rows. Order within a table: exact codes first, ranges after, one row for everything else at the end.
namespace satchel::verdicts::tables {

inline constexpr int kAny = std::numeric_limits<int>::min();
inline constexpr int kMost = std::numeric_limits<int>::max();

constexpr Row one(int code, std::string_view name, Verdict verdict, std::string_view remedy,
                  Hint hint = Hint::none) {
  return {code, code, name, verdict, remedy, hint};
}
constexpr Row other(std::string_view name, Verdict verdict, std::string_view remedy) {
  return {kAny, kMost, name, verdict, remedy, Hint::none};
}
constexpr Row one(Cause cause, std::string_view name, Verdict verdict, std::string_view remedy) {
  return one(static_cast<int>(cause), name, verdict, remedy);
}

// MQTT 5.0 section 3.4.2.1.
inline constexpr std::array kMqttPuback{
    one(0x00, "Success", Verdict::delivered, ""),
    one(0x10, "No matching subscribers", Verdict::delivered,
        "the broker has it; nobody listens at the moment"),
    one(0x80, "Unspecified error", Verdict::retry, "the broker gives no reason"),
    one(0x83, "Implementation specific error", Verdict::retry, "see the broker's log"),
    one(0x87, "Not authorized", Verdict::blocked, "the broker does not let this client publish to the topic"),
    one(0x90, "Topic Name invalid", Verdict::reject, "the broker does not accept the topic"),
    one(0x91, "Packet identifier in use", Verdict::down,
        "the session's state is out of step; connecting anew mends it", Hint::fresh_connection),
    one(0x97, "Quota exceeded", Verdict::down, "the broker limits this client; sending pauses"),
    one(0x99, "Payload format invalid", Verdict::reject, "the broker does not accept the payload"),
    other("Unknown reason code", Verdict::retry, "the code is none of MQTT 5.0"),
};

// MQTT 5.0 section 3.2.2.2. Whatever refuses the CONNECT for its content is configuration: the same CONNECT
// fails again.
inline constexpr std::array kMqttConnack5{
    one(0x00, "Success", Verdict::delivered, "connected"),
    one(0x80, "Unspecified error", Verdict::down, "the broker gives no reason"),
    one(0x81, "Malformed Packet", Verdict::blocked,
        "the broker does not understand the CONNECT; check client id, user and will"),
    one(0x82, "Protocol Error", Verdict::blocked,
        "the broker does not accept the CONNECT; check client id, user and will"),
    one(0x83, "Implementation specific error", Verdict::down, "see the broker's log"),
    one(0x84, "Unsupported Protocol Version", Verdict::blocked,
        "the broker does not speak this MQTT version; set another"),
    one(0x85, "Client Identifier not valid", Verdict::blocked, "set a client id that the broker accepts"),
    one(0x86, "Bad User Name or Password", Verdict::blocked, "check user name and password"),
    one(0x87, "Not authorized", Verdict::blocked, "the broker does not let this client connect"),
    one(0x88, "Server unavailable", Verdict::down, "the broker is not ready"),
    one(0x89, "Server busy", Verdict::down, "the broker is overloaded"),
    one(0x8A, "Banned", Verdict::blocked, "the broker has banned this client; ask its operator"),
    one(0x8C, "Bad authentication method", Verdict::blocked, "the broker demands another way to log in"),
    one(0x90, "Topic Name invalid", Verdict::blocked, "the broker does not accept the topic of the will"),
    one(0x95, "Packet too large", Verdict::blocked,
        "the CONNECT is too large for the broker; shorten the will"),
    one(0x97, "Quota exceeded", Verdict::down, "the broker limits its clients"),
    one(0x99, "Payload format invalid", Verdict::blocked,
        "the broker does not accept the payload of the will"),
    one(0x9A, "Retain not supported", Verdict::blocked,
        "the broker keeps no retained messages; switch retain off"),
    one(0x9B, "QoS not supported", Verdict::blocked, "the broker does not offer this QoS; lower it"),
    one(0x9C, "Use another server", Verdict::blocked,
        "the broker sends this client elsewhere for now; check host and port"),
    one(0x9D, "Server moved", Verdict::blocked, "the broker has moved; set the new host and port"),
    one(0x9F, "Connection rate exceeded", Verdict::down, "too many connections at once"),
    other("Unknown reason code", Verdict::down, "the code is none of MQTT 5.0"),
};

// MQTT 3.1.1 section 3.2.2.3.
inline constexpr std::array kMqttConnack311{
    one(0, "Connection accepted", Verdict::delivered, "connected"),
    one(1, "Unacceptable protocol version", Verdict::blocked,
        "the broker does not speak this MQTT version; set another"),
    one(2, "Identifier rejected", Verdict::blocked, "set a client id that the broker accepts"),
    one(3, "Server unavailable", Verdict::down, "the broker is not ready"),
    one(4, "Bad user name or password", Verdict::blocked, "check user name and password"),
    one(5, "Not authorized", Verdict::blocked, "the broker does not let this client connect"),
    other("Unknown return code", Verdict::down, "the code is none of MQTT 3.1.1"),
};

// MQTT 5.0 section 3.14.2.1, what a broker may send. The verdict is that of the connection; each message that
// was on the wire is answered with down and exposed, so that the relay can find the one that the broker
// cannot bear.
inline constexpr std::array kMqttDisconnect{
    one(0x00, "Normal disconnection", Verdict::down, "the broker ended the connection"),
    one(0x80, "Unspecified error", Verdict::down, "the broker gives no reason"),
    one(0x81, "Malformed Packet", Verdict::down, "a message on the wire is suspect"),
    one(0x82, "Protocol Error", Verdict::down, "a message on the wire is suspect"),
    one(0x83, "Implementation specific error", Verdict::down, "see the broker's log"),
    one(0x84, "Unsupported Protocol Version", Verdict::blocked,
        "the broker does not speak this MQTT version; set another"),
    one(0x85, "Client Identifier not valid", Verdict::blocked, "set a client id that the broker accepts"),
    one(0x86, "Bad User Name or Password", Verdict::blocked, "check user name and password"),
    one(0x87, "Not authorized", Verdict::blocked, "the broker does not let this client do that"),
    one(0x88, "Server unavailable", Verdict::down, "the broker is not ready"),
    one(0x89, "Server busy", Verdict::down, "the broker is overloaded"),
    one(0x8A, "Banned", Verdict::blocked, "the broker has banned this client; ask its operator"),
    one(0x8B, "Server shutting down", Verdict::down, "the broker is being stopped"),
    one(0x8C, "Bad authentication method", Verdict::blocked, "the broker demands another way to log in"),
    one(0x8D, "Keep Alive timeout", Verdict::down, "the broker heard nothing for too long"),
    one(0x8E, "Session taken over", Verdict::blocked,
        "another client uses the same client id; give every device its own"),
    one(0x8F, "Topic Filter invalid", Verdict::down, "meant for subscribers; see the broker's log"),
    one(0x90, "Topic Name invalid", Verdict::down, "a message on the wire is suspect"),
    one(0x93, "Receive Maximum exceeded", Verdict::down,
        "the broker counts more messages under way than it allows; lower the window"),
    one(0x94, "Topic Alias invalid", Verdict::down, "a message on the wire is suspect"),
    one(0x95, "Packet too large", Verdict::down, "a message on the wire is suspect"),
    one(0x96, "Message rate too high", Verdict::down, "the broker wants fewer messages a second"),
    one(0x97, "Quota exceeded", Verdict::down, "the broker limits this client"),
    one(0x98, "Administrative action", Verdict::down, "the broker's operator ended the connection"),
    one(0x99, "Payload format invalid", Verdict::down, "a message on the wire is suspect"),
    one(0x9A, "Retain not supported", Verdict::blocked,
        "the broker keeps no retained messages; switch retain off"),
    one(0x9B, "QoS not supported", Verdict::blocked, "the broker does not offer this QoS; lower it"),
    one(0x9C, "Use another server", Verdict::blocked,
        "the broker sends this client elsewhere for now; check host and port"),
    one(0x9D, "Server moved", Verdict::blocked, "the broker has moved; set the new host and port"),
    one(0x9E, "Shared Subscriptions not supported", Verdict::down,
        "meant for subscribers; see the broker's log"),
    one(0x9F, "Connection rate exceeded", Verdict::down, "too many connections at once"),
    one(0xA0, "Maximum connect time", Verdict::down, "the broker limits how long a connection lasts"),
    one(0xA1, "Subscription Identifiers not supported", Verdict::down,
        "meant for subscribers; see the broker's log"),
    one(0xA2, "Wildcard Subscriptions not supported", Verdict::down,
        "meant for subscribers; see the broker's log"),
    other("Unknown reason code", Verdict::down, "the code is none of MQTT 5.0"),
};

// The numbers are those of mosquitto.h; a unit test compares them. What is not known to be final has an
// unknown outcome once the library has seen the message: the connection is dropped, the message goes out
// again on the next one.
inline constexpr std::array kMosquittoPublish{
    one(0, "MOSQ_ERR_SUCCESS", Verdict::delivered, "handed over"),
    one(3, "MOSQ_ERR_INVAL", Verdict::reject, "the topic is none that MQTT allows"),
    one(9, "MOSQ_ERR_PAYLOAD_SIZE", Verdict::reject, "the payload is larger than MQTT allows"),
    one(18, "MOSQ_ERR_MALFORMED_UTF8", Verdict::reject, "topic or header is not UTF-8"),
    one(24, "MOSQ_ERR_QOS_NOT_SUPPORTED", Verdict::blocked, "the broker does not offer this QoS; lower it"),
    one(25, "MOSQ_ERR_OVERSIZE_PACKET", Verdict::reject, "the message is larger than the broker accepts"),
    one(28, "MOSQ_ERR_RETAIN_NOT_SUPPORTED", Verdict::blocked,
        "the broker keeps no retained messages; switch retain off"),
    other("any other error", Verdict::down,
          "it is unknown whether the message went out; the connection is dropped"),
};

inline constexpr std::array kMosquittoConnection{
    one(0, "MOSQ_ERR_SUCCESS", Verdict::delivered, "nothing is wrong"),
    one(1, "MOSQ_ERR_NOMEM", Verdict::down, "out of memory"),
    one(2, "MOSQ_ERR_PROTOCOL", Verdict::down, "the peer does not keep to MQTT"),
    one(3, "MOSQ_ERR_INVAL", Verdict::blocked, "an option cannot be used"),
    one(4, "MOSQ_ERR_NO_CONN", Verdict::down, "the connection was lost"),
    one(5, "MOSQ_ERR_CONN_REFUSED", Verdict::down, "the broker refused the connection"),
    one(7, "MOSQ_ERR_CONN_LOST", Verdict::down, "the connection was lost"),
    one(8, "MOSQ_ERR_TLS", Verdict::down, "the encrypted connection failed"),
    one(10, "MOSQ_ERR_NOT_SUPPORTED", Verdict::blocked, "libmosquitto was built without what is needed"),
    one(14, "MOSQ_ERR_ERRNO", Verdict::down, "the operating system reported an error"),
    one(15, "MOSQ_ERR_EAI", Verdict::down, "the address could not be used"),
    one(18, "MOSQ_ERR_MALFORMED_UTF8", Verdict::blocked, "client id, user, password or will is not UTF-8"),
    one(19, "MOSQ_ERR_KEEPALIVE", Verdict::down, "the broker did not answer in the keep-alive time"),
    one(20, "MOSQ_ERR_LOOKUP", Verdict::down, "the address could not be used"),
    one(21, "MOSQ_ERR_MALFORMED_PACKET", Verdict::down, "the peer does not keep to MQTT"),
    one(22, "MOSQ_ERR_DUPLICATE_PROPERTY", Verdict::down, "the peer does not keep to MQTT"),
    one(23, "MOSQ_ERR_TLS_HANDSHAKE", Verdict::down, "the encrypted connection failed"),
    one(24, "MOSQ_ERR_QOS_NOT_SUPPORTED", Verdict::blocked, "the broker does not offer this QoS; lower it"),
    one(25, "MOSQ_ERR_OVERSIZE_PACKET", Verdict::blocked, "the CONNECT is too large; shorten the will"),
    one(28, "MOSQ_ERR_RETAIN_NOT_SUPPORTED", Verdict::blocked,
        "the broker keeps no retained messages; switch retain off"),
    other("any other error", Verdict::down, "the connection is dropped"),
};

// RFC 9110 section 15 and the registry; 520 to 530 are a large CDN's own.
inline constexpr std::array kHttpStatus{
    one(304, "Not Modified", Verdict::blocked, "the server answers a write like a read; check the URL"),
    one(400, "Bad Request", Verdict::reject, "the server does not accept the message", Hint::split_batch),
    one(401, "Unauthorized", Verdict::blocked, "check the credentials, and the device's clock"),
    one(402, "Payment Required", Verdict::blocked, "the account does not allow it"),
    one(403, "Forbidden", Verdict::blocked, "check the rights of the credentials, and the device's clock"),
    one(404, "Not Found", Verdict::blocked, "check the URL"),
    one(405, "Method Not Allowed", Verdict::blocked, "check the method and the URL"),
    one(406, "Not Acceptable", Verdict::blocked,
        "the server cannot answer in a form that suits; check the URL"),
    one(407, "Proxy Authentication Required", Verdict::blocked, "check the credentials for the proxy"),
    one(408, "Request Timeout", Verdict::retry, "the server did not get the request in time"),
    one(409, "Conflict", Verdict::retry,
        "an earlier copy with the same idempotency key is still being processed"),
    one(410, "Gone", Verdict::blocked, "the endpoint was taken away; set another URL"),
    one(411, "Length Required", Verdict::blocked, "the server cannot take this form of request"),
    one(413, "Content Too Large", Verdict::reject, "the message is larger than the server accepts",
        Hint::split_batch),
    one(414, "URI Too Long", Verdict::reject, "topic and URL are longer than the server accepts",
        Hint::split_batch),
    one(415, "Unsupported Media Type", Verdict::reject, "the server does not accept the content type",
        Hint::split_batch),
    one(417, "Expectation Failed", Verdict::blocked, "the server cannot take this form of request"),
    one(421, "Misdirected Request", Verdict::retry, "it is sent again on a new connection",
        Hint::fresh_connection),
    one(422, "Unprocessable Content", Verdict::reject, "the server does not accept the message",
        Hint::split_batch),
    one(423, "Locked", Verdict::retry, "the target is in use"),
    one(424, "Failed Dependency", Verdict::retry, "something that the server needs failed"),
    one(425, "Too Early", Verdict::retry, "the server wants the request after the handshake"),
    one(426, "Upgrade Required", Verdict::blocked, "the server demands another protocol"),
    one(428, "Precondition Required", Verdict::blocked, "the server demands a conditional request"),
    one(429, "Too Many Requests", Verdict::down, "the server wants fewer requests; sending pauses"),
    one(431, "Request Header Fields Too Large", Verdict::reject,
        "the headers are larger than the server accepts", Hint::split_batch),
    one(451, "Unavailable For Legal Reasons", Verdict::blocked, "the server may not take it"),
    one(499, "Client Closed Request", Verdict::retry, "a proxy gave the request up"),
    one(500, "Internal Server Error", Verdict::retry, "the server failed on this message"),
    one(501, "Not Implemented", Verdict::reject, "the server does not support such a request",
        Hint::split_batch),
    one(502, "Bad Gateway", Verdict::down, "the server behind the gateway failed"),
    one(503, "Service Unavailable", Verdict::down, "the server is overloaded or in maintenance"),
    one(504, "Gateway Timeout", Verdict::down, "the server behind the gateway did not answer"),
    one(505, "HTTP Version Not Supported", Verdict::reject, "the server does not support such a request",
        Hint::split_batch),
    one(507, "Insufficient Storage", Verdict::down, "the server's storage is full"),
    one(509, "Bandwidth Limit Exceeded", Verdict::down, "the server limits this account"),
    one(511, "Network Authentication Required", Verdict::down,
        "a login page stands between this device and the server"),
    Row{521, 530, "Origin Unreachable", Verdict::down, "the server behind the gateway cannot be reached",
        Hint::none},
    Row{100, 199, "Informational", Verdict::down, "no final answer"},
    Row{200, 299, "Successful", Verdict::delivered, ""},
    Row{300, 399, "Redirection", Verdict::blocked, "redirects are not followed; set the final URL"},
    Row{400, 499, "Client Error", Verdict::reject, "the server does not accept the message",
        Hint::split_batch},
    Row{500, 599, "Server Error", Verdict::retry, "the server failed on this message"},
    other("no HTTP status", Verdict::down, "the peer does not speak HTTP"),
};

inline constexpr std::array kTransport{
    one(Cause::name_not_found, "host name unknown", Verdict::down, "check the host name and the network"),
    one(Cause::name_failed, "name resolution failed", Verdict::down, "check the network"),
    one(Cause::name_timeout, "name resolution timed out", Verdict::down, "check the network"),
    one(Cause::refused, "connection refused", Verdict::down, "nobody listens there; check host and port"),
    one(Cause::unreachable, "host unreachable", Verdict::down, "check the network"),
    one(Cause::connect_timeout, "no connection in time", Verdict::down, "check host, port and network"),
    one(Cause::connect_failed, "connecting failed", Verdict::down, "check host, port and network"),
    one(Cause::proxy_failed, "proxy failed", Verdict::down, "check the proxy"),
    one(Cause::reset, "connection broken", Verdict::down, "the peer or the network broke the connection"),
    one(Cause::closed, "connection closed", Verdict::down,
        "the peer closed the connection without an answer"),
    one(Cause::answer_timeout, "no answer in time", Verdict::down,
        "the peer took the message and did not answer"),
    one(Cause::protocol_error, "protocol error", Verdict::down,
        "the peer's answer cannot be understood; check host and port"),
    one(Cause::answer_too_large, "answer too large", Verdict::down,
        "the peer answered with more than the limit"),
    one(Cause::tls_unknown_ca, "certificate from an unknown authority", Verdict::blocked,
        "the peer's certificate was not issued by a trusted CA; set the CA file"),
    one(Cause::tls_self_signed, "self-signed certificate", Verdict::blocked,
        "the peer vouches for itself; set the CA file if that is meant to be"),
    one(Cause::tls_wrong_name, "certificate for another name", Verdict::blocked,
        "the peer's certificate does not name this host; check the host name"),
    one(Cause::tls_expired, "certificate expired", Verdict::blocked,
        "renew the peer's certificate, or check the device's clock"),
    // A device without a battery-backed clock boots in 1970 and mends this by itself: no alarm, ordinary
    // probes.
    one(Cause::tls_not_yet_valid, "certificate not yet valid", Verdict::down,
        "the device's clock seems to be behind"),
    one(Cause::tls_revoked, "certificate revoked", Verdict::blocked, "the peer's certificate was withdrawn"),
    one(Cause::tls_certificate, "certificate not trusted", Verdict::blocked,
        "the peer's certificate cannot be verified"),
    one(Cause::tls_client_refused, "client certificate refused", Verdict::blocked,
        "the peer demands a client certificate or does not accept this one"),
    one(Cause::tls_client_files, "client certificate unusable", Verdict::blocked,
        "check the certificate and key files"),
    one(Cause::tls_ca_files, "CA certificates unusable", Verdict::blocked, "check the CA file and directory"),
    one(Cause::tls_version, "no common TLS version or cipher", Verdict::blocked,
        "the peer must offer TLS 1.2 or newer"),
    one(Cause::tls_refused, "TLS refused by the peer", Verdict::blocked,
        "check client certificate, host name and the peer's TLS versions"),
    one(Cause::tls_handshake, "TLS failed", Verdict::down, "check that the port speaks TLS"),
    one(Cause::credentials_unreadable, "credentials unreadable", Verdict::blocked,
        "check the file that holds them"),
    one(Cause::login_denied, "login denied", Verdict::blocked, "check the credentials"),
    one(Cause::bad_address, "address unusable", Verdict::blocked, "check the URL"),
    one(Cause::not_supported, "not supported", Verdict::blocked,
        "the library was built without what is needed"),
    one(Cause::out_of_resources, "out of resources", Verdict::down,
        "memory, descriptors or threads are used up"),
    one(Cause::local_failure, "failed on this side", Verdict::down, "see the text"),
    other("unknown cause", Verdict::down, "see the text"),
};

}  // namespace satchel::verdicts::tables
