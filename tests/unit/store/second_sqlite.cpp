// SPDX-License-Identifier: MIT
//
// A library that brings a copy of SQLite of its own, as far as anybody can see from outside.
extern "C" __attribute__((visibility("default"))) const char* sqlite3_libversion() {
  static const char version[] = "3.0.0";
  return version;
}
