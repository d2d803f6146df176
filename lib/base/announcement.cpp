// SPDX-License-Identifier: MIT
#include <satchel/auditor.hpp>

// Brings rapidjson, wherever this cereal keeps it.
#include <cereal/archives/json.hpp>

#include <array>
#include <utility>

namespace satchel {

namespace {

namespace json = rapidjson;

std::string_view text_of(const json::Value& object, const char* name) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd() || !found->value.IsString()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

std::optional<DropReason> reason_of(std::string_view text) {
  for (const DropReason reason :
       {DropReason::expired, DropReason::quota, DropReason::coalesced, DropReason::discarded}) {
    if (to_string(reason) == text) return reason;
  }
  return std::nullopt;
}

// A number stands for itself, two for all from one to the other.
std::optional<AuditRange> range_of(const json::Value& value) {
  AuditRange range;
  if (value.IsInt64()) {
    range = {value.GetInt64(), value.GetInt64()};
  } else if (value.IsArray() && value.Size() == 2 && value[0].IsInt64() && value[1].IsInt64()) {
    range = {value[0].GetInt64(), value[1].GetInt64()};
  } else {
    return std::nullopt;
  }
  if (range.first < 1 || range.last < range.first) return std::nullopt;
  return range;
}

bool read_ranges(const json::Value& entry, const char* name, std::vector<AuditRange>& ranges) {
  const auto found = entry.FindMember(name);
  if (found == entry.MemberEnd()) return true;
  if (!found->value.IsArray()) return false;
  for (const json::Value& value : found->value.GetArray()) {
    const auto range = range_of(value);
    if (!range) return false;
    ranges.push_back(*range);
  }
  return true;
}

std::optional<Announcement::Entry> entry_of(const json::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto reason = reason_of(text_of(value, "reason"));
  if (!reason) return std::nullopt;
  Announcement::Entry entry{*reason, std::string{text_of(value, "topic")}, {}, {}};
  if (!read_ranges(value, "rows", entry.rows) || !read_ranges(value, "sequences", entry.sequences))
    return std::nullopt;
  return entry;
}

}  // namespace

std::optional<Announcement> Announcement::parse(std::string_view payload) {
  json::Document parsed;
  // Iterative: the recursive parser takes its depth from the input.
  parsed.Parse<json::kParseIterativeFlag>(payload.data(), payload.size());
  const json::Value& document = parsed;
  if (parsed.HasParseError() || !document.IsObject()) return std::nullopt;
  const auto id = MessageId::parse(std::string{text_of(document, "identity")} + "-1");
  const auto dropped = document.FindMember("dropped");
  if (!id || dropped == document.MemberEnd() || !dropped->value.IsArray()) return std::nullopt;
  Announcement announcement{id->identity, {}};
  for (const json::Value& value : dropped->value.GetArray()) {
    auto entry = entry_of(value);
    if (!entry) return std::nullopt;
    announcement.dropped.push_back(*std::move(entry));
  }
  return announcement;
}

}  // namespace satchel
