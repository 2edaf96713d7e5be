// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace tenon::cpu {

// Zeroed blocks of host memory, all given back when the object ends. Large blocks are mapped: they
// take no memory until touched, and their pages are huge where the system has such. Any thread.
class HostMemory {
 public:
  // At most `limit_bytes` are handed out at a time: a promise that the machine cannot keep would
  // end in the kernel killing the process when the memory is touched.
  explicit HostMemory(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}
  ~HostMemory();
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  // Aligned to 64 bytes or more. Null for 0 bytes and where the memory is not there.
  void* Allocate(uint64_t bytes) noexcept;

  // False, and nothing is done, where `memory` is not a live block of this object. Null is fine.
  bool Free(void* memory) noexcept;

  uint64_t used_bytes() const;

  // From here on, huge blocks that Allocate gives are noted; Noted ends that, and calls use(memory,
  // bytes) for each of them that lives.
  void Note() noexcept;
  void Noted(const std::function<void(void* memory, uint64_t bytes)>& use);

 private:
  struct Block {
    uint64_t bytes;
    bool mapped;
    bool noted;
  };
  static void Release(void* memory, const Block& block) noexcept;

  const uint64_t limit_bytes_;
  mutable std::mutex mutex_;
  uint64_t used_bytes_ = 0;
  bool noting_ = false;
  std::unordered_map<void*, Block> blocks_;
};

}  // namespace tenon::cpu
