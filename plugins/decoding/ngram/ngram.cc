// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/ngram/ngram.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace tenon::decoding {
namespace {

// The largest index below `end` whose token is `wanted`, or -1. Most blocks of a text have none, so
// whole blocks are passed over.
int64_t FindBefore(const int32_t* tokens, int64_t end, int32_t wanted) {
  constexpr int64_t kBlock = 32;
  while (end % kBlock != 0) {
    if (tokens[--end] == wanted) return end;
  }
  while (end > 0) {
    uint32_t any = 0;
    for (int64_t i = end - kBlock; i < end; ++i) any |= tokens[i] == wanted;
    if (any != 0) break;
    end -= kBlock;
  }
  while (end > 0 && tokens[end - 1] != wanted) --end;
  return end - 1;
}

struct Match {
  int64_t next = 0;    // index of the token after the match
  int32_t length = 0;  // tokens alike; 0: none
};

Match LongestBefore(Span<const int32_t> tokens, int32_t longest) {
  const int64_t last = static_cast<int64_t>(tokens.size) - 1;
  Match best;
  int64_t at = last;
  while (best.length < longest) {
    at = FindBefore(tokens.data, at, tokens[last]);
    if (at < 0) break;
    int32_t length = 1;
    while (length < longest && length <= at && tokens[at - length] == tokens[last - length]) {
      ++length;
    }
    if (length > best.length) best = {at + 1, length};
  }
  return best;
}

}  // namespace

NgramDrafter::NgramDrafter(const CreateArgs& args)
    : max_ngram_(static_cast<int32_t>(args.options.Int("max_ngram"))),
      min_ngram_(static_cast<int32_t>(args.options.Int("min_ngram"))),
      draft_tokens_(static_cast<int32_t>(args.options.Int("draft_tokens"))) {
  if (min_ngram_ > max_ngram_) {
    throw std::invalid_argument("min_ngram is " + std::to_string(min_ngram_) +
                                ", above max_ngram, which is " + std::to_string(max_ngram_));
  }
}

int32_t NgramDrafter::Propose(const DecodePoint& point, Span<int32_t> drafts) noexcept {
  const Span<const int32_t> tokens = point.tokens;
  if (tokens.size < 2 || drafts.empty()) return 0;
  const Match match = LongestBefore(tokens, max_ngram_);
  if (match.length < min_ngram_) return 0;
  const int64_t known = static_cast<int64_t>(tokens.size) - match.next;
  const int32_t count =
      static_cast<int32_t>(std::min<uint64_t>(drafts.size, static_cast<uint64_t>(draft_tokens_)));
  for (int32_t i = 0; i < count; ++i) {
    drafts[i] = i < known ? tokens[match.next + i] : drafts[i - known];
  }
  return count;
}

}  // namespace tenon::decoding
