// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/program.h"

namespace tenon {

// Moves values between ranks. All ranks call the same functions in the same order; each call
// returns when this rank's memory may be used again. Memory is the device's. `stream` is
// Lane::stream.
class Communicator {
 public:
  static constexpr const char* kName = "tenon.parallel.communicator/1";

  virtual int32_t Rank() const noexcept = 0;  // 0 … Size() - 1
  virtual int32_t Size() const noexcept = 0;
  // values[i] = Σ over ranks, added in rank order on every rank: all get the same bits.
  virtual Status AllReduceSum(float* values, uint64_t count, void* stream) noexcept = 0;
  // to[rank * count …] = each rank's `from`.
  virtual Status AllGather(const float* from, float* to, uint64_t count, void* stream) noexcept = 0;
  // to = this rank's part of the sum; from holds Size() parts of `count`.
  virtual Status ReduceScatterSum(const float* from, float* to, uint64_t count,
                                  void* stream) noexcept = 0;
  virtual Status Send(int32_t rank, const void* from, uint64_t bytes, void* stream) noexcept = 0;
  virtual Status Receive(int32_t rank, void* to, uint64_t bytes, void* stream) noexcept = 0;

 protected:
  ~Communicator() = default;
};

// How a Program is spread over ranks. Rewrites the list for this rank (shards weights by pointing
// into them, inserts collectives) and makes the ops that it inserted.
class Strategy : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.parallel.strategy/1";

  // As Pass::Rewrite. `communicator` is null where the pipeline has none (one rank); it outlives
  // the strategy.
  virtual Status Rewrite(ProgramEditor& program, Communicator* communicator) noexcept = 0;

 protected:
  ~Strategy() = default;
};

}  // namespace tenon
