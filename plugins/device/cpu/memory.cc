// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

namespace tenon::cpu {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kHugePage = uint64_t{2} << 20;
constexpr uint64_t kLeastMapped = uint64_t{256} << 10;
// Below this the tail of the last huge page would waste more than the translations save.
constexpr uint64_t kLeastHuge = uint64_t{8} << 20;

uint64_t RoundUp(uint64_t bytes, uint64_t to) { return (bytes + to - 1) / to * to; }

void* Map(uint64_t bytes) {
  const bool huge = bytes >= kLeastHuge;
  const uint64_t spare = huge ? kHugePage : 0;
  void* got = mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  if (!huge) return got;
  char* begin = static_cast<char*>(got);
  const uint64_t head =
      RoundUp(reinterpret_cast<uintptr_t>(begin), kHugePage) - reinterpret_cast<uintptr_t>(begin);
  if (head > 0) munmap(begin, head);
  if (head < spare) munmap(begin + head + bytes, spare - head);
  // Advice: a system without huge pages refuses it, and nothing is lost.
  (void)madvise(begin + head, bytes, MADV_HUGEPAGE);
  return begin + head;
}

void* Take(uint64_t bytes) {
  void* got = std::aligned_alloc(kAlignment, bytes);
  if (got != nullptr) std::memset(got, 0, bytes);
  return got;
}

}  // namespace

HostMemory::~HostMemory() {
  for (const auto& [memory, block] : blocks_) Release(memory, block);
}

void* HostMemory::Allocate(uint64_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  if (bytes == 0 || bytes > limit_bytes_ - used_bytes_) return nullptr;
  const bool mapped = bytes >= kLeastMapped;
  const Block block{RoundUp(bytes, mapped ? kPage : kAlignment), mapped,
                    noting_ && bytes >= kLeastHuge};
  if (block.bytes > limit_bytes_ - used_bytes_) return nullptr;
  void* memory = mapped ? Map(block.bytes) : Take(block.bytes);
  if (memory == nullptr) return nullptr;
  try {
    blocks_.emplace(memory, block);
  } catch (...) {
    Release(memory, block);
    return nullptr;
  }
  used_bytes_ += block.bytes;
  return memory;
}

bool HostMemory::Free(void* memory) noexcept {
  if (memory == nullptr) return true;
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(memory);
  if (found == blocks_.end()) return false;
  Release(memory, found->second);
  used_bytes_ -= found->second.bytes;
  blocks_.erase(found);
  return true;
}

void HostMemory::Note() noexcept {
  const std::lock_guard lock(mutex_);
  noting_ = true;
}

void HostMemory::Noted(const std::function<void(void*, uint64_t)>& use) {
  const std::lock_guard lock(mutex_);
  noting_ = false;
  for (auto& [memory, block] : blocks_) {
    if (std::exchange(block.noted, false)) use(memory, block.bytes);
  }
}

uint64_t HostMemory::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

void HostMemory::Release(void* memory, const Block& block) noexcept {
  if (block.mapped) {
    munmap(memory, block.bytes);
  } else {
    std::free(memory);
  }
}

}  // namespace tenon::cpu
