// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "core/engine/block_pool.h"
#include "core/engine/offload_store.h"
#include "core/engine/prefix_cache.h"
#include "core/engine/sequence.h"
#include "core/program/program.h"

namespace tenon::core {

// What growing a sequence came to.
enum class Growth : uint8_t {
  kDone,
  kNoRoom,  // what could be had is kept; call again when blocks are free
  kFailed,  // the device did not copy a page
};

// How much of a sequence that holds no blocks is computed already.
struct PrefixMatch {
  int32_t tokens = 0;
  int32_t used_blocks = 0;  // of its blocks, those that running sequences hold: they cost nothing
};

// The blocks of sequences: growing, sharing and copying them, and finding prefixes that were
// computed before. Thread: one.
class SequenceBlocks {
 public:
  // `prefix_cache`: full blocks are kept when their sequence ends, for others that begin alike.
  // Heeded only where a sequence has several blocks. REQUIRES: then pages may be shared.
  // `offload`: where kept blocks go that the pool has no room for; may be null, outlives this.
  SequenceBlocks(Program& program, bool prefix_cache, OffloadStore* offload = nullptr);

  int32_t Total() const { return pool_.Total(); }
  int32_t Free() const { return pool_.Free(); }     // empty ones, and kept ones that nobody uses
  int64_t Offloaded() const { return offloaded_; }  // blocks written so far
  int64_t Restored() const { return restored_; }    // blocks read so far
  int32_t Kept() const { return cache_ ? cache_->Size() : 0; }
  // Of the sequence's blocks, those that others hold too.
  int32_t Shared(const Sequence& sequence) const;

  // Reserves what the sequence will ever need, and names the blocks of its prompt.
  // `most_tokens`: prompt and output.
  void Open(Sequence& sequence, int32_t most_tokens) const;

  // What Adopt would find; by keys alone, in a time that hardly depends on the prompt.
  PrefixMatch Match(Sequence& sequence) const;
  // Gives a sequence without blocks those of its longest computed prefix, its last token left out.
  void Adopt(Sequence& sequence);

  // Blocks for the next `tokens` tokens, those to be written its own.
  Growth Grow(Sequence& sequence, int32_t tokens);
  // A copy of a sequence holds its blocks too.
  void Share(const Sequence& copy);
  // Keeps blocks that became full, or replaces them by equal ones.
  void Keep(Sequence& sequence);
  void Release(Sequence& sequence);

  // Nobody finds what was computed so far, offloaded or not.
  void Forget();

  // Whether the pool's counts are `held` (references by block), and the cache is sound.
  bool Audit(const std::vector<int32_t>& held) const;

 private:
  bool Copy(Sequence& sequence, size_t block);
  int32_t Take();
  void Offload(int32_t block);
  bool Restore(Sequence& sequence);
  bool Has(const PrefixKey& key) const;
  bool AuditCache() const;
  int32_t Adoptable(const Sequence& sequence) const;
  Span<const int32_t> TokensOf(const Sequence& sequence, int32_t block) const;

  Program& program_;
  int32_t page_;
  BlockPool pool_;
  std::optional<PrefixCache> cache_;
  PrefixSecret secret_{};
  OffloadStore* offload_ = nullptr;
  int64_t offloaded_ = 0;
  int64_t restored_ = 0;
  std::vector<char> page_bytes_;
  std::vector<int32_t> prefix_;
};

}  // namespace tenon::core
