// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace satchel::http {

/// Where requests go: an address with or without a place for the topic.
class UrlTemplate {
 public:
  /// Throws `InvalidOption`.
  explicit UrlTemplate(const std::string& url);

  /// The address for a topic. Throws `InvalidMessage` when the topic has a segment `.` or `..`, which servers
  /// would take for a step out of the base path.
  std::string expand(const std::string& topic) const;

  bool has_topic() const noexcept { return has_topic_; }
  bool is_https() const noexcept { return https_; }
  /// Of the host: what is sent there does not leave the device.
  bool is_loopback() const;
  /// Without the query, which may hold a secret.
  const std::string& shown() const noexcept { return shown_; }

 private:
  std::string before_;
  std::string after_;
  std::string host_;
  std::string shown_;
  bool has_topic_ = false;
  bool https_ = false;
};

}  // namespace satchel::http
