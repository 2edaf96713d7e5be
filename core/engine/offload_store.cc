// SPDX-License-Identifier: Apache-2.0
#include "core/engine/offload_store.h"

#include <algorithm>

namespace tenon::core {

Result<std::unique_ptr<OffloadStore>> OffloadStore::Open(const std::string& folder,
                                                         const OffloadLayout& layout,
                                                         std::function<void()> before_write) {
  auto file = OffloadFile::Open(folder, layout);
  TENON_RETURN_IF_ERROR(file);
  return std::unique_ptr<OffloadStore>(
      new OffloadStore(std::move(*file), layout.slots, std::move(before_write)));
}

OffloadStore::OffloadStore(std::unique_ptr<OffloadFile> file, int32_t slots,
                           std::function<void()> before_write)
    : file_(std::move(file)),
      pool_(slots),
      keys_(static_cast<size_t>(slots)),
      writer_(*file_, std::move(before_write)) {
  FindEntries();
}

void OffloadStore::FindEntries() {
  struct Found {
    int32_t slot;
    uint64_t stamp;
    PrefixKey key;
  };
  std::vector<Found> found;
  std::vector<int32_t> empty;
  for (int32_t i = 0; i < pool_.Total(); ++i) {
    const int32_t slot = pool_.Take();
    OffloadEntry entry;
    if (file_->Peek(slot, &entry)) {
      found.push_back({slot, entry.stamp, entry.key});
    } else {
      empty.push_back(slot);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.stamp < b.stamp; });
  for (const Found& one : found) {
    stamp_ = std::max(stamp_, one.stamp);
    if (slots_.contains(one.key)) {
      empty.push_back(one.slot);
      continue;
    }
    keys_[static_cast<size_t>(one.slot)] = one.key;
    slots_[one.key] = one.slot;
    pool_.Keep(one.slot);
    pool_.Release(one.slot);
  }
  for (const int32_t slot : empty) pool_.Release(slot);
}

void OffloadStore::Touch(const PrefixKey& key) {
  const auto it = slots_.find(key);
  if (it == slots_.end()) return;
  pool_.Share(it->second);
  pool_.Release(it->second);
}

// Entries that were not taken are misses from now on.
void OffloadStore::Settle() {
  for (const OffloadWriter::Failure& failure : writer_.TakeFailures()) {
    ++failures_;
    const auto it = slots_.find(failure.key);
    if (it == slots_.end() || it->second != failure.slot) continue;
    slots_.erase(it);
    pool_.Unkeep(failure.slot);
  }
}

bool OffloadStore::Put(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
                       Span<const char> bytes) {
  Settle();
  if (Has(key)) {
    Touch(key);
    return true;
  }
  if (!writer_.HasRoom(bytes.size)) return false;
  if (const int32_t going = pool_.NextToGo(); going >= 0) {
    slots_.erase(keys_[static_cast<size_t>(going)]);
  }
  const int32_t slot = pool_.Take();
  writer_.Write(slot, {key, owner, static_cast<int32_t>(tokens.size), ++stamp_}, tokens, bytes);
  keys_[static_cast<size_t>(slot)] = key;
  slots_[key] = slot;
  pool_.Keep(slot);
  pool_.Release(slot);
  return true;
}

bool OffloadStore::Get(const PrefixKey& key, const PrefixOwner& owner, Span<const int32_t> tokens,
                       Span<char> bytes) {
  Settle();
  const auto it = slots_.find(key);
  if (it == slots_.end()) return false;
  const OffloadEntry entry = {key, owner, static_cast<int32_t>(tokens.size), 0};
  const OffloadWriter::Waiting waiting = writer_.Find(it->second, entry, tokens, bytes);
  if (waiting == OffloadWriter::Waiting::kThis) return true;
  if (waiting == OffloadWriter::Waiting::kNothing &&
      file_->Read(it->second, entry, tokens, bytes)) {
    return true;
  }
  Drop(key);
  return false;
}

void OffloadStore::Drop(const PrefixKey& key) {
  const int32_t slot = slots_[key];
  writer_.Clear(slot);
  slots_.erase(key);
  pool_.Unkeep(slot);
}

void OffloadStore::Clear() {
  while (!slots_.empty()) Drop(PrefixKey(slots_.begin()->first));
}

void OffloadStore::Flush() {
  writer_.Flush();
  Settle();
}

}  // namespace tenon::core
