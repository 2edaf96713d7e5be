// SPDX-License-Identifier: Apache-2.0
#include "core/engine/prefix_cache.h"

#include <algorithm>
#include <bit>

#include "tenon/result.h"

namespace tenon::core {

PrefixCache::PrefixCache(int32_t blocks, int32_t block_tokens)
    : block_tokens_(static_cast<uint64_t>(block_tokens)),
      entries_(static_cast<size_t>(blocks)),
      tokens_(static_cast<size_t>(blocks) * block_tokens_),
      heads_(std::bit_ceil(static_cast<size_t>(std::max(blocks, 1)) * 2), -1) {}

int32_t PrefixCache::Peek(const PrefixKey& key) const {
  int32_t block = Head(key);
  while (block >= 0 && !(At(block).key == key)) block = At(block).next;
  return block;
}

int32_t PrefixCache::Find(const PrefixKey& key, const PrefixOwner& owner, int32_t parent,
                          Span<const int32_t> tokens) const {
  const int32_t block = Peek(key);
  if (block < 0 || tokens.size != block_tokens_) return -1;
  const Entry& entry = At(block);
  if (entry.parent != parent || !(entry.owner == owner)) return -1;
  const int32_t* mine = tokens_.data() + static_cast<uint64_t>(block) * block_tokens_;
  return std::equal(tokens.begin(), tokens.end(), mine) ? block : -1;
}

bool PrefixCache::Insert(int32_t block, const PrefixKey& key, const PrefixOwner& owner,
                         int32_t parent, Span<const int32_t> tokens) {
  TENON_CHECK(!Holds(block) && tokens.size == block_tokens_ && (parent < 0 || Holds(parent)));
  if (Peek(key) >= 0) return false;
  At(block) = {key, owner, parent, Head(key), true};
  Head(key) = block;
  std::copy(tokens.begin(), tokens.end(),
            tokens_.data() + static_cast<uint64_t>(block) * block_tokens_);
  ++size_;
  return true;
}

void PrefixCache::PrefixOf(int32_t block, std::vector<int32_t>* tokens) const {
  uint64_t blocks = 0;
  for (int32_t at = block; at >= 0; at = Parent(at)) ++blocks;
  tokens->resize(blocks * block_tokens_);
  for (int32_t at = block; at >= 0; at = Parent(at)) {
    const int32_t* mine = tokens_.data() + static_cast<uint64_t>(at) * block_tokens_;
    std::copy_n(mine, block_tokens_, tokens->data() + --blocks * block_tokens_);
  }
}

void PrefixCache::Erase(int32_t block) {
  TENON_CHECK(Holds(block));
  int32_t* link = &Head(At(block).key);
  while (*link != block) link = &At(*link).next;
  *link = At(block).next;
  At(block) = {};
  --size_;
}

void PrefixCache::Clear() {
  std::fill(heads_.begin(), heads_.end(), -1);
  std::fill(entries_.begin(), entries_.end(), Entry{});
  size_ = 0;
}

}  // namespace tenon::core
