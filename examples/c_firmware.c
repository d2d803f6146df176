/* SPDX-License-Identifier: MIT */
/* A firmware in C: stores readings and sends them. Usage: c_firmware FILE SINK-URL */
#include <satchel/satchel.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int failed(const char* what) {
  const satchel_error* error = satchel_last_error();
  fprintf(stderr, "%s failed (%d): %s\n", what, error->code, error->text);
  return 1;
}

/* The relay's thread calls this. */
static void on_event(void* context, const satchel_event* event) {
  FILE* log = context;
  if (event->kind == SATCHEL_EVENT_SINK_UP) fprintf(log, "connected to %s\n", event->text);
  if (event->kind == SATCHEL_EVENT_SINK_DOWN) fprintf(log, "sink down: %s\n", event->text);
  if (event->kind == SATCHEL_EVENT_NOTICE) fprintf(log, "notice: %s\n", event->text);
}

/* A row and its message: both or neither. */
static int store_reading(satchel_outbox* outbox, double celsius) {
  satchel_transaction* tx = NULL;
  if (satchel_begin(outbox, &tx) != SATCHEL_OK) return failed("begin");

  char payload[32];
  snprintf(payload, sizeof payload, "%.1f", celsius);
  char* sql = sqlite3_mprintf("INSERT INTO reading(celsius) VALUES (%s)", payload);
  const int result = sqlite3_exec(satchel_transaction_database(tx), sql, NULL, NULL, NULL);
  sqlite3_free(sql);
  if (result != SQLITE_OK) {
    fprintf(stderr, "insert failed: %s\n", sqlite3_errstr(result));
    satchel_rollback(tx);
    return 1;
  }

  satchel_message message = {.size = sizeof message, .topic = "plant/boiler/temperature"};
  message.payload = payload;
  message.payload_size = strlen(payload);
  message.content_type = "text/plain";
  if (satchel_transaction_enqueue(tx, &message, NULL) != SATCHEL_OK) {
    satchel_rollback(tx);
    return failed("enqueue");
  }
  if (satchel_commit(tx) != SATCHEL_OK) return failed("commit");
  return 0;
}

static int make_table(satchel_outbox* outbox) {
  satchel_transaction* tx = NULL;
  if (satchel_begin(outbox, &tx) != SATCHEL_OK) return failed("begin");
  sqlite3_exec(satchel_transaction_database(tx), "CREATE TABLE IF NOT EXISTS reading(celsius REAL)", NULL,
               NULL, NULL);
  return satchel_commit(tx) == SATCHEL_OK ? 0 : failed("commit");
}

static int print_letter(void* context, const satchel_dead_letter* letter) {
  char id[SATCHEL_MESSAGE_ID_TEXT];
  (void)context;
  satchel_message_id_to_text(&letter->id, id, sizeof id);
  printf("dead letter %s to %s: %s\n", id, letter->message->topic, letter->last_error);
  return 0;
}

/* Waits until everything is delivered, at most ten seconds. A device would just go on with its work. */
static int wait_for_delivery(satchel_outbox* outbox) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  satchel_status status = {.size = sizeof status};
  for (int round = 0; round < 1000; ++round) {
    if (satchel_get_status(outbox, &status) != SATCHEL_OK) return failed("status");
    if (status.pending == 0) {
      printf("%llu delivered\n", (unsigned long long)status.delivered);
      return 0;
    }
    nanosleep(&pause, NULL);
  }
  printf("%llu wait: %s\n", (unsigned long long)status.pending, status.sink_problem);
  return 1;
}

static int run(satchel_outbox* outbox, const char* url) {
  if (satchel_attach(outbox, url) != SATCHEL_OK) return failed("attach");
  if (satchel_start(outbox) != SATCHEL_OK) return failed("start");
  if (make_table(outbox) != 0) return 1;
  for (int number = 0; number < 10; ++number) {
    if (store_reading(outbox, 70.0 + number) != 0) return 1;
  }
  if (wait_for_delivery(outbox) != 0) return 1;
  if (satchel_dead_letters(outbox, 0, 100, print_letter, NULL) != SATCHEL_OK) return failed("dead letters");
  if (satchel_stop(outbox, 5000, NULL) != SATCHEL_OK) return failed("stop");
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: c_firmware FILE SINK-URL\n");
    return 2;
  }
  satchel_options options;
  satchel_options_init(&options, sizeof options);
  options.max_attempts = 10;
  options.on_event = on_event;
  options.event_context = stdout;

  satchel_outbox* outbox = NULL;
  if (satchel_open(argv[1], &options, &outbox) != SATCHEL_OK) return failed("open");
  const int result = run(outbox, argv[2]);
  satchel_close(outbox);
  return result;
}
