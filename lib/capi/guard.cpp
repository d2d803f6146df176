// SPDX-License-Identifier: MIT
#include "capi/guard.hpp"

#include "capi/not_found.hpp"

#include <satchel/error.hpp>

#include <exception>
#include <new>
#include <string>

namespace satchel::capi {

namespace {

// One thread only.
KeptError& last_error() noexcept {
  thread_local KeptError error;
  return error;
}

// From the most special to the most general.
int code_of(const Error& error) noexcept {
  if (dynamic_cast<const NotFound*>(&error) != nullptr) return SATCHEL_NOT_FOUND;
  if (dynamic_cast<const UsageError*>(&error) != nullptr) return SATCHEL_USAGE;
  if (dynamic_cast<const InvalidOption*>(&error) != nullptr) return SATCHEL_INVALID_OPTION;
  if (dynamic_cast<const InvalidMessage*>(&error) != nullptr) return SATCHEL_INVALID_MESSAGE;
  if (dynamic_cast<const SchemaTooNew*>(&error) != nullptr) return SATCHEL_SCHEMA_TOO_NEW;
  if (dynamic_cast<const OpenError*>(&error) != nullptr) return SATCHEL_CANNOT_OPEN;
  if (dynamic_cast<const OutcomeUnknown*>(&error) != nullptr) return SATCHEL_OUTCOME_UNKNOWN;
  if (dynamic_cast<const BusyError*>(&error) != nullptr) return SATCHEL_BUSY;
  if (dynamic_cast<const QuotaExceeded*>(&error) != nullptr) return SATCHEL_QUOTA_EXCEEDED;
  if (dynamic_cast<const FullError*>(&error) != nullptr) return SATCHEL_FULL;
  if (dynamic_cast<const StorageError*>(&error) != nullptr) return SATCHEL_STORAGE;
  return SATCHEL_FAILED;
}

satchel_error no_memory(const char* operation) noexcept {
  return {sizeof(satchel_error), SATCHEL_NO_MEMORY, 0, operation, "out of memory",
          "free memory",         "out of memory"};
}

int keep_no_memory(const char* operation) noexcept {
  last_error().view = no_memory(operation);
  return SATCHEL_NO_MEMORY;
}

int keep(const Error& error) {
  KeptError& last = last_error();
  last.operation = error.operation();
  last.problem = error.problem();
  last.hint = error.hint();
  last.text = error.what();
  last.show(code_of(error), error.code());
  return last.view.code;
}

int keep_current(const char* operation) {
  try {
    throw;
  } catch (const Error& error) {
    return keep(error);
  } catch (const std::bad_alloc&) {
    return keep_no_memory(operation);
  } catch (const std::exception& error) {
    return keep(Error{operation, error.what(), ""});
  } catch (...) {
    return keep(Error{operation, "something was thrown that is not a std::exception", ""});
  }
}

}  // namespace

void KeptError::show(int code, int system_code) noexcept {
  view.code = code;
  view.system_code = system_code;
  view.operation = operation.c_str();
  view.problem = problem.c_str();
  view.hint = hint.c_str();
  view.text = text.c_str();
}

void copy_last_error(KeptError& copy) noexcept {
  const satchel_error& last = last_error().view;
  try {
    copy.operation = last.operation;
    copy.problem = last.problem;
    copy.hint = last.hint;
    copy.text = last.text;
    copy.show(last.code, last.system_code);
  } catch (...) {
    copy.view = no_memory("copy the error");
  }
}

int keep_error(const char* operation) noexcept {
  try {
    return keep_current(operation);
  } catch (...) {
    return keep_no_memory(operation);
  }
}

}  // namespace satchel::capi

const satchel_error* satchel_last_error(void) { return &satchel::capi::last_error().view; }
