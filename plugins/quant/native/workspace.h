// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/int8_activations.h"
#include "tenon/device.h"

namespace tenon::quant {

// The scratch memory that all linears of one component share. It grows while ops are planned and is
// never touched by two of them at once: a lane's own parts by construction, the shared rows because
// an op meets before it writes them.
struct NativeWorkspace {
  // Up to this many rows every lane quantises the whole input itself and no lane waits for another.
  static constexpr int32_t kFewRows = 8;

  explicit NativeWorkspace(Device& device) : device_(device) {}
  NativeWorkspace(const NativeWorkspace&) = delete;
  NativeWorkspace& operator=(const NativeWorkspace&) = delete;
  ~NativeWorkspace();

  // Makes room for inputs of k columns and at most max_rows rows, for products in integers, in f32,
  // or both. Returns kOutOfMemory if there is none; adds the bytes that it allocated to *bytes.
  Status Reserve(int64_t k, int64_t max_rows, bool int8, bool exact, uint64_t* bytes);

  // Makes room for `order_bytes` a lane, in which it sorts a step's rows by expert. As above.
  Status ReserveOrder(uint64_t order_bytes, uint64_t* bytes);

  cpu::Int8Block* shared_rows = nullptr;  // [max_rows, k / 32]
  // [lanes]; a lane's kFewRows rows, its kernel scratch, its order.
  std::vector<cpu::Int8Block*> lane_rows;
  std::vector<void*> lane_scratch;
  std::vector<void*> lane_order;

 private:
  struct Region {
    void* memory = nullptr;
    uint64_t bytes = 0;
  };
  static void* At(const Region& region, uint64_t offset);
  bool Grow(Region* region, uint64_t bytes, uint64_t* added);

  Device& device_;
  Region shared_, rows_, scratch_, order_;
};

}  // namespace tenon::quant
