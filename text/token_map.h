// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::text {

// Bytes -> token id. Open addressing over one blob of text: a look-up is one probe, and one compare
// where it finds something. Built once, then read by any thread.
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
    uint64_t key = 0;  // up to 8 bytes: themselves; longer: half of a hash, then begin in blob_
    uint32_t bytes = 0;
    int32_t id = -1;
  };
  bool Holds(const Slot& slot, std::string_view text, uint64_t key) const;

  std::vector<Slot> slots_;
  std::string blob_;  // of the longer texts
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
