// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/tokenizer.h"

namespace tenon::apps {

// The ids of a text to embed cut to `tokens`: the first of its own and all special ones around them
// are kept. `ids`: what the tokenizer makes of `text` with its special tokens, more than `tokens`.
// kInvalid where the special ones leave no room.
Result<std::vector<int32_t>> CutIds(const text::Tokenizer& tokenizer, std::string_view text,
                                    const std::vector<int32_t>& ids, int32_t tokens);

}  // namespace tenon::apps
