// SPDX-License-Identifier: Apache-2.0
#include "sdk/testing/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<int64_t> count{0};

void* Counted(void* memory) {
  count.fetch_add(1, std::memory_order_relaxed);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

// Alone in this file: where the compiler sees both, it warns of new paired with free.
void* operator new(size_t bytes) { return Counted(std::malloc(bytes == 0 ? 1 : bytes)); }
// Sanitizers have a nothrow operator of their own, whose memory would not match this delete.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new(size_t bytes, std::align_val_t to) {
  const size_t align = static_cast<size_t>(to);
  return Counted(std::aligned_alloc(align, (bytes + align) / align * align));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace tenon::testing {

int64_t AllocationCount() { return count.load(); }

}  // namespace tenon::testing
