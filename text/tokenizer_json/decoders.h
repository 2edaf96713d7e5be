// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "tenon/result.h"
#include "text/token_decoder.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// "decoder" of a tokenizer.json (null: tokens with spaces between); kDecoderKinds lists what can be
// read. `clean_up` also closes up the spaces before punctuation, as transformers'
// clean_up_tokenization_spaces does.
//
// The text is Hugging Face's but in one case: of a run of byte tokens that is not UTF-8 as a whole,
// the characters that are in it stay, so that they can be given out as they come; theirs are all
// U+FFFD then.
Result<std::unique_ptr<TokenDecoder>> ReadDecoder(const Node& node, bool clean_up);

}  // namespace tenon::text::tokenizer_json
