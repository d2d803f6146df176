// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <memory>

/// Owners of libcurl's handles.
namespace satchel::http {

struct EasyDeleter {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
using EasyPtr = std::unique_ptr<CURL, EasyDeleter>;

struct MultiDeleter {
  void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
using MultiPtr = std::unique_ptr<CURLM, MultiDeleter>;

struct FieldsDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using FieldsPtr = std::unique_ptr<curl_slist, FieldsDeleter>;

}  // namespace satchel::http
