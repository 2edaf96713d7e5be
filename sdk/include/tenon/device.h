// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/op.h"

namespace tenon {

struct DeviceInfo {
  Str kind;               // "cpu", "cuda": what other components ask before they plan
  Str name;               // for people: the processor's or the card's name
  Str isa;                // the level in use: "avx512", "sm_90"
  int32_t lanes;          // threads that walk a Program; 1 on CUDA
  uint64_t memory_bytes;  // in all
  uint64_t free_bytes;    // now
};

enum class CopyKind : uint32_t { kToDevice = 0, kToHost = 1, kOnDevice = 2 };

// A Program as the device sees it.
struct Step {
  Op* op;
  uint32_t meet_before;  // 1: no lane starts the op before all lanes ended the ones before it
};

// Where ops run. Also an OpMaker: of the ops in tenon/ops.h that are made by the device.
// Threads: Run by one thread at a time; the others by the host's thread while nothing runs.
class Device : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.device/1";

  virtual DeviceInfo Info() const noexcept = 0;  // valid while the device lives

  // Memory of the device, zeroed, aligned to 64 bytes or more; on the CPU large blocks cost nothing
  // until touched. Null if there is none left. The device frees what is left when it ends.
  virtual void* Allocate(uint64_t bytes) noexcept = 0;
  virtual void Free(void* memory) noexcept = 0;

  // Copies, and returns when it is done. Thread: any, several at once, while nothing runs.
  virtual Status Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept = 0;

  // Runs the steps over the batch (in host memory) and returns when their results can be copied.
  // `nanoseconds` is null or [steps]: the wall time of each is added, waiting included.
  virtual Status Run(Span<const Step> steps, const Batch& batch,
                     uint64_t* nanoseconds) noexcept = 0;

  // Calls fn(context, i) for 0 <= i < count on all the host threads of the device; returns when all
  // are done. For loading and sampling, not from an op.
  virtual void ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                           void* context) noexcept = 0;

 protected:
  ~Device() = default;
};

// Optional for a Device: memory with the same bytes in several processes takes room once. Thread:
// the host's, while nothing runs.
class MemorySharing {
 public:
  static constexpr const char* kName = "tenon.device.sharing/1";

  // Large blocks that Allocate gives from here on are noted, until Share.
  virtual void Note() noexcept = 0;

  // Those of the noted blocks whose bytes another process has given to `folder`, too, are one copy
  // from here on, at the same address; the others are given to it. Nothing else changes: who writes
  // to one gets a copy of his own. Bytes that are shared; 0 where that cannot be had. `folder`: in
  // memory, the user's own, and removed by whoever made it.
  virtual uint64_t Share(Str folder) noexcept = 0;

 protected:
  ~MemorySharing() = default;
};

}  // namespace tenon
