// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/executor.h"
#include "plugins/device/cpu/machine.h"
#include "plugins/device/cpu/memory.h"
#include "plugins/device/cpu/rope_table.h"
#include "plugins/device/cpu/team.h"
#include "tenon/component.h"
#include "tenon/device.h"

namespace tenon::cpu {

// The processor as a device: a team of threads that walk the Program together, kernels of the
// instruction-set level chosen by kernels/cpu/isa.h. Devices of one process know nothing of each
// other. Options: `threads`, `pin`.
class CpuDevice final : public Component, public Device, public MemorySharing {
 public:
  // Throws std::runtime_error with a text for the user.
  explicit CpuDevice(const CreateArgs& args);

  void* Query(const char* interface_name) noexcept override;

  DeviceInfo Info() const noexcept override;
  void* Allocate(uint64_t bytes) noexcept override;
  void Free(void* memory) noexcept override;
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept override;
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept override;
  void ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                   void* context) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

  void Note() noexcept override { memory_.Note(); }
  uint64_t Share(Str folder) noexcept override;

 private:
  Host* const host_;
  // What Info says of memory. Reading it costs a dozen files and, in a control group, a walk of all
  // its counters, while loading asks hundreds of times: for a tenth of a second it is kept.
  struct MemoryReading {
    int64_t until_ns = 0;
    uint64_t bytes = 0;
    uint64_t free_bytes = 0;
  };
  MemoryReading ReadMemory() const;

  const Machine machine_;
  mutable std::mutex reading_mutex_;
  mutable MemoryReading reading_;
  const std::string processor_;
  const Isa isa_;
  HostMemory memory_;
  RopeTables rope_tables_;
  std::vector<std::unique_ptr<BaseOp>> ops_;
  Team team_;
  Executor executor_;
};

// Lanes for the option's text, "auto" or a number from 1 to 1024. Throws std::runtime_error.
int32_t LanesFor(Str threads, const Machine& machine);

}  // namespace tenon::cpu
