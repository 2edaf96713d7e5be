// SPDX-License-Identifier: Apache-2.0
#include "text/pair_merger.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace tenon::text {
namespace {

size_t Place(uint32_t priority, size_t mask) {
  return (priority * uint64_t{0x9E3779B97F4A7C15} >> 32) & mask;
}

}  // namespace

uint32_t MergeQueue::BucketOf(uint32_t priority) {
  if (last_ < used_ && buckets_[last_].priority == priority) return last_;
  if (table_.size() < 2 * (used_ + 1)) {
    table_.assign(std::max<size_t>(table_.size() * 2, 64), 0);
    for (uint32_t i = 0; i < used_; ++i) {
      size_t at = Place(buckets_[i].priority, table_.size() - 1);
      while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
      table_[at] = i + 1;
    }
  }
  const size_t mask = table_.size() - 1;
  size_t at = Place(priority, mask);
  for (; table_[at] != 0; at = (at + 1) & mask) {
    if (buckets_[table_[at] - 1].priority == priority) return last_ = table_[at] - 1;
  }
  if (used_ == buckets_.size()) buckets_.emplace_back();
  last_ = static_cast<uint32_t>(used_++);
  buckets_[last_].priority = priority;
  table_[at] = last_ + 1;
  return last_;
}

void MergeQueue::Push(const Candidate& candidate) {
  ++steps_;
  const uint32_t index = BucketOf(candidate.priority);
  Bucket& bucket = buckets_[index];
  if (bucket.head == bucket.ordered.size() && bucket.heap.empty()) {
    bucket.ordered.clear();
    bucket.head = 0;
    waiting_.push_back(uint64_t{candidate.priority} << 32 | index);
    steps_ += static_cast<uint64_t>(std::bit_width(waiting_.size()));
    std::push_heap(waiting_.begin(), waiting_.end(), std::greater<>());
  }
  if (bucket.head == bucket.ordered.size() || bucket.ordered.back() <= candidate.left) {
    bucket.ordered.push_back(candidate.left);
  } else {
    bucket.heap.push_back(candidate.left);
    steps_ += static_cast<uint64_t>(std::bit_width(bucket.heap.size()));
    std::push_heap(bucket.heap.begin(), bucket.heap.end(), std::greater<>());
  }
}

bool MergeQueue::Pop(Candidate* candidate) {
  if (waiting_.empty()) {
    // Ready for the next text: buckets keep their memory, but serve any priority.
    used_ = 0;
    std::fill(table_.begin(), table_.end(), 0);
    return false;
  }
  ++steps_;
  Bucket& bucket = buckets_[static_cast<uint32_t>(waiting_.front())];
  candidate->priority = bucket.priority;
  const bool ordered = bucket.head < bucket.ordered.size();
  if (ordered && (bucket.heap.empty() || bucket.ordered[bucket.head] <= bucket.heap.front())) {
    candidate->left = bucket.ordered[bucket.head++];
  } else {
    candidate->left = bucket.heap.front();
    steps_ += static_cast<uint64_t>(std::bit_width(bucket.heap.size()));
    std::pop_heap(bucket.heap.begin(), bucket.heap.end(), std::greater<>());
    bucket.heap.pop_back();
  }
  if (bucket.head == bucket.ordered.size() && bucket.heap.empty()) {
    steps_ += static_cast<uint64_t>(std::bit_width(waiting_.size()));
    std::pop_heap(waiting_.begin(), waiting_.end(), std::greater<>());
    waiting_.pop_back();
  }
  return true;
}

}  // namespace tenon::text
