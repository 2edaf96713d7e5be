// SPDX-License-Identifier: Apache-2.0
#include "core/engine/block_pool.h"

#include "tenon/result.h"

namespace tenon::core {

BlockPool::BlockPool(int32_t blocks)
    : references_(static_cast<size_t>(blocks), 0), links_(static_cast<size_t>(blocks)) {
  free_.reserve(references_.size());
  for (int32_t block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

int32_t BlockPool::Take() {
  TENON_CHECK(Free() > 0);
  int32_t block = oldest_;
  if (free_.empty()) {
    Unlink(block);
    At(block).kept = false;
  } else {
    block = free_.back();
    free_.pop_back();
  }
  references_[static_cast<size_t>(block)] = 1;
  return block;
}

void BlockPool::Share(int32_t block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  TENON_CHECK(references > 0 || At(block).kept);
  if (references++ == 0) Unlink(block);
}

void BlockPool::Release(int32_t block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  TENON_CHECK(references > 0);
  if (--references > 0) return;
  if (At(block).kept) {
    Append(block);
  } else {
    free_.push_back(block);
  }
}

void BlockPool::Keep(int32_t block) {
  TENON_CHECK(References(block) > 0);
  At(block).kept = true;
}

void BlockPool::Unkeep(int32_t block) {
  if (!At(block).kept) return;
  At(block).kept = false;
  if (References(block) > 0) return;
  Unlink(block);
  free_.push_back(block);
}

void BlockPool::Append(int32_t block) {
  Link& link = At(block);
  link.older = newest_;
  link.newer = -1;
  (newest_ < 0 ? oldest_ : At(newest_).newer) = block;
  newest_ = block;
  ++unused_;
}

void BlockPool::Unlink(int32_t block) {
  Link& link = At(block);
  (link.older < 0 ? oldest_ : At(link.older).newer) = link.newer;
  (link.newer < 0 ? newest_ : At(link.newer).older) = link.older;
  link.older = link.newer = -1;
  --unused_;
}

}  // namespace tenon::core
