// SPDX-License-Identifier: MIT

/// libmosquitto 2.0.11 unlocks a mutex that it has not locked when a DISCONNECT comes in. All its calls are
/// on one thread, so no lock matters; races inside it are still reported.
extern "C" const char* __tsan_default_suppressions() { return "mutex:libmosquitto.so\n"; }
