// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/openai/api.h"
#include "apps/openai/call_end.h"
#include "apps/openai/generation_fields.h"
#include "apps/openai/reply_text.h"
#include "apps/openai/served_model.h"

namespace tenon::apps::openai {

// One prompt of a request.
struct PlannedPrompt {
  GenerateRequest request;
  std::string echo;  // the text that stands before what is generated; usually none
};

// A request of chat or completions, read and checked.
struct GenerationPlan {
  std::shared_ptr<const ServedModel> model;
  GenerationFields fields;
  std::vector<PlannedPrompt> prompts;
  ReplyText::Head head;
};

// Sends the plan's prompts to the engine and turns what comes back into the answer. `call` has held
// its tokens.
std::shared_ptr<Call> StartGeneration(GenerationPlan plan, OpenCall call);

}  // namespace tenon::apps::openai
