// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/chat_prompt.h"

#include <algorithm>

#include "fmt/format.h"

namespace tenon::apps::openai {
namespace {

using text::jinja::Value;

const JsonValue::Array kNoParts;
constexpr size_t kMaxKeys = 256;  // of an object that a template sees: finding them is quadratic
constexpr std::string_view kRoles[] = {"system",    "developer", "user",
                                       "assistant", "tool",      "function"};
// Variables that are the server's.
constexpr std::string_view kOwnVariables[] = {
    "messages",  "tools",     "documents",     "add_generation_prompt",
    "bos_token", "eos_token", "chat_template", "tokenize"};

void CollectTexts(const JsonValue& json, std::vector<std::string_view>* out) {
  if (const std::string* string = json.AsString()) out->push_back(*string);
  if (const JsonValue::Array* array = json.AsArray()) {
    for (const JsonValue& item : *array) CollectTexts(item, out);
  }
  if (const JsonValue::Object* object = json.AsObject()) {
    for (const auto& [key, member] : *object) {
      out->push_back(key);
      CollectTexts(member, out);
    }
  }
}

// Turns a client's values into a template's.
class Conversion {
 public:
  Conversion(const ControlTokens& controls, std::string_view mark, const RequestCaps& caps,
             Fields& fields)
      : controls_(controls), mark_(mark), caps_(caps), fields_(fields) {}

  Value Of(const JsonValue& json, std::string_view field) {
    if (const bool* flag = json.AsBool()) return Value::Bool(*flag);
    if (const int64_t* number = json.AsInt()) return Value::Int(*number);
    if (const double* number = json.AsDouble()) return Value::Float(*number);
    if (const std::string* string = json.AsString()) return Text(*string);
    if (const JsonValue::Array* array = json.AsArray()) {
      std::vector<Value> items;
      items.reserve(array->size());
      for (const JsonValue& item : *array) items.push_back(Of(item, field));
      return Value::List(std::move(items));
    }
    const JsonValue::Object* object = json.AsObject();
    if (object == nullptr || !FewKeys(*object, field)) return Value::None();
    std::vector<text::jinja::Entry> entries;
    for (const auto& [key, member] : *object) entries.emplace_back(Text(key), Of(member, field));
    return Value::Dict(std::move(entries));
  }

  Value Text(std::string_view text) { return Value::String(controls_.Marked(text, mark_)); }

  bool FewKeys(const JsonValue::Object& object, std::string_view field) {
    if (object.size() <= kMaxKeys) return true;
    fields_.Refuse(field, fmt::format("{} has an object of {} keys; at most {} allowed", field,
                                      object.size(), kMaxKeys));
    return false;
  }

  Value Message(const JsonValue& json, size_t index, bool knows_developer);

 private:
  void Refuse(size_t index, std::string_view what) {
    fields_.Refuse("messages", fmt::format("messages[{}]{}", index, what));
  }
  std::string Role(const JsonValue& message, size_t index, bool knows_developer);
  Value Content(const JsonValue& content, size_t index);
  Value ToolCalls(const JsonValue& calls, size_t index);
  Value Arguments(const std::string& text, size_t index);

