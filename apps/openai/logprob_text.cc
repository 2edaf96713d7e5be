// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/logprob_text.h"

#include <algorithm>
#include <vector>

#include "apps/openai/json_text.h"
#include "text/utf8.h"

namespace tenon::apps::openai {

LogprobText::LogprobText(const text::Tokenizer& tokenizer, LogprobShape shape, int64_t offset)
    : tokenizer_(&tokenizer), shape_(shape), offset_(offset) {}

std::string LogprobText::TextOf(int32_t id) const {
  std::string text;
  const std::string_view bytes = tokenizer_->Bytes(id);
  text::AppendReplacingInvalid(bytes.empty() ? tokenizer_->TokenText(id) : bytes, &text);
  return text;
}

void LogprobText::Add(const GeneratedToken& token, size_t begin) {
  waiting_.push_back({token, begin, offset_});
  offset_ += static_cast<int64_t>(text::CountCharacters(tokenizer_->Bytes(token.id)));
}

void LogprobText::CutAt(size_t byte) {
  while (!waiting_.empty() && waiting_.back().begin >= byte) waiting_.pop_back();
}

std::string LogprobText::Take(size_t shown) {
  size_t count = 0;
  while (count < waiting_.size() && waiting_[count].begin < shown) ++count;
  if (count == 0) return {};
  std::string json = shape_ == LogprobShape::kChat ? ChatJson(count) : CompletionJson(count);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  return json;
}

void LogprobText::AppendChatToken(int32_t id, float logprob, std::string* out) const {
  *out += "{\"token\":";
  AppendQuoted(TextOf(id), out);
  *out += ",\"logprob\":";
  AppendLogprob(logprob, out);
  *out += ",\"bytes\":[";
  const std::string_view bytes = tokenizer_->Bytes(id);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) *out += ',';
    AppendNumber(static_cast<unsigned char>(bytes[i]), out);
  }
  *out += ']';
}

std::string LogprobText::ChatJson(size_t count) const {
  std::string out = "{\"content\":[";
  for (size_t i = 0; i < count; ++i) {
    const GeneratedToken& token = waiting_[i].token;
    if (i > 0) out += ',';
    AppendChatToken(token.id, token.logprob, &out);
    out += ",\"top_logprobs\":[";
    for (size_t t = 0; t < token.top.size(); ++t) {
      if (t > 0) out += ',';
      AppendChatToken(token.top[t].id, token.top[t].logprob, &out);
      out += '}';
    }
    out += "]}";
  }
  return out += "]}";
}

// The token itself and the alternatives; of several that read alike the likeliest, since keys
// cannot be the same.
void LogprobText::AppendAlternatives(const GeneratedToken& token, std::string* out) const {
  std::vector<std::string> told;
  const auto tell = [&](int32_t id, float logprob) {
    std::string text = TextOf(id);
    if (std::find(told.begin(), told.end(), text) != told.end()) return;
    if (!told.empty()) *out += ',';
    AppendQuoted(text, out);
    *out += ':';
    AppendLogprob(logprob, out);
    told.push_back(std::move(text));
  };
  *out += '{';
  for (const core::TokenLogprob& one : token.top) tell(one.id, one.logprob);
  tell(token.id, token.logprob);
  *out += '}';
}

std::string LogprobText::CompletionJson(size_t count) const {
  std::string out = "{\"text_offset\":[";
  const auto each = [&](std::string_view between, const auto& append) {
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      append(waiting_[i]);
    }
    out += between;
  };
  each("],\"token_logprobs\":[", [&](const Entry& entry) { AppendNumber(entry.offset, &out); });
  each("],\"tokens\":[", [&](const Entry& entry) { AppendLogprob(entry.token.logprob, &out); });
  each("],\"top_logprobs\":[",
       [&](const Entry& entry) { AppendQuoted(TextOf(entry.token.id), &out); });
  each("]}", [&](const Entry& entry) { AppendAlternatives(entry.token, &out); });
  return out;
}

}  // namespace tenon::apps::openai
