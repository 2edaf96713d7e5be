// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// The merging loop of byte-pair encoding (Sennrich et al., 2016), shared by both kinds of it.
namespace tenon::text {

// A run of the text that is, so far, one token.
struct Symbol {
  uint32_t begin = 0;  // byte offset
  uint32_t bytes = 0;  // 0: merged into the one before
  int32_t id = -1;     // -1: no token spells it
};

// What a pair of neighbours would become.
struct Merge {
  static constexpr uint32_t kNever = UINT32_MAX;
  uint32_t priority = kNever;  // lowest first; among equals the leftmost
  int32_t id = -1;
};

// A pair that may merge.
struct Candidate {
  uint32_t left;   // index of the left symbol
  uint32_t bytes;  // of both; differs from the symbols' once either has grown
  int32_t id;
};

// Candidates in the order of merging: by priority, then from left to right. Those of one priority
// mostly come from left to right already, and then cost O(1) each, so that long runs of one
// character are merged in linear time; the others go through a heap.
class MergeQueue {
 public:
  void Push(uint32_t priority, const Candidate& candidate);
  bool Pop(Candidate* candidate);  // false: empty

 private:
  struct Bucket {
    uint32_t priority = 0;
    size_t head = 0;                 // of ordered: those before are done
    std::vector<Candidate> ordered;  // by left
    std::vector<Candidate> heap;     // what came out of order
  };
  uint32_t BucketOf(uint32_t priority);

  std::vector<Bucket> buckets_;
  size_t used_ = 0;                // buckets_[used_...] are spare ones, empty
  uint32_t last_ = 0;              // the bucket asked for last
  std::vector<uint32_t> table_;    // open addressing: bucket + 1, by priority; 0: free
  std::vector<uint64_t> waiting_;  // heap of priority << 32 | bucket, of buckets in use
};

// Merges neighbours until no pair merges. `Rules` is a callable (Symbol, Symbol) -> Merge.
// O(n log n). Scratch memory is kept between calls, so one object serves one thread.
class PairMerger {
 public:
  // Symbols that were merged away are removed.
  template <typename Rules>
  void Run(std::vector<Symbol>* symbols, const Rules& rules) {
    if (symbols->size() <= kSmall) {
      MergeSmall(symbols, rules);
    } else {
      MergeLarge(symbols, rules);
    }
  }

 private:
  static constexpr size_t kSmall = 24;  // below, looking at every pair beats the queue
  static constexpr uint32_t kEnd = UINT32_MAX;
  struct Link {
    uint32_t previous, next;
  };

  template <typename Rules>
  void MergeSmall(std::vector<Symbol>* symbols, const Rules& rules) {
    Merge merges[kSmall];
    auto& s = *symbols;
    size_t size = s.size();
    for (size_t i = 0; i + 1 < size; ++i) merges[i] = rules(s[i], s[i + 1]);
    while (size > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < size; ++i) {
        if (merges[i].priority < merges[best].priority) best = i;
      }
      if (merges[best].priority == Merge::kNever) break;
      s[best].bytes += s[best + 1].bytes;
      s[best].id = merges[best].id;
      for (size_t i = best + 1; i + 1 < size; ++i) {
        s[i] = s[i + 1];
        merges[i] = merges[i + 1];
      }
      --size;
      if (best + 1 < size) merges[best] = rules(s[best], s[best + 1]);
      if (best > 0) merges[best - 1] = rules(s[best - 1], s[best]);
    }
    s.resize(size);
  }

  template <typename Rules>
  void MergeLarge(std::vector<Symbol>* symbols, const Rules& rules) {
    auto& s = *symbols;
    const auto size = static_cast<uint32_t>(s.size());
    links_.resize(size);
    for (uint32_t i = 0; i < size; ++i) {
      links_[i] = {i == 0 ? kEnd : i - 1, i + 1 == size ? kEnd : i + 1};
      Propose(s, i, rules);
    }
    Candidate top;
    while (queue_.Pop(&top)) {
      const uint32_t left = top.left, right = links_[left].next;
      if (s[left].bytes == 0 || right == kEnd) continue;
      if (s[left].bytes + s[right].bytes != top.bytes) continue;
      s[left].bytes = top.bytes;
      s[left].id = top.id;
      s[right].bytes = 0;
      links_[left].next = links_[right].next;
      if (links_[left].next != kEnd) links_[links_[left].next].previous = left;
      if (links_[left].previous != kEnd) Propose(s, links_[left].previous, rules);
      Propose(s, left, rules);
    }
    std::erase_if(s, [](const Symbol& symbol) { return symbol.bytes == 0; });
  }

  template <typename Rules>
  void Propose(const std::vector<Symbol>& s, uint32_t left, const Rules& rules) {
    const uint32_t right = links_[left].next;
    if (right == kEnd) return;
    const Merge merge = rules(s[left], s[right]);
    if (merge.priority == Merge::kNever) return;
    queue_.Push(merge.priority, {left, s[left].bytes + s[right].bytes, merge.id});
  }

  MergeQueue queue_;
  std::vector<Link> links_;
};

}  // namespace tenon::text
