// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/engine/block_pool.h"
#include "core/engine/offload_file.h"
#include "core/engine/offload_writer.h"

namespace tenon::core {

// Blocks of K and V that the pool had no room for, found by prefix; the one unused for longest goes
// first. What the last process left is found again. Writing is a thread's of its own; what it has
// not written yet is found too. Thread: one.
class OffloadStore {
 public:
  // As OffloadFile::Open. `before_write` is OffloadWriter's.
  static Result<std::unique_ptr<OffloadStore>> Open(const std::string& folder,
                                                    const OffloadLayout& layout,
                                                    std::function<void()> before_write = {});

  // The keys are made with this.
  const PrefixSecret& Secret() const { return file_->Secret(); }
  const std::string& Path() const { return file_->Path(); }
  int32_t Size() const { return static_cast<int32_t>(slots_.size()); }
  int32_t Slots() const { return pool_.Total(); }
  int64_t Failures() const { return failures_; }  // writes that the system did not take, as known

  // Whether there seems to be an entry.
  bool Has(const PrefixKey& key) const { return slots_.contains(key); }
  // The entry is the one to go last.
  void Touch(const PrefixKey& key);

  // Stores the block that ends the prefix `tokens`. An entry that is there stays. False: too much
  // waits to be written.
  bool Put(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
           Span<const char> bytes);
  // False: a miss; an entry that is broken, or another's, is gone then.
  bool Get(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
           Span<char> bytes);
  void Clear();
  // Waits until all is written; Failures() knows of all then.
  void Flush();

 private:
  struct HashOfKey {
    size_t operator()(const PrefixKey& key) const { return key.low; }
  };

  OffloadStore(std::unique_ptr<OffloadFile> file, int32_t slots,
               std::function<void()> before_write);
  void FindEntries();
  void Settle();
  void Drop(const PrefixKey& key);

  std::unique_ptr<OffloadFile> file_;
  BlockPool pool_;  // slots: kept ones are entries
  std::unordered_map<PrefixKey, int32_t, HashOfKey> slots_;
  std::vector<PrefixKey> keys_;  // by slot
  uint64_t stamp_ = 0;
  int64_t failures_ = 0;
  OffloadWriter writer_;  // last: it uses the file
};

}  // namespace tenon::core
