/* SPDX-License-Identifier: MIT */
/* A program of somebody else in C. */
#include <satchel/satchel.h>

#include <inttypes.h>
#include <stdio.h>

static int failed(void) {
  fprintf(stderr, "%s\n", satchel_last_error()->text);
  return 1;
}

int main(int argc, char** argv) {
  satchel_outbox* outbox = NULL;
  satchel_message message = {.size = sizeof message, .topic = "plant/boiler/temperature"};
  satchel_status status = {.size = sizeof status};
  if (argc != 2) return 2;
  if (satchel_open(argv[1], NULL, &outbox) != SATCHEL_OK) return failed();

  message.payload = "71.5";
  message.payload_size = 4;
  if (satchel_enqueue(outbox, &message, NULL) != SATCHEL_OK) return failed();
  if (satchel_get_status(outbox, &status) != SATCHEL_OK) return failed();
  printf("pending = %" PRIu64 "\n", status.pending);
  satchel_close(outbox);
  return 0;
}
