// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/cpu_device.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "plugins/device/cpu/op_check.h"
#include "plugins/device/cpu/shared_blocks.h"

namespace tenon::cpu {
namespace {

constexpr int32_t kMostLanes = 1024;

Isa CheckedIsa() {
  const IsaChoice& choice = EnvironmentIsa();
  if (choice.status != Status::kOk) throw std::runtime_error(choice.message);
  return choice.isa;
}

uint64_t MemoryLimit(const Machine& machine) {
  const uint64_t bytes = machine.MemoryBytes();
  return bytes == 0 ? std::numeric_limits<int64_t>::max() : bytes;
}

std::span<const int32_t> PinnedTo(bool pin, int32_t lanes, const Machine& machine) {
  if (!pin) return {};
  const bool fits = static_cast<size_t>(lanes) <= machine.cores().size();
  return fits ? machine.cores() : machine.processors();
}

}  // namespace

int32_t LanesFor(Str threads, const Machine& machine) {
  if (threads == Str("auto")) return std::min(machine.DefaultLanes(), kMostLanes);
  int32_t lanes = 0;
  const char* end = threads.data + threads.size;
  const auto read = std::from_chars(threads.data, end, lanes);
  if (read.ec != std::errc() || read.ptr != end || lanes < 1 || lanes > kMostLanes) {
    throw std::runtime_error("threads is \"" + std::string(threads) +
                             "\"; auto or a number from 1 to " + std::to_string(kMostLanes) +
                             " allowed");
  }
  return lanes;
}

CpuDevice::CpuDevice(const CreateArgs& args)
    : host_(args.host),
      processor_(ProcessorName()),
      isa_(CheckedIsa()),
      memory_(MemoryLimit(machine_)),
      team_(LanesFor(args.options.Text("threads"), machine_),
            static_cast<int32_t>(machine_.processors().size()),
            PinnedTo(args.options.Bool("pin"), LanesFor(args.options.Text("threads"), machine_),
                     machine_)),
      executor_(&team_) {}

void* CpuDevice::Query(const char* interface_name) noexcept {
  return Offer<Device, MemorySharing>(this, interface_name);
}

CpuDevice::MemoryReading CpuDevice::ReadMemory() const {
  constexpr int64_t kKeptNs = 100'000'000;
  const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  const std::lock_guard lock(reading_mutex_);
  if (now >= reading_.until_ns) {
    reading_ = {now + kKeptNs, machine_.MemoryBytes(), machine_.FreeBytes()};
  }
  return reading_;
}

DeviceInfo CpuDevice::Info() const noexcept {
  DeviceInfo info;
  info.kind = "cpu";
  info.name = std::string_view(processor_);
  info.isa = LevelOf(isa_).name;
  info.lanes = team_.lanes();
  try {
    const MemoryReading reading = ReadMemory();
    info.memory_bytes = reading.bytes;
    info.free_bytes = reading.free_bytes;
  } catch (...) {  // no memory to read a line of text
    info.memory_bytes = info.free_bytes = 0;
  }
  return info;
}

void* CpuDevice::Allocate(uint64_t bytes) noexcept { return memory_.Allocate(bytes); }

void CpuDevice::Free(void* memory) noexcept {
  if (memory_.Free(memory)) return;
  host_->Log(LogLevel::kError, "Free of memory that is not this device's, or was freed before");
}

uint64_t CpuDevice::Share(Str folder) noexcept {
  uint64_t shared = 0;
  try {
    const std::string path(folder);
    memory_.Noted([&](void* block, uint64_t bytes) {
      if (ShareBlock(path, block, bytes)) shared += bytes;
    });
  } catch (const std::exception& error) {
    host_->Log(LogLevel::kWarning, error.what());
  }
  return shared;
}

Status CpuDevice::Copy(void* to, const void* from, uint64_t bytes, CopyKind) noexcept {
  if (bytes == 0) return Status::kOk;
  if (to == nullptr || from == nullptr) {
    return host_->Fail(Status::kInvalid, "Copy to or from null; memory of the device needed");
  }
  std::memmove(to, from, bytes);
  return Status::kOk;
}

Status CpuDevice::Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept {
  const Status status = executor_.Run(steps, batch, nanoseconds);
  switch (status) {
    case Status::kOk:
      return status;
    case Status::kOutOfMemory:
      return host_->Fail(status, "no memory for the claim counters of a Program's steps");
    default:
      return host_->Fail(status,
                         "Run was called while the device was running; one thread at a time");
  }
}

void CpuDevice::ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                            void* context) noexcept {
  executor_.ParallelFor(count, fn, context);
}

Status CpuDevice::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  try {
    PlannedOp planned;
    std::unique_ptr<BaseOp> op = PlanBaseOp({isa_, &memory_, &rope_tables_}, spec, &planned);
    planned.op = op.get();
    ops_.push_back(std::move(op));
    *out = planned;
    return Status::kOk;
  } catch (const PlanError& error) {
    return host_->Fail(error.status, std::string_view(error.what()));
  } catch (const std::exception&) {
    return host_->Fail(Status::kOutOfMemory, "no memory to plan an op");
  }
}

}  // namespace tenon::cpu
