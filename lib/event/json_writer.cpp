// SPDX-License-Identifier: MIT
#include <satchel/detail/json_archive.hpp>
#include <satchel/error.hpp>

// Brings rapidjson, wherever this cereal keeps it: Debian's has it outside of cereal's own folder.
#include <cereal/archives/json.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

namespace satchel::detail {

namespace {

namespace json = rapidjson;

[[noreturn]] void refuse(std::string problem, std::string hint) {
  throw InvalidMessage{"encode", std::move(problem), std::move(hint)};
}

}  // namespace

/// Confined to one thread.
class JsonWriter::State {
 public:
  void open_node() {
    if (!nodes_.empty()) begin_child();
    nodes_.push_back({});
  }

  void close_node() {
    begin_content();
    if (nodes_.back().array) {
      writer_.EndArray();
    } else {
      writer_.EndObject();
    }
    nodes_.pop_back();
  }

  void array() {
    if (!nodes_.empty()) nodes_.back().array = true;
  }

  void name(const char* text) { name_ = text; }

  json::Writer<json::StringBuffer, json::UTF8<>, json::UTF8<>, json::CrtAllocator,
               json::kWriteValidateEncodingFlag>&
  next() {
    if (!nodes_.empty()) begin_child();
    return writer_;
  }

  std::string take() { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  struct Node {
    bool array = false;
    bool begun = false;
    unsigned children = 0;
  };

  // The bracket is written as late as the first child, because only then is it certain whether it is an
  // array.
  void begin_content() {
    Node& node = nodes_.back();
    if (node.begun) return;
    node.begun = true;
    if (node.array) {
      writer_.StartArray();
    } else {
      writer_.StartObject();
    }
  }

  void begin_child() {
    begin_content();
    Node& node = nodes_.back();
    if (!node.array) {
      const std::string name = name_ != nullptr ? name_ : "value" + std::to_string(node.children);
      if (!writer_.Key(name.data(), static_cast<json::SizeType>(name.size())))
        refuse("a field name that is not UTF-8", "rename it");
    }
    ++node.children;
    name_ = nullptr;
  }

  json::StringBuffer buffer_;
  json::Writer<json::StringBuffer, json::UTF8<>, json::UTF8<>, json::CrtAllocator,
               json::kWriteValidateEncodingFlag>
      writer_{buffer_};
  std::vector<Node> nodes_;
  const char* name_ = nullptr;
};

JsonWriter::JsonWriter() : state_{std::make_unique<State>()} {}
JsonWriter::~JsonWriter() = default;

void JsonWriter::open_node() { state_->open_node(); }
void JsonWriter::close_node() { state_->close_node(); }
void JsonWriter::array() { state_->array(); }
void JsonWriter::name(const char* text) { state_->name(text); }
void JsonWriter::value(std::nullptr_t) { state_->next().Null(); }
void JsonWriter::value(bool flag) { state_->next().Bool(flag); }
void JsonWriter::value(std::int64_t number) { state_->next().Int64(number); }
void JsonWriter::value(std::uint64_t number) { state_->next().Uint64(number); }

void JsonWriter::value(float number) {
  if (!std::isfinite(number)) refuse("a number that is not finite", "JSON has no NaN and no infinity");
  // As a float, not as the double next to it: 71.3, not 71.30000305175781.
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  state_->next().RawValue(text.data(), static_cast<std::size_t>(end - text.data()), json::kNumberType);
}

void JsonWriter::value(double number) {
  if (!std::isfinite(number)) refuse("a number that is not finite", "JSON has no NaN and no infinity");
  state_->next().Double(number);
}

void JsonWriter::value(std::string_view text) {
  if (!state_->next().String(text.data(), static_cast<json::SizeType>(text.size())))
    refuse("a text that is not UTF-8", "send bytes by the binary codec, or encode them");
}

std::string JsonWriter::take() { return state_->take(); }

}  // namespace satchel::detail
