// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/weight_arena.h"

namespace tenon::quant {

WeightArena::~WeightArena() {
  for (void* block : blocks_) device_.Free(block);
}

void* WeightArena::Allocate(uint64_t bytes, uint64_t* total) {
  const uint64_t size = (bytes + 63) / 64 * 64;
  if (size > free_bytes_) {
    // A matrix as large as a block gets its own, and the current block goes on serving small ones.
    const bool own = size >= kBlockBytes;
    void* block = device_.Allocate(own ? size : kBlockBytes);
    if (block == nullptr) return nullptr;
    blocks_.push_back(block);
    if (own) {
      *total += bytes;
      return block;
    }
    free_ = static_cast<char*>(block);
    free_bytes_ = kBlockBytes;
  }
  void* taken = free_;
  free_ += size;
  free_bytes_ -= size;
  *total += bytes;
  return taken;
}

}  // namespace tenon::quant
