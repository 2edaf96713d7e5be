// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "apps/openai/served_model.h"

namespace tenon::apps::openai {

// Reads the tokenizer, the chat template and the ids that end a text from facts.model_path. Fails
// where the model's files hold no tokenizer that can be used. Maps the weights for that, and lets
// go of them.
Result<std::shared_ptr<const ModelText>> ReadModelText(const EngineFacts& facts);

}  // namespace tenon::apps::openai
