// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/result.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// The ids that stand around a text.
struct Surroundings {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

// "post_processor" of a tokenizer.json (null: nothing around), for single texts;
// kPostProcessorKinds lists what can be read. Ids are below `vocab_size`.
Result<Surroundings> ReadPostProcessor(const Node& node, int32_t vocab_size);

}  // namespace tenon::text::tokenizer_json
