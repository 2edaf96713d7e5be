// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenon::core {

// The pages of the KV cache: who is free, and how many sequences refer to each. A page with more
// than one reference is read-only; its writer copies it first (SequenceBlocks). A page that is kept
// stays as it is when its last reference goes, until room is needed: the one unused for longest
// goes first. Thread: one.
class BlockPool {
 public:
  explicit BlockPool(int32_t blocks);

  int32_t Total() const { return static_cast<int32_t>(references_.size()); }
  // Pages that can be taken: free ones, and kept ones that nobody refers to.
  int32_t Free() const { return static_cast<int32_t>(free_.size()) + unused_; }
  int32_t Unused() const { return unused_; }  // kept ones that nobody refers to

  // A page with one reference, no longer kept. REQUIRES: Free() > 0.
  int32_t Take();
  // The kept page that Take would give, -1 where it gives a free one.
  int32_t NextToGo() const { return free_.empty() ? oldest_ : -1; }
  void Share(int32_t block);
  // Drops a reference; without any the page is free, or kept unused.
  void Release(int32_t block);

  // What happens to the page when its last reference goes.
  void Keep(int32_t block);
  void Unkeep(int32_t block);
  bool Kept(int32_t block) const { return links_[static_cast<size_t>(block)].kept; }

  bool Shared(int32_t block) const { return References(block) > 1; }
  int32_t References(int32_t block) const { return references_[static_cast<size_t>(block)]; }
  // The unused page that went unused next after `block`, -1: none; from -1 the oldest one.
  int32_t NextUnused(int32_t block) const { return block < 0 ? oldest_ : At(block).newer; }

 private:
  // Kept pages without references are a list from the one unused for longest.
  struct Link {
    int32_t older = -1;
    int32_t newer = -1;
    bool kept = false;
  };

  const Link& At(int32_t block) const { return links_[static_cast<size_t>(block)]; }
  Link& At(int32_t block) { return links_[static_cast<size_t>(block)]; }
  void Append(int32_t block);
  void Unlink(int32_t block);

  std::vector<int32_t> references_;
  std::vector<int32_t> free_;  // a stack: the page freed last is warm in the cache
  std::vector<Link> links_;
  int32_t oldest_ = -1;
  int32_t newest_ = -1;
  int32_t unused_ = 0;
};

}  // namespace tenon::core
