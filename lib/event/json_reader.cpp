// SPDX-License-Identifier: MIT
#include <satchel/detail/json_archive.hpp>
#include <satchel/error.hpp>

#include <cereal/archives/json.hpp>

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::detail {

namespace {

namespace json = rapidjson;

[[noreturn]] void refuse(std::string problem) {
  throw InvalidMessage{"decode", std::move(problem), "the payload does not fit the event"};
}

// Hands a document's events on and stops the parser at the depth limit. Iterative parsing alone would not do:
// whoever walks through the document later walks recursively.
class DepthGuard {
 public:
  DepthGuard(json::Document& document, std::size_t max_depth) : document_{document}, left_{max_depth} {}

  bool StartObject() { return descend() && document_.StartObject(); }
  bool EndObject(json::SizeType members) { return ascend() && document_.EndObject(members); }
  bool StartArray() { return descend() && document_.StartArray(); }
  bool EndArray(json::SizeType elements) { return ascend() && document_.EndArray(elements); }
  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool Int(int value) { return document_.Int(value); }
  bool Uint(unsigned value) { return document_.Uint(value); }
  bool Int64(std::int64_t value) { return document_.Int64(value); }
  bool Uint64(std::uint64_t value) { return document_.Uint64(value); }
  bool Double(double value) { return document_.Double(value); }
  bool RawNumber(const char* text, json::SizeType size, bool copy) {
    return document_.RawNumber(text, size, copy);
  }
  bool String(const char* text, json::SizeType size, bool copy) { return document_.String(text, size, copy); }
  bool Key(const char* text, json::SizeType size, bool copy) { return document_.Key(text, size, copy); }

 private:
  bool descend() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  bool ascend() {
    ++left_;
    return true;
  }

  json::Document& document_;
  std::size_t left_;
};

}  // namespace

/// Confined to one thread.
class JsonReader::State {
 public:
  State(std::string_view text, std::size_t max_depth) {
    json::MemoryStream bytes{text.data(), text.size()};
    json::EncodedInputStream<json::UTF8<>, json::MemoryStream> stream{bytes};
    json::Reader reader;
    const auto parse = [&](json::Document& document) {
      DepthGuard guard{document, max_depth};
      constexpr unsigned kFlags =
          json::kParseIterativeFlag | json::kParseValidateEncodingFlag | json::kParseFullPrecisionFlag;
      return !reader.Parse<kFlags>(stream, guard).IsError();
    };
    document_.Populate(parse);
    if (reader.GetParseErrorCode() == json::kParseErrorTermination)
      refuse(fmt::format("JSON nested deeper than {}", max_depth));
    if (reader.HasParseError()) refuse(fmt::format("not JSON, at byte {}", reader.GetErrorOffset()));
  }

  void open_node() {
    const json::Value& value = current();
    if (!value.IsObject() && !value.IsArray()) refuse(fmt::format("{} is no object and no array", where()));
    nodes_.push_back({&value, 0, wanted_});
    wanted_ = nullptr;
  }

  void close_node() {
    nodes_.pop_back();
    advance();
  }

  void name(const char* text) noexcept { wanted_ = text; }

  std::size_t size() const {
    if (nodes_.empty() || !nodes_.back().container->IsArray())
      refuse(fmt::format("{} is no array", nodes_.empty() ? "the payload" : quoted(nodes_.back().name)));
    return nodes_.back().container->Size();
  }

  // The value that is read next; `what` is what it has to be.
  template <class Test>
  const json::Value& take(const char* what, const Test& test) {
    const json::Value& value = current();
    if (!test(value)) refuse(fmt::format("{} is not {}", where(), what));
    advance();
    return value;
  }

 private:
  struct Node {
    const json::Value* container;
    json::SizeType next;
    const char* name;
  };

  const json::Value& current() {
    if (nodes_.empty()) return document_;
    Node& node = nodes_.back();
    const json::Value& container = *node.container;
    if (container.IsArray()) {
      if (node.next >= container.Size()) refuse(fmt::format("{} has too few elements", quoted(node.name)));
      return container[node.next];
    }
    if (wanted_ != nullptr) find(node, container);
    if (node.next >= container.MemberCount()) refuse(fmt::format("{} has too few fields", quoted(node.name)));
    return (container.MemberBegin() + static_cast<std::ptrdiff_t>(node.next))->value;
  }

  // Most documents list the fields in the order of the struct, so the one at hand is tried first.
  void find(Node& node, const json::Value& object) const {
    const std::string_view wanted{wanted_};
    const auto is_wanted = [&](json::SizeType index) {
      const auto& name = (object.MemberBegin() + static_cast<std::ptrdiff_t>(index))->name;
      return std::string_view{name.GetString(), name.GetStringLength()} == wanted;
    };
    if (node.next < object.MemberCount() && is_wanted(node.next)) return;
    for (json::SizeType index = 0; index < object.MemberCount(); ++index) {
      if (!is_wanted(index)) continue;
      node.next = index;
      return;
    }
    refuse(fmt::format("the field '{}' is missing", wanted));
  }

  void advance() noexcept {
    wanted_ = nullptr;
    if (!nodes_.empty()) ++nodes_.back().next;
  }

  static std::string quoted(const char* name) {
    return name == nullptr ? std::string{"the payload"} : fmt::format("the field '{}'", name);
  }
  std::string where() const {
    if (wanted_ != nullptr || nodes_.empty()) return quoted(wanted_);
    return fmt::format("a part of {}", quoted(nodes_.back().name));
  }

  json::Document document_;
  std::vector<Node> nodes_;
  const char* wanted_ = nullptr;  // name of what is read next; nothing: whatever comes next
};

JsonReader::JsonReader(std::string_view text, std::size_t max_depth)
    : state_{std::make_unique<State>(text, max_depth)} {}
JsonReader::~JsonReader() = default;

void JsonReader::open_node() { state_->open_node(); }
void JsonReader::close_node() { state_->close_node(); }
void JsonReader::name(const char* text) { state_->name(text); }
std::size_t JsonReader::size() { return state_->size(); }

void JsonReader::null() {
  state_->take("null", [](const json::Value& value) { return value.IsNull(); });
}

bool JsonReader::boolean() {
  return state_->take("true or false", [](const json::Value& value) { return value.IsBool(); }).GetBool();
}

std::int64_t JsonReader::signed_number(std::int64_t low, std::int64_t high) {
  const auto fits = [=](const json::Value& value) {
    return value.IsInt64() && value.GetInt64() >= low && value.GetInt64() <= high;
  };
  return state_->take(fmt::format("a whole number from {} to {}", low, high).c_str(), fits).GetInt64();
}

std::uint64_t JsonReader::unsigned_number(std::uint64_t high) {
  const auto fits = [=](const json::Value& value) { return value.IsUint64() && value.GetUint64() <= high; };
  return state_->take(fmt::format("a whole number from 0 to {}", high).c_str(), fits).GetUint64();
}

double JsonReader::real(double high) {
  const auto fits = [=](const json::Value& value) {
    return value.IsNumber() && std::abs(value.GetDouble()) <= high;
  };
  return state_->take("a number that fits", fits).GetDouble();
}

std::string JsonReader::text() {
  const json::Value& value = state_->take("a text", [](const json::Value& v) { return v.IsString(); });
  return {value.GetString(), value.GetStringLength()};
}

}  // namespace satchel::detail
