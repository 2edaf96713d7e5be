// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenon::core {

// The pages of the KV cache: who is free, and how many sequences refer to each. A page with more
// than one reference is read-only; its writer copies it first (Engine). Thread: one.
class BlockPool {
 public:
  explicit BlockPool(int32_t blocks);

  int32_t Total() const { return static_cast<int32_t>(references_.size()); }
  int32_t Free() const { return static_cast<int32_t>(free_.size()); }

  // A page with one reference. REQUIRES: Free() > 0.
  int32_t Take();
  void Share(int32_t block) { ++references_[static_cast<size_t>(block)]; }
  // Drops a reference; the page is free when none is left.
  void Release(int32_t block);
  bool Shared(int32_t block) const { return references_[static_cast<size_t>(block)] > 1; }
  int32_t References(int32_t block) const { return references_[static_cast<size_t>(block)]; }

 private:
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;  // a stack: the page freed last is warm in the cache
};

}  // namespace tenon::core
