// SPDX-License-Identifier: MIT
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The baseline: a libcurl multi loop with so many handles, each used again as soon as it is done. Posts the
/// same body from memory and stores nothing.
class BarePoster {
 public:
  BarePoster(const std::string& url, const std::string& payload, std::size_t parallel)
      : payload_{payload}, multi_{curl_multi_init()} {
    fields_.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    curl_slist_append(fields_.get(), "Expect:");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(parallel));
    for (std::size_t index = 0; index < parallel; ++index) {
      handles_.emplace_back(curl_easy_init());
      CURL* const handle = handles_.back().get();
      curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
      curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(handle, CURLOPT_PROXY, "");
      curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields_.get());
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(payload_.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, payload_.c_str());
    }
  }

  /// Returns after the last answer.
  void drain(std::size_t messages) {
    std::size_t begun = 0;
    std::size_t done = 0;
    for (; begun < std::min(handles_.size(), messages); ++begun)
      curl_multi_add_handle(multi_.get(), handles_[begun].get());
    while (done < messages) {
      int running = 0;
      int left = 0;
      curl_multi_perform(multi_.get(), &running);
      bool progress = false;
      while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        CURL* const handle = message->easy_handle;
        if (message->data.result != CURLE_OK) throw std::runtime_error{"the baseline failed"};
        curl_multi_remove_handle(multi_.get(), handle);
        progress = true;
        ++done;
        if (begun < messages) {
          ++begun;
          curl_multi_add_handle(multi_.get(), handle);
        }
      }
      if (!progress) curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
    }
  }

 private:
  struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  struct MultiDeleter {
    void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  std::string payload_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<curl_slist, ListDeleter> fields_;
  std::vector<std::unique_ptr<CURL, EasyDeleter>> handles_;
};

}  // namespace bench
