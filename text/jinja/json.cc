// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/json.h"

#include <nlohmann/json.hpp>

namespace tenon::text::jinja {
namespace {

using Json = nlohmann::ordered_json;

// Takes the parser's events, so that depth is checked before anything deep is built.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Add(Value::None()); }
  bool boolean(bool value) override { return Add(Value::Bool(value)); }
  bool number_integer(number_integer_t value) override { return Add(Value::Int(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= INT64_MAX) return Add(Value::Int(static_cast<int64_t>(value)));
    return Add(Value::Float(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Add(Value::Float(value));
  }
  bool string(string_t& value) override { return Add(Value::String(std::move(value))); }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool start_object(std::size_t) override { return Open(); }
  bool start_array(std::size_t) override { return Open(); }
  bool key(string_t& value) override {
    open_.back().key = Value::String(std::move(value));
    return true;
  }
  bool end_object() override {
    Level level = Close();
    return Add(Value::Dict(std::move(level.entries)));
  }
  bool end_array() override {
    Level level = Close();
    return Add(Value::List(std::move(level.items)));
  }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Refuse("malformed near byte " + std::to_string(at));
  }

  Result<Value> Take() {
    if (!error_.empty()) return Error{Status::kInvalid, "JSON: " + error_, {}};
    return std::move(open_.front().items.front());
  }

 private:
  static constexpr size_t kMaxKeys = 10'000;  // finding equal keys is quadratic
  struct Level {
    Value key;
    std::vector<Value> items;
    std::vector<Entry> entries;
  };

  bool Refuse(std::string why) {
    if (error_.empty()) error_ = std::move(why);
    return false;
  }
  bool Open() {
    if (open_.size() > static_cast<size_t>(kMaxDepth)) {
      return Refuse("nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    open_.emplace_back();
    return true;
  }
  Level Close() {
    Level level = std::move(open_.back());
    open_.pop_back();
    return level;
  }
  bool Add(Value value) {
    Level& level = open_.back();
    if (level.key.Is(Value::Kind::kUndefined)) {
      level.items.push_back(std::move(value));
    } else {
      if (level.entries.size() >= kMaxKeys) return Refuse("an object of more than 10000 keys");
      level.entries.emplace_back(std::exchange(level.key, {}), std::move(value));
    }
    return true;
  }

  std::vector<Level> open_ = std::vector<Level>(1);
  std::string error_;
};

}  // namespace

Result<Value> ParseJson(std::string_view text) {
  Builder builder;
  Json::sax_parse(text, &builder);
  return builder.Take();
}

}  // namespace tenon::text::jinja
