// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/json.h"

#include <cstdio>
#include <memory>

#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

using nlohmann::json;

// Builds the document and stops at the first thing that is too much or twice.
class Builder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t&) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(json::object()); }
  bool start_array(size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    auto& object = open_.back()->get_ref<json::object_t&>();
    const auto [at, fresh] = object.try_emplace(name, nullptr);
    if (!fresh) problem = "key \"" + name.substr(0, 64) + "\" is there twice";
    slot_ = &at->second;
    return fresh;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& why) override {
    if (problem.empty()) {
      problem = "not JSON, at byte " + std::to_string(position) + " (" +
                std::string(why.what()).substr(0, 200) + ")";
    }
    return false;
  }

  json document;
  std::string problem;

 private:
  json* Place(json&& value) {
    if (++values_ > kMaxJsonValues) {
      problem = "more than " + std::to_string(kMaxJsonValues) + " values";
      return nullptr;
    }
    if (open_.empty()) return &(document = std::move(value));
    if (open_.back()->is_array()) {
      return &open_.back()->get_ref<json::array_t&>().emplace_back(std::move(value));
    }
    return &(*slot_ = std::move(value));
  }
  bool Put(json&& value) { return Place(std::move(value)) != nullptr; }
  bool Open(json&& value) {
    if (open_.size() == static_cast<size_t>(kMaxJsonDepth)) {
      problem = "nested more than " + std::to_string(kMaxJsonDepth) + " deep";
      return false;
    }
    json* placed = Place(std::move(value));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  std::vector<json*> open_;  // each the last element of the one before, so none moves
  json* slot_ = nullptr;     // of the key read last
  size_t values_ = 0;
};

std::string Shown(const json& value) {
  if (value.is_string()) return "\"" + value.get_ref<const std::string&>().substr(0, 64) + "\"";
  if (value.is_structured()) return value.is_array() ? "an array" : "an object";
  return value.dump();
}

}  // namespace

Result<json> ParseJson(std::string_view text, const std::string& name) {
  if (text.size() > kMaxJsonBytes) {
    return Error{Status::kInvalid, name + ": " + std::to_string(text.size()) + " bytes; at most " +
                                       std::to_string(kMaxJsonBytes) + " allowed"};
  }
  Builder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return Error{Status::kInvalid, name + ": " + builder.problem};
  }
  return std::move(builder.document);
}

Result<json> ReadJson(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return Error{Status::kNotFound, path + ": cannot be opened"};
  std::string text;
  char block[1 << 16];
  while (const size_t count = std::fread(block, 1, sizeof(block), file.get())) {
    text.append(block, count);
    if (text.size() > kMaxJsonBytes) break;
  }
  if (std::ferror(file.get()) != 0) return Error{Status::kInternal, path + ": cannot be read"};
  return ParseJson(text, path);
}

std::string Node::Place() const { return where + (where.ends_with(':') ? " " : ": "); }

Error Node::Wrong(const std::string& expected) const {
  return {Status::kInvalid, Place() + Shown(*value) + "; " + expected + " expected"};
}

Error Node::Says(const std::string& what) const { return {Status::kInvalid, Place() + what}; }

Error Node::Unsupported(const std::string& what) const {
  return {Status::kUnsupported, Place() + what};
}

Node Node::At(size_t index) const {
  return {&(*value)[index], where + "[" + std::to_string(index) + "]"};
}

Fields::Fields(Node node) : node_(std::move(node)) {
  if (!node_.value->is_object()) error_ = node_.Wrong("an object");
}

const json* Fields::Find(const char* key) {
  asked_.insert(key);
  if (error_) return nullptr;
  const auto at = node_.value->find(key);
  return at == node_.value->end() || at->is_null() ? nullptr : &*at;
}

void Fields::Fail(Error error) {
  if (!error_) error_ = std::move(error);
}

bool Fields::Has(const char* key) { return Find(key) != nullptr; }

Node Fields::Child(const char* key) {
  static const json nothing;
  const json* value = Find(key);
  const bool root = node_.where.ends_with(':');
  return {value == nullptr ? &nothing : value, node_.where + (root ? " " : ".") + key};
}

std::string Fields::Text(const char* key) {
  const Node child = Child(key);
  if (child.value->is_string()) return child.value->get<std::string>();
  Fail(child.Wrong("a string"));
  return {};
}

std::string Fields::TextOr(const char* key, std::string otherwise) {
  return Has(key) ? Text(key) : otherwise;
}

bool Fields::Flag(const char* key) {
  const Node child = Child(key);
  if (child.value->is_boolean()) return child.value->get<bool>();
  Fail(child.Wrong("true or false"));
  return false;
}

bool Fields::FlagOr(const char* key, bool otherwise) { return Has(key) ? Flag(key) : otherwise; }

std::optional<bool> Fields::FlagIfThere(const char* key) {
  return Has(key) ? std::optional<bool>(Flag(key)) : std::nullopt;
}

int64_t Fields::Integer(const char* key, int64_t low, int64_t high) {
  const Node child = Child(key);
  // An unsigned number beyond int64 would wrap; it is out of every range.
  const bool whole = child.value->is_number_integer() &&
                     (!child.value->is_number_unsigned() ||
                      child.value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  const int64_t number = whole ? child.value->get<int64_t>() : low;
  if (whole && number >= low && number <= high) return number;
  Fail(child.Wrong("an integer from " + std::to_string(low) + " to " + std::to_string(high)));
  return low;
}

int64_t Fields::IntegerOr(const char* key, int64_t otherwise, int64_t low, int64_t high) {
  return Has(key) ? Integer(key, low, high) : otherwise;
}

char32_t Fields::Character(const char* key) {
  const std::string text = Text(key);
  const Utf8Step step = DecodeUtf8(text, 0);
  if (step.kind == Utf8Step::kCharacter && step.bytes == text.size()) return step.character;
  Fail(Child(key).Wrong("one character"));
  return U' ';
}

std::vector<Node> Fields::List(const char* key) {
  const Node child = Child(key);
  std::vector<Node> list;
  if (!child.value->is_array()) {
    Fail(child.Wrong("an array"));
    return list;
  }
  for (size_t i = 0; i < child.value->size(); ++i) list.push_back(child.At(i));
  return list;
}

Result<void> Fields::Done() {
  if (error_) return *error_;
  std::string known;
  for (const std::string& key : asked_) known += (known.empty() ? "" : ", ") + key;
  for (const auto& item : node_.value->items()) {
    if (asked_.contains(item.key())) continue;
    return node_.Unsupported("key \"" + item.key().substr(0, 64) +
                             "\" is not understood; known are " + known);
  }
  return {};
}

Result<size_t> KindOf(const Node& node, std::string_view type,
                      std::span<const TokenizerKind> kinds) {
  std::string known;
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i].name == type) return i;
    known.append(known.empty() ? "" : ", ").append(kinds[i].name);
  }
  return node.Unsupported("type \"" + std::string(type.substr(0, 64)) +
                          "\" is not supported; these are: " + known);
}

Result<std::string> TypeOf(const Node& node) {
  Fields fields(node);
  if (!node.value->is_object()) return node.Wrong("an object");
  std::string type = fields.Text("type");
  if (type.empty()) return fields.Child("type").Wrong("the name of a kind");
  return type;
}

}  // namespace tenon::text::tokenizer_json
