// SPDX-License-Identifier: MIT
//
// device FILE URL: what a device does, over the C interface; and, to be compared in size, the same program
// without satchel.
#ifndef WITHOUT_SATCHEL
#include <satchel/satchel.h>
#endif

#include <mosquitto.h>
#include <sqlite3.h>

#include <cstdio>

namespace {

int business(sqlite3* database) {
  return sqlite3_exec(database, "CREATE TABLE IF NOT EXISTS reading(value)", nullptr, nullptr, nullptr);
}

#ifdef WITHOUT_SATCHEL

int work(const char* path, const char* host) {
  sqlite3* database = nullptr;
  int result = sqlite3_open(path, &database);
  if (result == SQLITE_OK) result = business(database);
  sqlite3_close(database);
  mosquitto_lib_init();
  mosquitto* const client = mosquitto_new(nullptr, true, nullptr);
  if (result == 0) result = mosquitto_connect(client, host, 1883, 60);
  mosquitto_destroy(client);
  return result;
}

#else

int work(const char* path, const char* url) {
  satchel_outbox* outbox = nullptr;
  int result = satchel_open(path, nullptr, &outbox);
  if (result == SATCHEL_OK) result = satchel_attach(outbox, url);
  if (result == SATCHEL_OK) result = satchel_start(outbox);
  satchel_transaction* transaction = nullptr;
  if (result == SATCHEL_OK) result = satchel_begin(outbox, &transaction);
  if (result == SATCHEL_OK) {
    business(satchel_transaction_database(transaction));
    satchel_message message{};
    message.size = sizeof message;
    message.topic = "plant/boiler/temperature";
    message.payload = "71.5";
    message.payload_size = 4;
    result = satchel_transaction_enqueue(transaction, &message, nullptr);
  }
  if (result == SATCHEL_OK) result = satchel_commit(transaction);
  if (result != SATCHEL_OK) std::fprintf(stderr, "%s\n", satchel_last_error()->text);
  satchel_stop(outbox, 1000, nullptr);
  satchel_close(outbox);
  return result;
}

#endif

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  return work(arguments[1], arguments[2]) == 0 ? 0 : 1;
}
