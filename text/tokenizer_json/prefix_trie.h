// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon::text::tokenizer_json {

// Finds which texts are prefixes of another. Children in one open-addressed table, so that a step
// is one probe. Built once, then read by any thread.
class PrefixTrie {
 public:
  static constexpr uint32_t kRoot = 0;

  PrefixTrie();

  // The first id given for a text stays. REQUIRES: fewer than 2^24 bytes in all
  void Insert(std::string_view text, int32_t id);

  // 0 where there is none.
  uint32_t Child(uint32_t node, char byte) const {
    if (node == kRoot) return first_[static_cast<uint8_t>(byte)];
    const uint32_t key = node << 8 | static_cast<uint8_t>(byte);
    for (size_t at = Place(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].child;
      if (slots_[at].child == 0) return 0;
    }
  }

  // Of the text that ends at `node`; -1: none.
  int32_t Id(uint32_t node) const { return ids_[node]; }

 private:
  struct Slot {
    uint32_t key = 0;    // parent << 8 | byte
    uint32_t child = 0;  // 0: free
  };
  size_t Place(uint32_t key) const { return (key * uint64_t{0x9E3779B97F4A7C15}) >> shift_; }
  void Put(uint32_t key, uint32_t child);
  void Grow();

  std::array<uint32_t, 256> first_ = {};  // the root's children
  std::vector<Slot> slots_;
  int shift_;
  std::vector<int32_t> ids_;  // [nodes]
};

}  // namespace tenon::text::tokenizer_json
