// SPDX-License-Identifier: Apache-2.0
#include "text/token_map.h"

#include <bit>
#include <cstring>

namespace tenon::text {
namespace {

constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;

uint64_t Mix(uint64_t value) {
  value *= kMix;
  value ^= value >> 32;
  value *= kMix;
  return value ^ value >> 29;
}

uint64_t Hash(std::string_view text) {
  uint64_t hash = text.size();
  const char* at = text.data();
  size_t left = text.size();
  for (; left > 8; at += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    hash = Mix(hash ^ word);
  }
  uint64_t word = 0;
  if (left > 0) std::memcpy(&word, at, left);
  return Mix(hash ^ word);
}

constexpr size_t kShort = 8;

uint64_t Key(std::string_view text, uint64_t hash) {
  if (text.size() > kShort) return hash >> 32 << 32;
  uint64_t key = 0;
  if (!text.empty()) std::memcpy(&key, text.data(), text.size());
  return key;
}

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// At most two in three are taken.
size_t SlotCount(size_t entries) { return std::bit_ceil(entries + entries / 2 + 2); }

}  // namespace

TokenMap::TokenMap(size_t count) : slots_(SlotCount(count)) {}

bool TokenMap::Holds(const Slot& slot, std::string_view text, uint64_t key) const {
  if (slot.bytes != text.size()) return false;
  if (text.size() <= kShort) return slot.key == key;
  return slot.key >> 32 == key >> 32 &&
         std::memcmp(blob_.data() + static_cast<uint32_t>(slot.key), text.data(), text.size()) == 0;
}

void TokenMap::Insert(std::string_view text, int32_t id) {
  const uint64_t hash = Hash(text), key = Key(text, hash);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.id < 0) {
      slot = {key, static_cast<uint32_t>(text.size()), id};
      if (text.size() <= kShort) return;
      slot.key |= blob_.size();
      blob_.append(text);
      return;
    }
    if (Holds(slot, text, key)) return;
  }
}

int32_t TokenMap::Find(std::string_view text) const {
  if (slots_.empty()) return -1;
  const uint64_t hash = Hash(text), key = Key(text, hash);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id < 0 || Holds(slot, text, key)) return slot.id;
  }
}

MergeMap::MergeMap(size_t count) : entries_(SlotCount(count)) {}

void MergeMap::Insert(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  const uint64_t key = PairKey(left, right);
  const size_t mask = entries_.size() - 1;
  for (size_t at = Mix(key) & mask;; at = (at + 1) & mask) {
    if (entries_[at].merged < 0) {
      entries_[at] = {key, rank, merged};
      return;
    }
    if (entries_[at].key == key) return;
  }
}

const MergeMap::Entry* MergeMap::Find(int32_t left, int32_t right) const {
  if (entries_.empty()) return nullptr;
  const uint64_t key = PairKey(left, right);
  const size_t mask = entries_.size() - 1;
  for (size_t at = Mix(key) & mask;; at = (at + 1) & mask) {
    const Entry& entry = entries_[at];
    if (entry.merged < 0) return nullptr;
    if (entry.key == key) return &entry;
  }
}

}  // namespace tenon::text
