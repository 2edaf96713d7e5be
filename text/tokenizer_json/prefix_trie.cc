// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/prefix_trie.h"

#include "tenon/result.h"

namespace tenon::text::tokenizer_json {

PrefixTrie::PrefixTrie() : slots_(1024), shift_(64 - 10), ids_(1, -1) {}

void PrefixTrie::Put(uint32_t key, uint32_t child) {
  size_t at = Place(key);
  while (slots_[at].child != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, child};
}

void PrefixTrie::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  --shift_;
  for (const Slot& slot : old) {
    if (slot.child != 0) Put(slot.key, slot.child);
  }
}

void PrefixTrie::Insert(std::string_view text, int32_t id) {
  uint32_t node = kRoot;
  for (const char c : text) {
    uint32_t child = Child(node, c);
    if (child == 0) {
      child = static_cast<uint32_t>(ids_.size());
      TENON_CHECK(child < 1u << 24);
      ids_.push_back(-1);
      if (node == kRoot) {
        first_[static_cast<uint8_t>(c)] = child;
      } else {
        Put(node << 8 | static_cast<uint8_t>(c), child);
        if (ids_.size() * 2 > slots_.size()) Grow();
      }
    }
    node = child;
  }
  if (ids_[node] < 0) ids_[node] = id;
}

}  // namespace tenon::text::tokenizer_json
