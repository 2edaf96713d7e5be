// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/stand.h"

#include <malloc.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace tenon::testing {
namespace {

const char* ThisIsa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                    __builtin_cpu_supports("bmi2") != 0;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vnni") != 0;
  return avx2 && avx512 ? "avx512" : avx2 ? "avx2" : "generic";
#else
  return "generic";
#endif
}

}  // namespace

Status KitHost::Fail(Status status, Str text) noexcept {
  const std::lock_guard lock(mutex_);
  failure_.assign(text.data, text.size);
  return status;
}

std::string KitHost::TakeFailure() {
  const std::lock_guard lock(mutex_);
  return std::exchange(failure_, "");
}

Instance::Instance(const ComponentInfo& info, Host* host, Device* device,
                   const std::map<std::string, std::string>& options)
    : info_(info), options_(info, options) {
  CreateArgs args;
  args.host = host;
  args.options = options_.View();
  args.device = device;
  status_ = info.create(&args, &component_);
  if (status_ != Status::kOk) component_ = nullptr;
}

Instance::~Instance() {
  if (component_ != nullptr) info_.destroy(component_);
}

KitDevice::KitDevice(int32_t lanes, std::string kind)
    : lanes_(lanes), kind_(std::move(kind)), isa_(ThisIsa()) {}

KitDevice::KitDevice(const ComponentInfo* device) : KitDevice(2) {
  if (device == nullptr || !device->capabilities.Has(Capability::kDeviceCpu)) return;
  instance_ = std::make_unique<Instance>(*device, &host_, nullptr);
  inner_ = instance_->As<Device>();
}

KitDevice::~KitDevice() {
  for (void* memory : kept_) FreeUncounted(memory);
}

DeviceInfo KitDevice::Info() const noexcept {
  if (inner_ != nullptr) return inner_->Info();
  return {Str(kind_), "kit", Str(isa_), lanes_, uint64_t{1} << 34, uint64_t{1} << 33};
}

void* KitDevice::AllocateUncounted(uint64_t bytes) noexcept {
  if (inner_ != nullptr) return inner_->Allocate(bytes);
  const uint64_t size = bytes == 0 ? 64 : (bytes + 63) / 64 * 64;
  void* memory = size < bytes ? nullptr : std::aligned_alloc(64, size);
  return memory == nullptr ? nullptr : std::memset(memory, 0, size);
}

void KitDevice::FreeUncounted(void* memory) noexcept {
  inner_ != nullptr ? inner_->Free(memory) : std::free(memory);
}

void* KitDevice::Allocate(uint64_t bytes) noexcept {
  if (allocations >= allowed) return nullptr;
  ++allocations;
  void* memory = AllocateUncounted(bytes);
  if (memory != nullptr) ++live;
  return memory;
}

void KitDevice::Free(void* memory) noexcept {
  if (memory == nullptr) return;
  --live;
  FreeUncounted(memory);
}

void* KitDevice::Keep(uint64_t bytes) {
  void* memory = AllocateUncounted(bytes);
  if (memory != nullptr) kept_.push_back(memory);
  return memory;
}

Status KitDevice::Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept {
  if (inner_ != nullptr) return inner_->Copy(to, from, bytes, kind);
  std::memcpy(to, from, bytes);
  return Status::kOk;
}

Status KitDevice::Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept {
  if (inner_ != nullptr) return inner_->Run(steps, batch, nanoseconds);
  Status status = Status::kOk;
  for (uint64_t i = 0; i < steps.size; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Status done = RunOp(*steps[i].op, batch);
    if (status == Status::kOk) status = done;
    const auto spent = std::chrono::steady_clock::now() - start;
    if (nanoseconds != nullptr) nanoseconds[i] += static_cast<uint64_t>(spent.count());
  }
  return status;
}

Status KitDevice::RunOp(Op& op, const Batch& batch) const {
  alignas(64) int64_t next_piece = 0;
  int32_t failure = 0;
  std::barrier<> barrier(lanes_);
  const auto meet = [](void* team, int32_t) noexcept {
    static_cast<std::barrier<>*>(team)->arrive_and_wait();
  };
  const auto lane = [&](int32_t i) {
    op.Run(batch, {i, lanes_, nullptr, &next_piece, &barrier, meet, &failure});
  };
  std::vector<std::thread> threads;
  for (int32_t i = 1; i < lanes_; ++i) threads.emplace_back(lane, i);
  lane(0);
  for (std::thread& thread : threads) thread.join();
  return static_cast<Status>(failure);
}

void KitDevice::ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                            void* context) noexcept {
  if (inner_ != nullptr) return inner_->ParallelFor(count, fn, context);
  for (int64_t i = 0; i < count; ++i) fn(context, i);
}

Status KitDevice::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  return inner_ != nullptr ? inner_->Plan(spec, out) : Status::kUnsupported;
}

uint64_t HeapBytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

uint64_t ResidentBytes() {
  uint64_t total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace tenon::testing
