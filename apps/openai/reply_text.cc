// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/reply_text.h"

#include "apps/openai/json_text.h"

namespace tenon::apps::openai {
namespace {

std::string Begin(const ReplyText::Head& head, std::string_view object) {
  std::string out = "{\"id\":";
  AppendQuoted(head.id, &out);
  out += ",\"object\":\"";
  out += object;
  out += "\",\"created\":";
  AppendNumber(head.created, &out);
  out += ",\"model\":";
  AppendQuoted(head.model, &out);
  return out += ",\"choices\":[";
}

void AppendEnd(std::string_view logprobs, std::string_view finish_reason, std::string* out) {
  *out += ",\"logprobs\":";
  *out += logprobs.empty() ? std::string_view("null") : logprobs;
  if (finish_reason.empty()) {
    *out += ",\"finish_reason\":null}";
    return;
  }
  *out += ",\"finish_reason\":\"";
  *out += finish_reason;
  *out += "\"}";
}

}  // namespace

ReplyText::ReplyText(const Head& head)
    : chat_(head.chat),
      whole_(Begin(head, head.chat ? "chat.completion" : "text_completion")),
      chunk_(Begin(head, head.chat ? "chat.completion.chunk" : "text_completion")),
      last_(head.include_usage ? "],\"usage\":null}" : "]}") {}

std::string ReplyText::Opening(int32_t choice, std::string_view echo) const {
  if (!chat_) return Delta(choice, echo, {}, {});
  std::string out = chunk_ + "{\"index\":";
  AppendNumber(choice, &out);
  out += ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}";
  AppendEnd({}, {}, &out);
  return out += last_;
}

std::string ReplyText::Delta(int32_t choice, std::string_view text, std::string_view logprobs,
                             std::string_view finish_reason) const {
  std::string out;
  out.reserve(chunk_.size() + last_.size() + text.size() + logprobs.size() + 128);
  out += chunk_;
  out += "{\"index\":";
  AppendNumber(choice, &out);
  if (!chat_) {
    out += ",\"text\":";
    AppendQuoted(text, &out);
  } else if (text.empty() && !finish_reason.empty()) {
    out += ",\"delta\":{}";
  } else {
    out += ",\"delta\":{\"content\":";
    AppendQuoted(text, &out);
    out += '}';
  }
  AppendEnd(logprobs, finish_reason, &out);
  return out += last_;
}

std::string ReplyText::UsageChunk(const Usage& usage) const {
  return chunk_ + "],\"usage\":" + UsageJson(usage) + "}";
}

std::string ReplyText::Whole(std::span<const FinishedChoice> choices, const Usage& usage) const {
  std::string out = whole_;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":";
    AppendNumber(static_cast<int64_t>(i), &out);
    out += chat_ ? ",\"message\":{\"role\":\"assistant\",\"content\":" : ",\"text\":";
    AppendQuoted(choices[i].text, &out);
    if (chat_) out += '}';
    AppendEnd(choices[i].logprobs, choices[i].finish_reason, &out);
  }
  return out += "],\"usage\":" + UsageJson(usage) + "}";
}

std::string UsageJson(const Usage& usage) {
  std::string out = "{\"prompt_tokens\":";
  AppendNumber(usage.prompt_tokens, &out);
  out += ",\"completion_tokens\":";
  AppendNumber(usage.completion_tokens, &out);
  out += ",\"total_tokens\":";
  AppendNumber(usage.prompt_tokens + usage.completion_tokens, &out);
  out += ",\"prompt_tokens_details\":{\"cached_tokens\":";
  AppendNumber(usage.cached_tokens, &out);
  return out += "}}";
}

}  // namespace tenon::apps::openai
