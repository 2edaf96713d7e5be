// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::text {

// Finds whole tokens written in text: leftmost first, then longest. A byte where no token starts
// costs one table look-up, others a binary search a byte, however many tokens there are. Built
// once, then read by any thread.
class SpecialTokens {
 public:
  struct Match {
    size_t begin = 0;  // in the text searched; its size where there is none
    size_t bytes = 0;
    int32_t id = -1;  // -1: none
  };

  SpecialTokens() = default;
  // Takes (text, id) pairs; of two with one text the first stays. Empty texts are left out.
  explicit SpecialTokens(std::vector<std::pair<std::string, int32_t>> tokens);

  // The first match at or after `from`.
  Match Find(std::string_view text, size_t from) const;

 private:
  Match MatchAt(std::string_view text, size_t at) const;

  std::vector<std::pair<std::string, int32_t>> tokens_;  // sorted by text, which are all different
  std::array<uint32_t, 257> first_ =
      {};  // tokens that start with byte b: [first_[b], first_[b + 1])
};

}  // namespace tenon::text
