// SPDX-License-Identifier: MIT
// A program of somebody else that has neither exceptions nor type information: it takes the C interface.
#include <satchel/satchel.h>

#include <cinttypes>
#include <cstdio>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "for -fno-exceptions -fno-rtti"
#endif

namespace {

int failed() {
  std::fprintf(stderr, "%s\n", satchel_last_error()->text);
  return 1;
}

}  // namespace

int main(int, char** argv) {
  satchel_outbox* outbox = nullptr;
  if (satchel_open(argv[1], nullptr, &outbox) != SATCHEL_OK) return failed();

  // What is an exception inside comes out as a code.
  satchel_message message{};
  message.size = sizeof message;
  if (satchel_enqueue(outbox, &message, nullptr) != SATCHEL_INVALID_MESSAGE) return 1;
  message.topic = "plant/boiler/temperature";
  message.payload = "71.5";
  message.payload_size = 4;
  if (satchel_enqueue(outbox, &message, nullptr) != SATCHEL_OK) return failed();

  satchel_status status{};
  status.size = sizeof status;
  if (satchel_get_status(outbox, &status) != SATCHEL_OK) return failed();
  std::printf("pending = %" PRIu64 "\n", status.pending);
  satchel_close(outbox);
}
