// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include "text/jinja/parser.h"

namespace tenon::text {

struct ChatTemplate::Source {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Source> source) : source_(std::move(source)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::Parse(std::string_view source) {
  auto body = jinja::Parse(source);
  if (!body.ok()) return body.error();
  auto made = std::make_unique<Source>();
  made->body = *std::move(body);
  return ChatTemplate(std::move(made));
}

Result<std::string> ChatTemplate::Render(const jinja::Value& messages,
                                         const ChatOptions& options) const {
  using jinja::Value;
  const auto or_none = [](const Value& value) {
    return value.Is(Value::Kind::kUndefined) ? Value::None() : value;
  };
  jinja::Variables variables = options.variables;
  variables.emplace_back("messages", messages);
  variables.emplace_back("tools", or_none(options.tools));
  variables.emplace_back("documents", or_none(options.documents));
  variables.emplace_back("add_generation_prompt", Value::Bool(options.add_generation_prompt));
  variables.emplace_back("bos_token", Value::String(options.bos_token));
  variables.emplace_back("eos_token", Value::String(options.eos_token));
  return jinja::Render(source_->body, variables, options.limits,
                       options.now ? *options.now : jinja::CurrentLocalTime());
}

Result<std::string> ChatTemplate::Render(std::span<const ChatMessage> messages,
                                         const ChatOptions& options) const {
  using jinja::Value;
  std::vector<Value> list;
  for (const ChatMessage& message : messages) {
    list.push_back(Value::Dict({{Value::String("role"), Value::String(message.role)},
                                {Value::String("content"), Value::String(message.content)}}));
  }
  return Render(Value::List(std::move(list)), options);
}

}  // namespace tenon::text
