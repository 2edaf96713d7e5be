// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/int8_activations.h"
#include "tenon/device.h"

namespace tenon::quant {

// The scratch memory that all linears of one component share. It grows while ops are planned and is
// never touched by two of them at once: a lane's own parts by construction; the shared rows because
// there are two of them, used in turn, and the lanes meet whenever one has been written. Who writes
// the first again has thus met all who read it.
struct NativeWorkspace {
  // Up to this many rows every lane quantises the whole input itself and no lane waits for another.
  static constexpr int32_t kFewRows = 8;

  explicit NativeWorkspace(Device& device) : device_(device) {}
  NativeWorkspace(const NativeWorkspace&) = delete;
  NativeWorkspace& operator=(const NativeWorkspace&) = delete;
  ~NativeWorkspace();

  // Makes room for max_rows inputs of k columns, rounded to int8 (0: for none), and for a lane's
  // scratch. Returns kOutOfMemory if there is none; adds the bytes that it allocated to *bytes.
  Status Reserve(int64_t k, int64_t max_rows, int64_t scratch_floats, uint64_t* bytes);

  // Makes room for `order_bytes` a lane, in which it sorts a step's rows by expert. As above.
  Status ReserveOrder(uint64_t order_bytes, uint64_t* bytes);

  // The shared rows [max_rows, k / 32] whose turn it is; every lane asks equally often.
  cpu::Int8Block* TakeShared(int32_t lane) noexcept {
    return shared_rows_[turns_[static_cast<size_t>(lane)].count++ & 1];
  }

  // [lanes]; a lane's kFewRows rows, its kernel scratch, its order.
  std::vector<cpu::Int8Block*> lane_rows;
  std::vector<void*> lane_scratch;
  std::vector<void*> lane_order;

 private:
  struct alignas(64) Turn {
    uint32_t count = 0;
  };
  struct Region {
    void* memory = nullptr;
    uint64_t bytes = 0;
  };
  static void* At(const Region& region, uint64_t offset);
  bool Grow(Region* region, uint64_t bytes, uint64_t* added);

  Device& device_;
  cpu::Int8Block* shared_rows_[2] = {};
  std::vector<Turn> turns_;  // [lanes]
  Region shared_, rows_, scratch_, order_;
};

}  // namespace tenon::quant
