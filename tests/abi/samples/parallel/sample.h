// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tenon/component.h"
#include "tenon/parallel.h"

namespace first {

class SampleOp;

// A world of one rank: what it sends to all comes back to itself.
class SingleRank final : public tenon::Communicator {
 public:
  explicit SingleRank(tenon::Host& host) : host_(host) {}

  int32_t Rank() const noexcept override { return 0; }
  int32_t Size() const noexcept override { return 1; }
  tenon::Status AllReduceSum(float* values, uint64_t count, void* stream) noexcept override;
  tenon::Status AllGather(const float* from, float* to, uint64_t count,
                          void* stream) noexcept override;
  tenon::Status ReduceScatterSum(const float* from, float* to, uint64_t count,
                                 void* stream) noexcept override;
  // kInvalid: there is no other rank.
  tenon::Status Send(int32_t rank, const void* from, uint64_t bytes,
                     void* stream) noexcept override;
  tenon::Status Receive(int32_t rank, void* to, uint64_t bytes, void* stream) noexcept override;

 private:
  tenon::Status NoSuchRank(int32_t rank) noexcept;

  tenon::Host& host_;
};

// The strategy for that world: leaves the Program whole, and makes the all_reduce ops of Programs
// that have them.
class Sample final : public tenon::Component, public tenon::Strategy {
 public:
  explicit Sample(const tenon::CreateArgs& args);
  ~Sample();
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  void* Query(const char* name) noexcept override;
  tenon::Status Rewrite(tenon::ProgramEditor& program,
                        tenon::Communicator* communicator) noexcept override;
  tenon::Status Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept override;

 private:
  tenon::Host& host_;
  SingleRank rank_;
  std::vector<std::unique_ptr<SampleOp>> ops_;
};

}  // namespace first
