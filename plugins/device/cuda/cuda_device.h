// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "tenon/component.h"
#include "tenon/device.h"

namespace tenon::cuda {

// An op of a CUDA component; one lane enqueues it.
class CudaOp : public Op {
 public:
  virtual ~CudaOp() = default;
};

// kUnsupported, with the reason, where there is no card of compute capability 8.0 or more.
Status ProbeCuda(Host* host) noexcept;

// One card and one stream. A step's batch goes to the card in one copy; ops are enqueued in order
// and Run returns when the stream is done. Threads: as tenon/device.h says.
class CudaDevice final : public Component, public Device {
 public:
  explicit CudaDevice(const CreateArgs& args);  // throws std::runtime_error
  ~CudaDevice();

  void* Query(const char* name) noexcept override { return Offer<Device>(this, name); }

  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;
  DeviceInfo Info() const noexcept override;
  void* Allocate(uint64_t bytes) noexcept override;
  void Free(void* memory) noexcept override;
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept override;
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept override;
  void ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                   void* context) noexcept override;

 private:
  Status Failed(const char* what, cudaError_t error) noexcept;
  Status Upload(const Batch& batch, Batch* on_card) noexcept;
  bool Reserve(uint64_t bytes) noexcept;

  Host& host_;
  int index_;
  int threads_;
  cudaStream_t stream_ = nullptr;
  cudaDeviceProp properties_{};
  std::string isa_;
  std::unordered_set<void*> memory_;
  char* staging_ = nullptr;  // pinned host memory for a batch's arrays
  char* arrays_ = nullptr;   // the same on the card
  uint64_t arrays_bytes_ = 0;
  std::vector<cudaEvent_t> events_;  // for timing; one more than steps
  std::vector<std::unique_ptr<CudaOp>> ops_;
};

}  // namespace tenon::cuda
