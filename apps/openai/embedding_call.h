// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "apps/openai/call_end.h"
#include "apps/openai/fields.h"
#include "apps/openai/request_context.h"

namespace tenon::apps::openai {

// A request of embeddings, read and checked.
struct EmbeddingPlan {
  NamedModel model;
  std::vector<std::vector<int32_t>> texts;
  bool base64 = false;  // of the vectors' f32 bytes, little end first; else arrays of numbers
  int64_t tokens = 0;
};

// Nothing, and `error` filled, where it cannot be served.
std::optional<EmbeddingPlan> PlanEmbedding(Fields& fields, const RequestContext& context,
                                           ApiError* error);

// Sends the texts to the engine; the answer follows. `call` has held its tokens.
std::shared_ptr<Call> StartEmbedding(EmbeddingPlan plan, OpenCall call);

}  // namespace tenon::apps::openai