  const ControlTokens& controls_;
  std::string_view mark_;
  const RequestCaps& caps_;
  Fields& fields_;
};

std::string Conversion::Role(const JsonValue& message, size_t index, bool knows_developer) {
  const JsonValue* role = message.Find("role");
  const std::string* name = role == nullptr ? nullptr : role->AsString();
  if (name == nullptr ||
      std::find(std::begin(kRoles), std::end(kRoles), *name) == std::end(kRoles)) {
    Refuse(index, ".role is none of system, developer, user, assistant, tool, function");
    return {};
  }
  // OpenAI's newer name for it, which few templates know.
  return *name == "developer" && !knows_developer ? "system" : *name;
}

Value Conversion::Content(const JsonValue& content, size_t index) {
  if (const std::string* text = content.AsString()) return Text(*text);
  const JsonValue::Array* parts = content.AsArray();
  if (parts == nullptr) {
    Refuse(index, ".content is " + content.Kind() + "; a string or an array of parts wanted");
    return {};
  }
  std::string joined;
  for (size_t i = 0; i < parts->size(); ++i) {
    const JsonValue* type = (*parts)[i].Find("type");
    const JsonValue* text = (*parts)[i].Find("text");
    const std::string* name = type == nullptr ? nullptr : type->AsString();
    if (name == nullptr || *name != "text") {
      Refuse(index, fmt::format(".content[{}] is no part of type text; the models served here read "
                                "text alone",
                                i));
      return {};
    }
    if (text == nullptr || text->AsString() == nullptr) {
      Refuse(index, fmt::format(".content[{}].text is no string", i));
      return {};
    }
    if (i > 0) joined += '\n';
    joined += *text->AsString();
  }
  return Text(joined);
}

Value Conversion::Arguments(const std::string& text, size_t index) {
  JsonValue parsed;
  ApiError error;
  if (!ParseBody(text, caps_.json_depth / 2, &parsed, &error) || parsed.AsObject() == nullptr) {
    Refuse(index, ".tool_calls has arguments that are no JSON object");
    return {};
  }
  return Of(parsed, "messages");
}

Value Conversion::ToolCalls(const JsonValue& calls, size_t index) {
  const JsonValue::Array* list = calls.AsArray();
  if (list == nullptr) Refuse(index, ".tool_calls is " + calls.Kind() + "; an array wanted");
  std::vector<Value> out;
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const JsonValue::Object* call = (*list)[i].AsObject();
    const JsonValue* function = (*list)[i].Find("function");
    const JsonValue* name = function == nullptr ? nullptr : function->Find("name");
    if (name == nullptr || name->AsString() == nullptr) {
      Refuse(index, fmt::format(".tool_calls[{}] has no function with a name", i));
      return {};
    }
    const JsonValue::Object& inner = *function->AsObject();
    if (!FewKeys(*call, "messages") || !FewKeys(inner, "messages")) return {};
    std::vector<text::jinja::Entry> entries;
    std::vector<text::jinja::Entry> members;
    for (const auto& [key, member] : inner) {
      const bool packed = key == "arguments" && member.AsString() != nullptr;
      members.emplace_back(Text(key),
                           packed ? Arguments(*member.AsString(), index) : Of(member, "messages"));
    }
    for (const auto& [key, member] : *call) {
      entries.emplace_back(Text(key),
                           key == "function" ? Value::Dict(members) : Of(member, "messages"));
    }
    out.push_back(Value::Dict(std::move(entries)));
  }
  return Value::List(std::move(out));
}

Value Conversion::Message(const JsonValue& json, size_t index, bool knows_developer) {
  const JsonValue::Object* message = json.AsObject();
  if (message == nullptr) {
    Refuse(index, " is " + json.Kind() + "; an object wanted");
    return {};
  }
  if (!FewKeys(*message, "messages")) return {};
  const std::string role = Role(json, index, knows_developer);
  const JsonValue* calls = json.Find("tool_calls");
  const bool has_calls = calls != nullptr && !calls->IsNull();
  const JsonValue* content = json.Find("content");
  const bool silent = content == nullptr || content->IsNull();
  if (silent && !(role == "assistant" && has_calls)) Refuse(index, " has no content");
  std::vector<text::jinja::Entry> entries;
  entries.emplace_back(Value::String("role"), Value::String(role));
  entries.emplace_back(Value::String("content"),
                       silent ? Value::String("") : Content(*content, index));
  if (has_calls) entries.emplace_back(Value::String("tool_calls"), ToolCalls(*calls, index));
  for (const auto& [key, member] : *message) {
    if (key == "role" || key == "content" || key == "tool_calls" || member.IsNull()) continue;
    if ((key == "name" || key == "tool_call_id") && member.AsString() == nullptr) {
      Refuse(index, fmt::format(".{} is {}; a string wanted", key, member.Kind()));
    }
    entries.emplace_back(Text(key), Of(member, "messages"));
  }
  return Value::Dict(std::move(entries));
}

void ReadVariables(const JsonValue::Object& given, Conversion& conversion, Fields& fields,
                   text::jinja::Variables* out) {
  if (!conversion.FewKeys(given, "chat_template_kwargs")) return;
  for (const auto& [key, member] : given) {
    if (std::find(std::begin(kOwnVariables), std::end(kOwnVariables), key) !=
        std::end(kOwnVariables)) {
      return fields.Refuse("chat_template_kwargs",
                           fmt::format("chat_template_kwargs.{} is the server's to set", key));
    }
    out->emplace_back(key, conversion.Of(member, "chat_template_kwargs"));
  }
}

}  // namespace

