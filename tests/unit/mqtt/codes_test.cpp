// SPDX-License-Identifier: MIT
#include "sinks/verdicts/verdicts.hpp"

#include <doctest/doctest.h>
#include <mosquitto.h>

#include <map>
#include <string>

using satchel::verdicts::Source;

TEST_CASE("mqtt: the table's numbers of libmosquitto's errors are those of its header") {
  const std::map<std::string, int> header{{"MOSQ_ERR_SUCCESS", MOSQ_ERR_SUCCESS},
                                          {"MOSQ_ERR_NOMEM", MOSQ_ERR_NOMEM},
                                          {"MOSQ_ERR_PROTOCOL", MOSQ_ERR_PROTOCOL},
                                          {"MOSQ_ERR_INVAL", MOSQ_ERR_INVAL},
                                          {"MOSQ_ERR_NO_CONN", MOSQ_ERR_NO_CONN},
                                          {"MOSQ_ERR_CONN_REFUSED", MOSQ_ERR_CONN_REFUSED},
                                          {"MOSQ_ERR_CONN_LOST", MOSQ_ERR_CONN_LOST},
                                          {"MOSQ_ERR_TLS", MOSQ_ERR_TLS},
                                          {"MOSQ_ERR_PAYLOAD_SIZE", MOSQ_ERR_PAYLOAD_SIZE},
                                          {"MOSQ_ERR_NOT_SUPPORTED", MOSQ_ERR_NOT_SUPPORTED},
                                          {"MOSQ_ERR_ERRNO", MOSQ_ERR_ERRNO},
                                          {"MOSQ_ERR_EAI", MOSQ_ERR_EAI},
                                          {"MOSQ_ERR_MALFORMED_UTF8", MOSQ_ERR_MALFORMED_UTF8},
                                          {"MOSQ_ERR_KEEPALIVE", MOSQ_ERR_KEEPALIVE},
                                          {"MOSQ_ERR_LOOKUP", MOSQ_ERR_LOOKUP},
                                          {"MOSQ_ERR_MALFORMED_PACKET", MOSQ_ERR_MALFORMED_PACKET},
                                          {"MOSQ_ERR_DUPLICATE_PROPERTY", MOSQ_ERR_DUPLICATE_PROPERTY},
                                          {"MOSQ_ERR_TLS_HANDSHAKE", MOSQ_ERR_TLS_HANDSHAKE},
                                          {"MOSQ_ERR_QOS_NOT_SUPPORTED", MOSQ_ERR_QOS_NOT_SUPPORTED},
                                          {"MOSQ_ERR_OVERSIZE_PACKET", MOSQ_ERR_OVERSIZE_PACKET},
                                          {"MOSQ_ERR_RETAIN_NOT_SUPPORTED", MOSQ_ERR_RETAIN_NOT_SUPPORTED}};
  for (const Source source : {Source::mosquitto_publish, Source::mosquitto_connection}) {
    for (const auto& row : satchel::verdicts::rows(source)) {
      if (row.first != row.last) continue;
      CAPTURE(row.name);
      REQUIRE(header.count(std::string(row.name)) == 1);
      CHECK(header.at(std::string(row.name)) == row.first);
    }
  }
}
