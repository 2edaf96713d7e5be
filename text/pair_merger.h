// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// The merging loop of byte-pair encoding (Sennrich et al., 2016), shared by both kinds of it.
namespace tenon::text {

// A run of the text that is, so far, one token. It ends where the next one begins.
struct Symbol {
  uint32_t begin = 0;  // byte offset
  int32_t id = -1;     // -1: no token spells it
};

// Two neighbours: their ids, and the bytes of both together.
struct Pair {
  int32_t left, right;
  uint32_t begin, end;
};

// What a pair of neighbours would become.
struct Merge {
  static constexpr uint32_t kNever = UINT32_MAX;
  uint32_t priority = kNever;  // lowest first; among equals the leftmost
  int32_t id = -1;
};

// Where pairs may merge, in the order of merging: by priority, then from left to right. Those of
// one priority mostly come from left to right already, and then cost O(1) each, so that long runs
// of one character are merged in linear time; the others go through a heap.
class MergeQueue {
 public:
  struct Candidate {
    uint32_t priority = 0;
    uint32_t left = 0;  // index of the left symbol
  };

  void Push(const Candidate& candidate);
  bool Pop(Candidate* candidate);  // false: empty

  uint64_t steps() const { return steps_; }  // taken so far; those of a heap count its depth

 private:
  struct Bucket {
    uint32_t priority = 0;
    size_t head = 0;                // of ordered: those before are done
    std::vector<uint32_t> ordered;  // left symbols, ascending
    std::vector<uint32_t> heap;     // those that came out of order
  };
  uint32_t BucketOf(uint32_t priority);

  std::vector<Bucket> buckets_;
  uint64_t steps_ = 0;
  size_t used_ = 0;                // buckets_[used_...] are spare ones, empty
  uint32_t last_ = 0;              // the bucket asked for last
  std::vector<uint32_t> table_;    // open addressing: bucket + 1, by priority; 0: free
  std::vector<uint64_t> waiting_;  // heap of priority << 32 | bucket, of buckets in use
};

// Merges neighbours until no pair merges. `Rules` is a callable (Pair) -> Merge that gives the same
// answer for the same pair. O(n log n). Scratch memory is kept between calls, so one object serves
// one thread.
class PairMerger {
 public:
  // Symbols that were merged away are removed. `end` is the end of the last one. REQUIRES: ids of
  // -1 or above, fewer than 2^31 symbols
  template <typename Rules>
  void Run(std::vector<Symbol>* symbols, uint32_t end, const Rules& rules) {
    if (symbols->size() <= kSmall) {
      MergeSmall(symbols, end, rules);
    } else {
      MergeLarge(symbols, end, rules);
    }
  }

  // What has been done so far, to be compared between texts: pairs looked up, and steps of queues.
  uint64_t work() const { return lookups_ + queue_.steps(); }

 private:
  static constexpr size_t kSmall = 24;  // below, looking at every pair beats the queue

  template <typename Rules>
  void MergeSmall(std::vector<Symbol>* symbols, uint32_t end, const Rules& rules) {
    Merge merges[kSmall];
    auto& s = *symbols;
    size_t size = s.size();
    const auto look_up = [&](size_t i) {
      ++lookups_;
      const uint32_t pair_end = i + 2 < size ? s[i + 2].begin : end;
      merges[i] = rules(Pair{s[i].id, s[i + 1].id, s[i].begin, pair_end});
    };
    for (size_t i = 0; i + 1 < size; ++i) look_up(i);
    while (size > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < size; ++i) {
        if (merges[i].priority < merges[best].priority) best = i;
      }
      if (merges[best].priority == Merge::kNever) break;
      s[best].id = merges[best].id;
      for (size_t i = best + 1; i + 1 < size; ++i) {
        s[i] = s[i + 1];
        merges[i] = merges[i + 1];
      }
      --size;
      if (best + 1 < size) look_up(best);
      if (best > 0) look_up(best - 1);
    }
    s.resize(size);
  }

  // In place, since the memory that a long word takes is what decides its speed. A merged symbol
  // lies in the first of those that it was made from. Of the others, the first keeps in `begin` the
  // index of the symbol behind it, the last keeps in `id`, as kInside - index, its own; all have
  // ids of kInside or below.
  template <typename Rules>
  void MergeLarge(std::vector<Symbol>* symbols, uint32_t end, const Rules& rules) {
    Symbol* const s = symbols->data();
    const auto size = static_cast<uint32_t>(symbols->size());
    const auto merge_of = [&](uint32_t left, uint32_t right) {
      if (right >= size) return Merge{};
      ++lookups_;
      const uint32_t next = Next(s, right, size);
      return rules(Pair{s[left].id, s[right].id, s[left].begin, next < size ? s[next].begin : end});
    };
    const auto propose = [&](uint32_t left, uint32_t right) {
      const Merge merge = merge_of(left, right);
      if (merge.priority != Merge::kNever) queue_.Push({merge.priority, left});
    };
    for (uint32_t i = 0; i + 1 < size; ++i) propose(i, i + 1);
    MergeQueue::Candidate top;
    while (queue_.Pop(&top)) {
      const uint32_t left = top.left;
      if (s[left].id <= kInside) continue;
      const uint32_t right = Next(s, left, size);
      const Merge merge = merge_of(left, right);
      if (merge.priority != top.priority) continue;  // either has grown since
      const uint32_t next = Next(s, right, size);
      Join(s, left, right, next, merge.id);
      if (left > 0) propose(Previous(s, left), left);
      propose(left, next);
    }
    std::erase_if(*symbols, [](const Symbol& symbol) { return symbol.id <= kInside; });
  }

  static constexpr int32_t kInside = -2;
  static uint32_t Next(const Symbol* s, uint32_t i, uint32_t size) {
    return i + 1 < size && s[i + 1].id <= kInside ? s[i + 1].begin : i + 1;
  }
  static uint32_t Previous(const Symbol* s, uint32_t i) {
    const int32_t id = s[i - 1].id;
    return id <= kInside ? static_cast<uint32_t>(kInside - id) : i - 1;
  }
  static void Join(Symbol* s, uint32_t left, uint32_t right, uint32_t next, int32_t id) {
    const int32_t inside = kInside - static_cast<int32_t>(left);
    s[left].id = id;
    s[right].id = inside;
    s[left + 1].begin = next;
    s[next - 1].id = inside;
  }

  MergeQueue queue_;
  uint64_t lookups_ = 0;
};

}  // namespace tenon::text
