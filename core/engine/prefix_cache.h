// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/prefix_key.h"

namespace tenon::core {

// Which full block of the pool holds the KV of which prefix. A block is known by its key, and found
// only where its owner, its tokens and the block before it agree too: keys that collide cost a
// miss, never another's KV. All memory is taken once. Thread: one.
class PrefixCache {
 public:
  PrefixCache(int32_t blocks, int32_t block_tokens);

  // The block that holds `tokens` behind the block `parent` (-1: at the start); -1: none.
  // REQUIRES: `parent` is -1 or held.
  int32_t Find(const PrefixKey& key, const PrefixOwner& owner, int32_t parent,
               Span<const int32_t> tokens) const;

  // The block under a key, by the key alone; -1: none. For estimates.
  int32_t Peek(const PrefixKey& key) const;

  // Notes the block; false where the key is taken. REQUIRES: it is not held; tokens are as many as
  // a block's; `parent` is -1 or held.
  bool Insert(int32_t block, const PrefixKey& key, const PrefixOwner& owner, int32_t parent,
              Span<const int32_t> tokens);
  // Forgets the block. REQUIRES: it is held, and no block behind it is.
  void Erase(int32_t block);
  void Clear();

  bool Holds(int32_t block) const { return At(block).held; }
  int32_t Parent(int32_t block) const { return At(block).parent; }     // REQUIRES: Holds(block)
  const PrefixKey& Key(int32_t block) const { return At(block).key; }  // REQUIRES: the same
  const PrefixOwner& Owner(int32_t block) const { return At(block).owner; }  // REQUIRES: the same
  // All tokens of the prefix that the block ends. REQUIRES: Holds(block).
  void PrefixOf(int32_t block, std::vector<int32_t>* tokens) const;
  int32_t Size() const { return size_; }

 private:
  struct Entry {
    PrefixKey key;
    PrefixOwner owner;
    int32_t parent = -1;
    int32_t next = -1;  // of its chain
    bool held = false;
  };

  const Entry& At(int32_t block) const { return entries_[static_cast<size_t>(block)]; }
  Entry& At(int32_t block) { return entries_[static_cast<size_t>(block)]; }
  int32_t& Head(const PrefixKey& key) { return heads_[key.low & (heads_.size() - 1)]; }
  int32_t Head(const PrefixKey& key) const { return heads_[key.low & (heads_.size() - 1)]; }

  uint64_t block_tokens_;
  std::vector<Entry> entries_;   // by block
  std::vector<int32_t> tokens_;  // [blocks, block_tokens]
  std::vector<int32_t> heads_;   // first block of each chain of a hash table
  int32_t size_ = 0;
};

}  // namespace tenon::core
