// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/json_value.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "apps/openai/json_text.h"

namespace tenon::apps::openai {
namespace {

using Json = nlohmann::json;

constexpr size_t kShownBytes = 64;  // of a key, in a message
constexpr int32_t kMostDepth = 64;  // so that templates can hold it, and parsed strings within

// Takes the parser's events, so that depth is checked before anything deep is built.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(int32_t depth, JsonValue* out) : depth_(static_cast<size_t>(depth)), root_(out) {}

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return Add({value}); }
  bool number_integer(number_integer_t value) override { return Add({int64_t{value}}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= INT64_MAX) return Add({static_cast<int64_t>(value)});
    return Add({static_cast<double>(value)});
  }
  bool number_float(number_float_t value, const string_t&) override { return Add({value}); }
  bool string(string_t& value) override {
    return Add({std::make_unique<std::string>(std::move(value))});
  }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool start_object(std::size_t) override { return Open({std::make_unique<JsonValue::Object>()}); }
  bool start_array(std::size_t) override { return Open({std::make_unique<JsonValue::Array>()}); }
  bool key(string_t& value) override {
    if (open_.size() == 1) field_ = FirstCharacters(value, kShownBytes);
    keys_.push_back(std::move(value));
    return true;
  }
  bool end_array() override { return Close(); }
  bool end_object() override { return NoKeyTwice() && Close(); }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // 406: a number that no double holds.
    if (error.id == 406) return Refuse("a number is too large");
    return Refuse("it is not JSON in UTF-8 near byte " + std::to_string(at));
  }

  ApiError error() const {
    ApiError error;
    error.param = field_.empty() ? "body" : field_;
    error.message = "The request's body cannot be read: " + why_;
    return error;
  }

 private:
  bool Refuse(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }
  bool Open(JsonValue value) {
    if (open_.size() >= depth_) {
      return Refuse("it is nested more than " + std::to_string(depth_) + " deep");
    }
    JsonValue* place = Place();
    *place = std::move(value);
    open_.push_back(place);
    return true;
  }
  bool Close() {
    open_.pop_back();
    if (open_.size() == 1) field_.clear();
    return true;
  }
  bool Add(JsonValue value) {
    *Place() = std::move(value);
    if (open_.size() == 1) field_.clear();
    return true;
  }
  // Where the next value goes. Stays valid while the value is open: its siblings come later.
  JsonValue* Place() {
    if (open_.empty()) return root_;
    if (auto* array = std::get_if<std::unique_ptr<JsonValue::Array>>(&open_.back()->value)) {
      return &(*array)->emplace_back();
    }
    auto& object = *std::get<std::unique_ptr<JsonValue::Object>>(open_.back()->value);
    object.emplace_back(std::move(keys_.back()), JsonValue());
    keys_.pop_back();
    return &object.back().second;
  }
  bool NoKeyTwice() {
    const JsonValue::Object& object = *open_.back()->AsObject();
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const auto& [key, value] : object) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return true;
    const std::string shown(FirstCharacters(*twice, kShownBytes));
    if (open_.size() == 1) field_ = shown;
    return Refuse("the key \"" + shown + "\" is given twice");
  }

  size_t depth_;
  JsonValue* root_;
  std::vector<JsonValue*> open_;
  std::vector<std::string> keys_;  // whose values have not begun
  std::string field_;              // of the outermost object
  std::string why_;
};

}  // namespace

const JsonValue* JsonValue::Find(std::string_view key) const {
  const Object* object = AsObject();
  if (object == nullptr) return nullptr;
  for (const auto& [name, member] : *object) {
    if (name == key) return &member;
  }
  return nullptr;
}

std::string JsonValue::Kind() const {
  switch (value.index()) {
    case 0:
      return "null";
    case 1:
      return *AsBool() ? "true" : "false";
    case 2:
      return std::to_string(*AsInt());
    case 3:
      return Json(*AsDouble()).dump();
    case 4:
      return "a string";
    case 5:
      return "an array of " + std::to_string(AsArray()->size());
    default:
      return "an object";
  }
}

bool ParseBody(std::string_view text, int32_t depth, JsonValue* out, ApiError* error) {
  Builder builder(std::clamp(depth, 1, kMostDepth), out);
  if (Json::sax_parse(text, &builder)) return true;
  *error = builder.error();
  return false;
}

void AppendJson(const JsonValue& json, std::string* out) {
  if (const std::string* string = json.AsString()) return AppendQuoted(*string, out);
  if (const int64_t* number = json.AsInt()) return AppendNumber(*number, out);
  if (const double* number = json.AsDouble()) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, *number);
    out->append(digits, end.ptr);
  } else if (const JsonValue::Array* array = json.AsArray()) {
    *out += '[';
    for (size_t i = 0; i < array->size(); ++i) {
      if (i > 0) *out += ',';
      AppendJson((*array)[i], out);
    }
    *out += ']';
  } else if (const JsonValue::Object* object = json.AsObject()) {
    *out += '{';
    for (size_t i = 0; i < object->size(); ++i) {
      if (i > 0) *out += ',';
      AppendQuoted((*object)[i].first, out);
      *out += ':';
      AppendJson((*object)[i].second, out);
    }
    *out += '}';
  } else {
    *out += json.IsNull() ? "null" : *json.AsBool() ? "true" : "false";
  }
}

}  // namespace tenon::apps::openai
