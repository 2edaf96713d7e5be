// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::text {

// Bytes -> token id. Open addressing over one blob of text: a look-up is one probe and one compare.
// Built once, then read by any thread.
class TokenMap {
 public:
  TokenMap() = default;
  // Room for `count` entries.
  explicit TokenMap(size_t count);

  // The first id given for a text stays. REQUIRES: not full, id >= 0
  void Insert(std::string_view text, int32_t id);

  // The id, or -1.
  int32_t Find(std::string_view text) const;

 private:
  struct Slot {
    int32_t id = -1;
    uint32_t hash = 0;
    uint32_t begin = 0;  // in blob_
    uint32_t bytes = 0;
  };
  std::vector<Slot> slots_;
  std::string blob_;
};

// (left id, right id) -> (rank, merged id): the merges of byte-level BPE.
class MergeMap {
 public:
  struct Entry {
    uint64_t key = ~uint64_t{0};
    uint32_t rank = 0;
    int32_t merged = -1;
  };

  MergeMap() = default;
  explicit MergeMap(size_t count);

  // The first rank given for a pair stays. REQUIRES: not full
  void Insert(int32_t left, int32_t right, uint32_t rank, int32_t merged);

  // Null where the pair does not merge.
  const Entry* Find(int32_t left, int32_t right) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace tenon::text
