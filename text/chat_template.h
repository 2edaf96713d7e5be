// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tenon/result.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/local_time.h"
#include "text/jinja/value.h"

namespace tenon::text {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", ...
  std::string content;
};

struct ChatOptions {
  bool add_generation_prompt = true;  // ends with the opening of the assistant's turn
  std::string bos_token;              // the texts of these tokens; many templates write them
  std::string eos_token;
  jinja::Value tools;      // a list of JSON schemas, as jinja::ParseJson reads it from a request;
                           // undefined: none, which templates see as Python's None
  jinja::Value documents;  // the same, for retrieved texts
  std::optional<jinja::LocalTime> now;  // what strftime_now tells; unset: this machine's clock
  jinja::Variables variables;  // chat_template_kwargs: enable_thinking, ...; stand before the above
  jinja::Limits limits;
};

// A model's own way to write a conversation as one prompt: a Jinja template, as Hugging Face
// renders it (jinja2 3.1 with trim_blocks, lstrip_blocks and loop controls; sandboxed, so that only
// namespaces change). Immutable: any thread may render.
class ChatTemplate {
 public:
  // kInvalid, with the line, for what is not a template.
  static Result<ChatTemplate> Parse(std::string_view source);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // The prompt. The messages as a list of dicts, as jinja::ParseJson reads it from a request.
  // kInvalid, with the line, where the template refuses (raise_exception), fails, or exceeds the
  // limits.
  Result<std::string> Render(const jinja::Value& messages, const ChatOptions& options = {}) const;
  Result<std::string> Render(std::span<const ChatMessage> messages,
                             const ChatOptions& options = {}) const;

 private:
  struct Source;
  explicit ChatTemplate(std::unique_ptr<const Source> source);

  std::unique_ptr<const Source> source_;
};

}  // namespace tenon::text