std::string LastUserText(Fields& fields) {
  const JsonValue::Array* messages = fields.Array("messages");
  if (messages == nullptr) return {};
  for (auto message = messages->rbegin(); message != messages->rend(); ++message) {
    const JsonValue* role = message->Find("role");
    const JsonValue* content = message->Find("content");
    if (role == nullptr || role->AsString() == nullptr || *role->AsString() != "user") continue;
    if (content == nullptr) return {};
    if (content->AsString() != nullptr) return *content->AsString();
    std::string joined;
    for (const JsonValue& part : content->AsArray() == nullptr ? kNoParts : *content->AsArray()) {
      const JsonValue* text = part.Find("text");
      if (text == nullptr || text->AsString() == nullptr) continue;
      if (!joined.empty()) joined += '\n';
      joined += *text->AsString();
    }
    return joined;
  }
  return {};
}

std::vector<int32_t> ReadChatPrompt(Fields& fields, const ModelText& text,
                                    bool add_generation_prompt, const RequestCaps& caps) {
  const JsonValue* given = fields.Any("messages");
  const JsonValue::Object* variables = fields.Object("chat_template_kwargs");
  const JsonValue::Array* messages = given == nullptr ? nullptr : given->AsArray();
  if (messages == nullptr || messages->empty()) {
    fields.Refuse("messages", "messages is missing, or no array of at least one message");
    return {};
  }
  if (!text.chat_template) {
    fields.Refuse("messages", "the model has no chat template; /v1/completions takes its prompts");
    return {};
  }
  const text::Vocabulary& vocabulary = text.tokenizer.vocabulary();
  std::vector<std::string_view> texts = {vocabulary.chat_template};
  CollectTexts(*given, &texts);
  if (const JsonValue* kwargs = fields.Any("chat_template_kwargs")) CollectTexts(*kwargs, &texts);
  const std::string_view mark = ControlTokens::MarkFor(texts);
  if (mark.empty()) {
    fields.Refuse("messages", "messages hold too many of Unicode's noncharacters");
    return {};
  }
  Conversion conversion(text.controls, mark, caps, fields);
  text::ChatOptions options;
  options.add_generation_prompt = add_generation_prompt;
  options.bos_token = std::string(text.tokenizer.TokenText(vocabulary.bos));
  options.eos_token = std::string(text.tokenizer.TokenText(vocabulary.eos));
  if (variables != nullptr) ReadVariables(*variables, conversion, fields, &options.variables);
  const bool knows_developer = vocabulary.chat_template.find("developer") != std::string::npos;
  std::vector<Value> list;
  for (size_t i = 0; i < messages->size() && fields.ok(); ++i) {
    list.push_back(conversion.Message((*messages)[i], i, knows_developer));
  }
  if (!fields.ok()) return {};
  auto rendered = text.chat_template->Render(Value::List(std::move(list)), options);
  auto ids = rendered.ok() ? text.controls.Encode(text.tokenizer, *rendered, mark)
                           : Result<std::vector<int32_t>>(rendered.error());
  if (ids.ok()) return *std::move(ids);
  fields.Refuse("messages", "the chat template refuses these messages: " + ids.error().message);
  return {};
}

}  // namespace tenon::apps::openai
