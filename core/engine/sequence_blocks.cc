// SPDX-License-Identifier: Apache-2.0
#include "core/engine/sequence_blocks.h"

#include <algorithm>

#include "tenon/result.h"

namespace tenon::core {
namespace {

PrefixOwner OwnerOf(const Sequence& sequence) {
  return {sequence.request->cache_salt, sequence.request->adapter};
}

}  // namespace

SequenceBlocks::SequenceBlocks(Program& program, bool prefix_cache, OffloadStore* offload)
    : program_(program), page_(program.Memory().page_tokens), pool_(program.Memory().pages) {
  if (!prefix_cache || page_ <= 0 || page_ >= program.Limits().max_context) return;
  cache_.emplace(pool_.Total(), page_);
  secret_ = offload != nullptr ? offload->Secret() : NewPrefixSecret();
  if (offload == nullptr) return;
  offload_ = offload;
  page_bytes_.resize(program.PageBytes());
}

// Who holds a block holds those before it: the shared ones come first.
int32_t SequenceBlocks::Shared(const Sequence& sequence) const {
  const auto end = std::partition_point(sequence.blocks.begin(), sequence.blocks.end(),
                                        [&](int32_t block) { return pool_.Shared(block); });
  return static_cast<int32_t>(end - sequence.blocks.begin());
}

void SequenceBlocks::Open(Sequence& sequence, int32_t most_tokens) const {
  if (page_ <= 0) return;
  const auto blocks = static_cast<size_t>(most_tokens / page_ + 2);
  sequence.blocks.reserve(blocks);
  if (!cache_) return;
  sequence.keys.reserve(blocks);
  sequence.keys.push_back(RootKey(secret_, OwnerOf(sequence)));
  for (int32_t block = 0; block < sequence.Known() / page_; ++block) {
    sequence.keys.push_back(NextKey(secret_, sequence.keys.back(), TokensOf(sequence, block)));
  }
}

Span<const int32_t> SequenceBlocks::TokensOf(const Sequence& sequence, int32_t block) const {
  return {sequence.tokens.data() + static_cast<ptrdiff_t>(block) * page_,
          static_cast<uint64_t>(page_)};
}

// Blocks that a sequence may take over. At least one token is left, for its logits; who wants the
// logits of its prompt computes all of it.
int32_t SequenceBlocks::Adoptable(const Sequence& sequence) const {
  if (!cache_ || sequence.request->on_prompt_logprobs) return 0;
  return std::min((sequence.Known() - 1) / page_, static_cast<int32_t>(sequence.keys.size()) - 1);
}

// A block is held only where the ones before it are, and used only where they are: the ends of both
// runs can be looked for from anywhere.
PrefixMatch SequenceBlocks::Match(Sequence& sequence) const {
  const int32_t most = Adoptable(sequence);
  const auto key = [&](int32_t block) { return sequence.keys[static_cast<size_t>(block) + 1]; };
  int32_t& found = sequence.matched_blocks;
  found = std::min(found, most);
  while (found > 0 && !Has(key(found - 1))) --found;
  while (found < most && Has(key(found))) ++found;
  const auto in_use = [&](int32_t i) {
    const int32_t block = cache_->Peek(key(i));
    return block >= 0 && pool_.References(block) > 0;
  };
  int32_t used = 0;
  for (int32_t end = found; used < end;) {
    const int32_t middle = used + (end - used) / 2;
    if (in_use(middle)) {
      used = middle + 1;
    } else {
      end = middle;
    }
  }
  return {found * page_, used};
}

void SequenceBlocks::Adopt(Sequence& sequence) {
  const int32_t most = Adoptable(sequence);
  int32_t parent = -1;
  for (int32_t block = 0; block < most; ++block) {
    parent = cache_->Find(sequence.keys[static_cast<size_t>(block) + 1], OwnerOf(sequence), parent,
                          TokensOf(sequence, block));
    if (parent < 0) break;
    pool_.Share(parent);
    sequence.blocks.push_back(parent);
  }
  if (offload_ != nullptr) {
    while (static_cast<int32_t>(sequence.blocks.size()) < most && Restore(sequence)) {
    }
    // The last ones are to go first.
    for (size_t i = sequence.blocks.size(); i > 0; --i) offload_->Touch(sequence.keys[i]);
  }
  sequence.kept_blocks = static_cast<int32_t>(sequence.blocks.size());
  sequence.computed = sequence.kept_blocks * page_;
}

bool SequenceBlocks::Has(const PrefixKey& key) const {
  return cache_->Peek(key) >= 0 || (offload_ != nullptr && offload_->Has(key));
}

int32_t SequenceBlocks::Take() {
  if (const int32_t going = pool_.NextToGo(); going >= 0) {
    if (offload_ != nullptr) Offload(going);
    cache_->Erase(going);
  }
  return pool_.Take();
}

void SequenceBlocks::Offload(int32_t block) {
  const PrefixKey& key = cache_->Key(block);
  if (offload_->Has(key)) return offload_->Touch(key);
  if (program_.ReadPage(block, page_bytes_.data()) != Status::kOk) return;
  cache_->PrefixOf(block, &prefix_);
  const bool taken = offload_->Put(key, cache_->Owner(block), {prefix_.data(), prefix_.size()},
                                   {page_bytes_.data(), page_bytes_.size()});
  offloaded_ += taken ? 1 : 0;
}

// The next block of the sequence from the store; false: there is none, or no room.
bool SequenceBlocks::Restore(Sequence& sequence) {
  const size_t at = sequence.blocks.size();
  const PrefixKey& key = sequence.keys[at + 1];
  if (!offload_->Has(key) || pool_.Free() == 0) return false;
  const int32_t block = Take();
  const Span<const int32_t> prefix = {sequence.tokens.data(),
                                      (at + 1) * static_cast<uint64_t>(page_)};
  const bool whole =
      offload_->Get(key, OwnerOf(sequence), prefix, {page_bytes_.data(), page_bytes_.size()}) &&
      program_.WritePage(block, page_bytes_.data()) == Status::kOk &&
      cache_->Insert(block, key, OwnerOf(sequence), at == 0 ? -1 : sequence.blocks[at - 1],
                     TokensOf(sequence, static_cast<int32_t>(at)));
  if (!whole) {
    pool_.Release(block);
    return false;
  }
  pool_.Keep(block);
  sequence.blocks.push_back(block);
  ++restored_;
  return true;
}

bool SequenceBlocks::Copy(Sequence& sequence, size_t block) {
  const int32_t mine = Take();
  if (program_.CopyPage(sequence.blocks[block], mine) != Status::kOk) {
    pool_.Release(mine);
    return false;
  }
  pool_.Release(sequence.blocks[block]);
  sequence.blocks[block] = mine;
  return true;
}

Growth SequenceBlocks::Grow(Sequence& sequence, int32_t tokens) {
  if (page_ == 0) return Growth::kDone;
  const auto need = static_cast<size_t>((sequence.computed + tokens + page_ - 1) / page_);
  while (sequence.blocks.size() < need) {
    if (pool_.Free() == 0) return Growth::kNoRoom;
    sequence.blocks.push_back(Take());
  }
  for (auto block = static_cast<size_t>(sequence.computed / page_); block < need; ++block) {
    if (!pool_.Shared(sequence.blocks[block])) continue;
    if (pool_.Free() == 0) return Growth::kNoRoom;
    if (!Copy(sequence, block)) return Growth::kFailed;
  }
  return Growth::kDone;
}

void SequenceBlocks::Share(const Sequence& copy) {
  for (const int32_t block : copy.blocks) pool_.Share(block);
}

void SequenceBlocks::Keep(Sequence& sequence) {
  if (!cache_) return;
  for (int32_t& i = sequence.kept_blocks; i < sequence.computed / page_; ++i) {
    const auto at = static_cast<size_t>(i);
    if (sequence.keys.size() == at + 1) {
      sequence.keys.push_back(NextKey(secret_, sequence.keys[at], TokensOf(sequence, i)));
    }
    const int32_t block = sequence.blocks[at];
    const int32_t parent = i == 0 ? -1 : sequence.blocks[at - 1];
    if (cache_->Holds(block) || (parent >= 0 && !cache_->Holds(parent))) continue;
    const PrefixKey& key = sequence.keys[at + 1];
    const Span<const int32_t> tokens = TokensOf(sequence, i);
    const int32_t equal = cache_->Find(key, OwnerOf(sequence), parent, tokens);
    if (equal >= 0) {
      pool_.Share(equal);
      pool_.Release(block);
      sequence.blocks[at] = equal;
    } else if (cache_->Insert(block, key, OwnerOf(sequence), parent, tokens)) {
      pool_.Keep(block);
    }
  }
}

// The last blocks are released first: they go first where room is needed, so that what is kept has
// no gaps.
void SequenceBlocks::Release(Sequence& sequence) {
  for (auto it = sequence.blocks.rbegin(); it != sequence.blocks.rend(); ++it) pool_.Release(*it);
  sequence.blocks.clear();
  sequence.kept_blocks = 0;
  sequence.computed = 0;
}

void SequenceBlocks::Forget() {
  if (!cache_) return;
  cache_->Clear();
  if (offload_ != nullptr) offload_->Clear();
  for (int32_t block = 0; block < pool_.Total(); ++block) pool_.Unkeep(block);
}

bool SequenceBlocks::Audit(const std::vector<int32_t>& held) const {
  int32_t free = 0;
  for (int32_t block = 0; block < pool_.Total(); ++block) {
    if (held[static_cast<size_t>(block)] != pool_.References(block)) return false;
    free += held[static_cast<size_t>(block)] == 0 ? 1 : 0;
  }
  return free == pool_.Free() && AuditCache();
}

bool SequenceBlocks::AuditCache() const {
  int32_t kept = 0;
  int32_t unused = 0;
  for (int32_t block = 0; block < pool_.Total(); ++block) {
    if (pool_.Kept(block) != (cache_ && cache_->Holds(block))) return false;
    if (!pool_.Kept(block)) continue;
    ++kept;
    unused += pool_.References(block) == 0 ? 1 : 0;
    const int32_t parent = cache_->Parent(block);
    if (parent < 0) continue;
    if (!cache_->Holds(parent)) return false;
    if (pool_.References(block) > 0 && pool_.References(parent) == 0) return false;
  }
  for (int32_t block = pool_.NextUnused(-1); block >= 0; block = pool_.NextUnused(block)) {
    if (pool_.References(block) > 0 || !pool_.Kept(block)) return false;
    --unused;
  }
  return unused == 0 && kept == Kept();
}

}  // namespace tenon::core
