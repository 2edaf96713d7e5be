// SPDX-License-Identifier: Apache-2.0
#include "text/pair_merger.h"

#include <algorithm>
#include <functional>

namespace tenon::text {
namespace {

bool Later(const Candidate& a, const Candidate& b) { return a.left > b.left; }

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

void MergeQueue::Push(uint32_t priority, const Candidate& candidate) {
  const uint32_t index = BucketOf(priority);
  Bucket& bucket = buckets_[index];
  if (bucket.head == bucket.ordered.size() && bucket.heap.empty()) {
    bucket.ordered.clear();
    bucket.head = 0;
    waiting_.push_back(uint64_t{priority} << 32 | index);
    std::push_heap(waiting_.begin(), waiting_.end(), std::greater<>());
  }
  if (bucket.head == bucket.ordered.size() || bucket.ordered.back().left <= candidate.left) {
    bucket.ordered.push_back(candidate);
  } else {
    bucket.heap.push_back(candidate);
    std::push_heap(bucket.heap.begin(), bucket.heap.end(), Later);
  }
}

bool MergeQueue::Pop(Candidate* candidate) {
  if (waiting_.empty()) {
    // Ready for the next text: buckets keep their memory, but serve any priority.
    used_ = 0;
    std::fill(table_.begin(), table_.end(), 0);
    return false;
  }
  Bucket& bucket = buckets_[static_cast<uint32_t>(waiting_.front())];
  const bool ordered = bucket.head < bucket.ordered.size();
  if (ordered &&
      (bucket.heap.empty() || bucket.ordered[bucket.head].left <= bucket.heap.front().left)) {
    *candidate = bucket.ordered[bucket.head++];
  } else {
    *candidate = bucket.heap.front();
    std::pop_heap(bucket.heap.begin(), bucket.heap.end(), Later);
    bucket.heap.pop_back();
  }
  if (bucket.head == bucket.ordered.size() && bucket.heap.empty()) {
    std::pop_heap(waiting_.begin(), waiting_.end(), std::greater<>());
    waiting_.pop_back();
  }
  return true;
}

}  // namespace tenon::text
