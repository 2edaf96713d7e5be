// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/cut_text.h"

#include <algorithm>

#include "fmt/format.h"

namespace tenon::apps {

Result<std::vector<int32_t>> CutIds(const text::Tokenizer& tokenizer, std::string_view text,
                                    const std::vector<int32_t>& ids, int32_t tokens) {
  // Which of the ids are special shows beside the text's own.
  const auto own = tokenizer.Encode(text, {});
  TENON_RETURN_IF_ERROR(own);
  const auto begin = std::search(ids.begin(), ids.end(), own->begin(), own->end());
  if (begin == ids.end()) {
    return Error{Status::kUnsupported,
                 "this tokenizer's special tokens change the text's own, so that it cannot be cut; "
                 "give shorter texts"};
  }
  const auto end = begin + static_cast<std::ptrdiff_t>(own->size());
  const auto room = tokens - static_cast<std::ptrdiff_t>(ids.size() - own->size());
  if (room < 1) {
    return Error{Status::kInvalid,
                 fmt::format("texts are cut to {} tokens, of which {} are special; raise "
                             "--max-tokens",
                             tokens, ids.size() - own->size())};
  }
  std::vector<int32_t> out(ids.begin(), begin + room);
  out.insert(out.end(), end, ids.end());
  return out;
}

}  // namespace tenon::apps
