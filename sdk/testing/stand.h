// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tenon/device.h"
#include "tenon/testing/options.h"
#include "tenon/testing/verdict.h"

// What a component is tried on: a host, a device, and the component made from its description.
namespace tenon::testing {

// Keeps the text of the last failure. Any thread.
class KitHost final : public Host {
 public:
  void Log(LogLevel, Str) noexcept override {}
  Status Fail(Status status, Str text) noexcept override;
  void* Service(const char*) noexcept override { return nullptr; }

  // The last failure's text, and forgets it; "" where there was none.
  std::string TakeFailure();

 private:
  std::mutex mutex_;
  std::string failure_;
};

// A component made with its defaults but for `options`. The host and the device outlive it.
class Instance {
 public:
  Instance(const ComponentInfo& info, Host* host, Device* device,
           const std::map<std::string, std::string>& options = {});
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  Status status() const { return status_; }
  Component* get() const { return component_; }  // null where it was refused
  template <typename T>
  T* As() const {
    return component_ == nullptr ? nullptr : QueryFor<T>(*component_);
  }

 private:
  const ComponentInfo& info_;
  OptionSet options_;
  Component* component_ = nullptr;
  Status status_;
};

// A CPU device. With `lanes` it is the kit's own, with as many threads, made for each Run; with 0
// lanes the one of `device`, where that is not null. Counts its memory.
class KitDevice final : public Device {
 public:
  explicit KitDevice(int32_t lanes, std::string kind = "cpu");
  explicit KitDevice(const ComponentInfo* device);
  ~KitDevice();

  DeviceInfo Info() const noexcept override;
  void* Allocate(uint64_t bytes) noexcept override;
  void Free(void* memory) noexcept override;
  Status Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept override;
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept override;
  void ParallelFor(int64_t count, void (*fn)(void*, int64_t) noexcept,
                   void* context) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

  // Zeroed memory that lives as long as the device and is not counted; null if there is none left.
  void* Keep(uint64_t bytes);

  std::atomic<int64_t> live = 0;             // blocks handed out and not freed
  std::atomic<int64_t> allocations = 0;      // in all
  std::atomic<int64_t> allowed = INT64_MAX;  // allocations after which none is granted

 private:
  Status RunOp(Op& op, const Batch& batch) const;
  void* AllocateUncounted(uint64_t bytes) noexcept;
  void FreeUncounted(void* memory) noexcept;

  int32_t lanes_;
  std::string kind_, isa_;
  KitHost host_;
  std::unique_ptr<Instance> instance_;  // of the device that does the work, or null
  Device* inner_ = nullptr;
  std::vector<void*> kept_;
};

// Memory of the process that is in use on the heap; 0 where that cannot be told.
uint64_t HeapBytes();
// Memory of the process that is resident.
uint64_t ResidentBytes();

}  // namespace tenon::testing
