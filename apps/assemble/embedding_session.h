// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "core/engine/embedder.h"

namespace tenon::apps {

// What is unset is as the model's own files say (models::ReadSentencePooling).
struct EmbeddingOptions {
  SessionOptions session;
  std::optional<core::Pooling> pooling;
  std::optional<bool> normalise;
  std::optional<int32_t> max_tokens;  // a text's tokens behind these are cut off
};

struct EncodedText {
  std::vector<int32_t> ids;  // the tokenizer's special tokens included
  bool cut = false;
};

// A pipeline brought to life to embed texts. One thread.
class EmbeddingSession {
 public:
  static Result<std::unique_ptr<EmbeddingSession>> Open(const EmbeddingOptions& options);

  // The ids of a text, cut to CutTokens(): the first of them and all special tokens are kept.
  // kInvalid where the text has none, or more than MaxTokens() and nothing says to cut.
  Result<EncodedText> Encode(const std::string& text) const;

  core::Embedder& embedder() { return *embedder_; }
  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  core::Pooling pooling() const { return pooling_; }
  bool normalises() const { return normalise_; }
  int32_t MaxTokens() const { return embedder_->MaxTokens(); }
  int32_t CutTokens() const { return cut_tokens_; }  // 0: texts are not cut

 private:
  EmbeddingSession() = default;
  Result<void> Load(const EmbeddingOptions& options);
  Result<void> SetCut(std::optional<int32_t> asked, int32_t stored);

  std::unique_ptr<Session> session_;
  std::unique_ptr<core::Embedder> embedder_;
  core::Pooling pooling_ = core::Pooling::kMean;
  bool normalise_ = true;
  int32_t cut_tokens_ = 0;
};

}  // namespace tenon::apps
