// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/embedding_session.h"

#include <algorithm>

#include "apps/assemble/cut_text.h"
#include "fmt/format.h"
#include "models/sentence_pooling.h"

namespace tenon::apps {
namespace {

core::Pooling PoolingOf(models::Pooling stored) {
  switch (stored) {
    case models::Pooling::kCls:
      return core::Pooling::kFirst;
    case models::Pooling::kMax:
      return core::Pooling::kMax;
    case models::Pooling::kLastToken:
      return core::Pooling::kLast;
    case models::Pooling::kMean:
      break;
  }
  return core::Pooling::kMean;
}

}  // namespace

Result<std::unique_ptr<EmbeddingSession>> EmbeddingSession::Open(const EmbeddingOptions& options) {
  std::unique_ptr<EmbeddingSession> session(new EmbeddingSession());
  TENON_RETURN_IF_ERROR(session->Load(options));
  return session;
}

Result<void> EmbeddingSession::Load(const EmbeddingOptions& options) {
  SessionOptions session = options.session;
  session.purpose = Purpose::kEmbed;
  auto opened = Session::Open(session);
  TENON_RETURN_IF_ERROR(opened);
  session_ = std::move(*opened);
  const OpenedModel& model = session_->model();
  const ModelInfo& info = model.model->Info();
  const auto stored = models::ReadSentencePooling(model.path, info.encoder);
  TENON_RETURN_IF_ERROR(stored);
  pooling_ = options.pooling.value_or(PoolingOf(stored->pooling));
  normalise_ = options.normalise.value_or(stored->normalise);
  embedder_ = std::make_unique<core::Embedder>(
      session_->program(), core::EmbedderOptions{pooling_, normalise_, info.vocabulary});
  return SetCut(options.max_tokens, stored->max_tokens);
}

Result<void> EmbeddingSession::SetCut(std::optional<int32_t> asked, int32_t stored) {
  const ModelInfo& info = session_->model().model->Info();
  if (asked && (*asked < 1 || *asked > info.max_context)) {
    return Error{Status::kInvalid, fmt::format("--max-tokens is {}; 1 to {} allowed by {}", *asked,
                                               info.max_context, info.name)};
  }
  const int32_t unsaid = info.encoder ? info.max_context : 0;
  cut_tokens_ = asked ? *asked : stored > 0 ? std::min(stored, info.max_context) : unsaid;
  if (cut_tokens_ <= MaxTokens()) return {};
  return Error{Status::kInvalid,
               fmt::format("texts of {} may have {} tokens; a step holds {}. Raise "
                           "scheduler.max_batch_tokens (and memory.context_tokens if it is set), "
                           "or cut texts with --max-tokens {}",
                           info.name, cut_tokens_, MaxTokens(), MaxTokens())};
}

Result<EncodedText> EmbeddingSession::Encode(const std::string& text) const {
  if (session_->tokenizer() == nullptr) {
    return Error{Status::kUnsupported, "the model has no usable tokenizer (" +
                                           session_->model().tokenizer_problem +
                                           "); give arrays of token ids instead of strings"};
  }
  auto ids = session_->tokenizer()->Encode(text, {.parse_special = false, .add_special = true});
  TENON_RETURN_IF_ERROR(ids);
  if (ids->empty()) return Error{Status::kInvalid, "the text has no tokens"};
  const int32_t most = cut_tokens_ > 0 ? cut_tokens_ : MaxTokens();
  if (ids->size() <= static_cast<size_t>(most)) return EncodedText{std::move(*ids), false};
  if (cut_tokens_ == 0) {
    return Error{Status::kInvalid,
                 fmt::format("the text has {} tokens; a step holds {}. Raise "
                             "scheduler.max_batch_tokens, or cut texts with --max-tokens {}",
                             ids->size(), most, most)};
  }
  auto cut = CutIds(*session_->tokenizer(), text, *ids, cut_tokens_);
  TENON_RETURN_IF_ERROR(cut);
  return EncodedText{std::move(*cut), true};
}

}  // namespace tenon::apps
