// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/engine/block_pool.h"
#include "core/engine/offload_file.h"

namespace tenon::core {

// Blocks of K and V that the pool had no room for, found by prefix; the one unused for longest goes
// first. What the last process left is found again. Thread: one.
class OffloadStore {
 public:
  // As OffloadFile::Open.
  static Result<std::unique_ptr<OffloadStore>> Open(const std::string& folder,
                                                    const OffloadLayout& layout);

  // The keys are made with this.
  const PrefixSecret& Secret() const { return file_->Secret(); }
  const std::string& Path() const { return file_->Path(); }
  int32_t Size() const { return static_cast<int32_t>(slots_.size()); }
  int32_t Slots() const { return pool_.Total(); }
  int64_t Failures() const { return failures_; }  // writes that the system did not take

  // Whether there seems to be an entry.
  bool Has(const PrefixKey& key) const { return slots_.contains(key); }
  // The entry is the one to go last.
  void Touch(const PrefixKey& key);

  // Stores the block that ends the prefix `tokens`. An entry that is there stays.
  void Put(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
           Span<const char> bytes);
  // False: a miss; an entry that is broken, or another's, is gone then.
  bool Get(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
           Span<char> bytes);
  void Clear();

 private:
  struct HashOfKey {
    size_t operator()(const PrefixKey& key) const { return key.low; }
  };

  OffloadStore(std::unique_ptr<OffloadFile> file, int32_t slots);
  void FindEntries();
  void Drop(const PrefixKey& key);

  std::unique_ptr<OffloadFile> file_;
  BlockPool pool_;  // slots: kept ones are entries
  std::unordered_map<PrefixKey, int32_t, HashOfKey> slots_;
  std::vector<PrefixKey> keys_;  // by slot
  uint64_t stamp_ = 0;
  int64_t failures_ = 0;
};

}  // namespace tenon::core
