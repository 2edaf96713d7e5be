// SPDX-License-Identifier: Apache-2.0
#include "text/special_tokens.h"

#include <algorithm>

namespace tenon::text {

SpecialTokens::SpecialTokens(std::vector<std::pair<std::string, int32_t>> tokens)
    : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(),
                            [](const auto& a, const auto& b) { return a.first == b.first; }),
                tokens_.end());
  if (!tokens_.empty() && tokens_.front().first.empty()) tokens_.erase(tokens_.begin());
  for (const auto& token : tokens_) ++first_[static_cast<uint8_t>(token.first[0]) + 1];
  for (size_t byte = 0; byte < 256; ++byte) first_[byte + 1] += first_[byte];
}

SpecialTokens::Match SpecialTokens::MatchAt(std::string_view text, size_t at) const {
  Match best;
  const auto byte_at = [](const auto& token, size_t depth) {
    return depth < token.first.size() ? static_cast<uint8_t>(token.first[depth]) : -1;
  };
  const auto first = static_cast<uint8_t>(text[at]);
  auto low = tokens_.begin() + first_[first], high = tokens_.begin() + first_[first + 1];
  // [low, high) are the tokens whose first `depth` bytes are those of the text.
  for (size_t depth = 1; low != high; ++depth) {
    if (low->first.size() == depth) best = {at, depth, (low++)->second};
    if (at + depth >= text.size()) break;
    const auto byte = static_cast<uint8_t>(text[at + depth]);
    low = std::partition_point(low, high, [&](const auto& t) { return byte_at(t, depth) < byte; });
    high =
        std::partition_point(low, high, [&](const auto& t) { return byte_at(t, depth) == byte; });
  }
  return best;
}

SpecialTokens::Match SpecialTokens::Find(std::string_view text, size_t from) const {
  for (size_t at = from; at < text.size() && !tokens_.empty(); ++at) {
    const auto byte = static_cast<uint8_t>(text[at]);
    if (first_[byte] == first_[byte + 1]) continue;
    if (const Match match = MatchAt(text, at); match.id >= 0) return match;
  }
  return {text.size(), 0, -1};
}

}  // namespace tenon::text
