// SPDX-License-Identifier: Apache-2.0
#include "text/character_map.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace tenon::text {
namespace {

constexpr size_t kMaxMapBytes = size_t{4} << 20;

size_t Offset(uint32_t unit) { return size_t{unit >> 10} << ((unit & 1u << 9) >> 6); }

// Follows every key from the root, each node once.
std::string CheckTrie(const std::vector<uint32_t>& units, size_t text_bytes) {
  const auto outside = [](size_t node) {
    return "its trie leads to node " + std::to_string(node) + ", which is outside";
  };
  std::vector<bool> seen(units.size());
  std::vector<size_t> waiting;
  const auto visit = [&](size_t node) {
    if (seen[node]) return;
    seen[node] = true;
    waiting.push_back(node);
  };
  const size_t root = Offset(units[0]);
  if (root >= units.size()) return outside(root);
  visit(root);
  while (!waiting.empty()) {
    const size_t node = waiting.back();
    waiting.pop_back();
    if ((node | 0xFF) >= units.size()) return outside(node | 0xFF);
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t unit = units[node ^ byte];
      if ((unit & 0x800000FFu) != byte) continue;
      const size_t next = node ^ byte ^ Offset(unit);
      if (next >= units.size()) return outside(next);
      visit(next);
      if ((unit >> 8 & 1) == 0) continue;
      const size_t begin = units[next] & 0x7FFFFFFFu;
      if (begin >= text_bytes) {
        return "a replacement begins at " + std::to_string(begin) + " of " +
               std::to_string(text_bytes) + " bytes";
      }
    }
  }
  return {};
}

}  // namespace

std::string CheckCharacterMap(std::string_view map) {
  if (map.empty()) return {};
  if (map.size() > kMaxMapBytes) {
    return std::to_string(map.size()) + " bytes, at most " + std::to_string(kMaxMapBytes) +
           " allowed";
  }
  uint32_t trie_bytes = 0;
  if (map.size() >= 4) std::memcpy(&trie_bytes, map.data(), 4);
  if (trie_bytes < 4 || trie_bytes % 4 != 0 || trie_bytes >= map.size() - 4) {
    return "a trie of " + std::to_string(trie_bytes) + " bytes in a map of " +
           std::to_string(map.size());
  }
  if (map.back() != '\0') return "its last replacement has no end";
  std::vector<uint32_t> units(trie_bytes / 4);
  std::memcpy(units.data(), map.data() + 4, trie_bytes);
  return CheckTrie(units, map.size() - 4 - trie_bytes);
}

}  // namespace tenon::text
