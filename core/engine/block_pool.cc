// SPDX-License-Identifier: Apache-2.0
#include "core/engine/block_pool.h"

#include "tenon/result.h"

namespace tenon::core {

BlockPool::BlockPool(int32_t blocks) : references_(static_cast<size_t>(blocks), 0) {
  free_.reserve(references_.size());
  for (int32_t block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

int32_t BlockPool::Take() {
  TENON_CHECK(!free_.empty());
  const int32_t block = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  return block;
}

void BlockPool::Release(int32_t block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  TENON_CHECK(references > 0);
  if (--references == 0) free_.push_back(block);
}

}  // namespace tenon::core
