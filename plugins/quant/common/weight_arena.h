// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/device.h"

namespace tenon::quant {

// Memory for the weights of one component, in blocks large enough for huge pages: matrices of a
// small model are a few hundred KiB each, and streaming them from 4 KiB pages takes twice as long.
// Freed as a whole. Thread: the host's.
class WeightArena {
 public:
  explicit WeightArena(Device& device) : device_(device) {}
  WeightArena(const WeightArena&) = delete;
  WeightArena& operator=(const WeightArena&) = delete;
  ~WeightArena();

  // `bytes` of zeroed memory, aligned to 64; null if the device has none left. Adds to *total.
  void* Allocate(uint64_t bytes, uint64_t* total);

 private:
  static constexpr uint64_t kBlockBytes = uint64_t{16} << 20;

  Device& device_;
  std::vector<void*> blocks_;
  char* free_ = nullptr;
  uint64_t free_bytes_ = 0;
};

}  // namespace tenon::quant
