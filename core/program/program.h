// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/program/program_list.h"
#include "tenon/attention.h"
#include "tenon/device.h"
#include "tenon/model.h"
#include "tenon/quant.h"

namespace tenon::core {

// Who makes the ops of a Program, and how they are called in reports. Makers outlive the Program.
struct Makers {
  Device* device = nullptr;
  Attention* attention = nullptr;
  WeightFootprint* footprint = nullptr;  // of the quant component, if it offers one
  MemorySharing* sharing = nullptr;      // of the device, where weights are to be shared
  std::array<OpMaker*, kFamilyCount> by_family{};
  std::array<std::string, kFamilyCount> names;  // component names

  // Name of the component behind `maker`; "pass" where it is none of the above.
  std::string NameOf(const OpMaker* maker) const;
};

// What the fixed buffers must hold.
struct ProgramLimits {
  int32_t max_tokens = 512;     // of a step
  int32_t max_logit_rows = 64;  // of a step
  int32_t max_context = 2048;   // KV slots of a sequence
  uint64_t kv_bytes = 0;        // most memory for KV pages, or
  int64_t kv_tokens = 0;        // KV slots in all; 0: as many as kv_bytes allows
  int32_t max_sequences = 64;   // no more pages than these can use
  std::string share_folder;     // where processes keep equal weights once; needs Makers::sharing
};

struct ProgramMemory {
  uint64_t weights_bytes = 0;  // on the device, as the makers keep them
  uint64_t kv_bytes = 0;
  uint64_t arena_bytes = 0;
  uint64_t scratch_bytes = 0;   // of the makers
  uint64_t shared_bytes = 0;    // of the weights: one copy for all processes
  uint64_t kv_token_bytes = 0;  // one token, all layers
  int32_t page_tokens = 0;
  int32_t pages = 0;
};

// One op, for people.
struct StepInfo {
  std::string name;
  std::string kind;
  std::string component;
  Family family = Family::kDevice;  // whose work it is
  bool meet_before = false;
};

// What the ops of one component took.
struct ComponentTime {
  Family family;
  std::string component;
  double seconds;
};

// A pipeline and a model, compiled: a flat list of ops with their buffers fixed. Running it is
// walking the list; nothing is allocated. Thread: one at a time.
class Program {
 public:
  // `failure` returns the text that the failing maker gave the host. `progress` may be null; called
  // with ops planned and ops in all.
  static Result<std::unique_ptr<Program>> Compile(const ProgramList& list, ModelOutputs outputs,
                                                  const Makers& makers, const ProgramLimits& limits,
                                                  std::string (*failure)(),
                                                  void (*progress)(int32_t done, int32_t all));
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // REQUIRES: the batch fits the limits; its pages exist.
  Status Run(const Batch& batch);

  // Copies row `row` of the last step's result (ModelOutputs::rows), f32 [ResultColumns()].
  Status ReadRow(int32_t row, float* to) const;
  int32_t ResultColumns() const { return rows_.columns; }

  // Copies page `from` to page `to` in every layer.
  Status CopyPage(int32_t from, int32_t to);

  // K and V of a page, layer after layer, to and from host memory.
  uint64_t PageBytes() const;
  Status ReadPage(int32_t page, char* to) const;  // REQUIRES: `to` holds PageBytes()
  Status WritePage(int32_t page, const char* from) const;

  // Starts or stops adding up the time of each op.
  void SetTiming(bool on) { SampleTiming(on ? 1 : 0); }
  // Times every n-th run alone, which costs so much less; 0: none. Nanoseconds() are theirs.
  void SampleTiming(int32_t every) { timed_every_ = every; }
  // The time of all runs since reset, as the timed ones tell. One entry a family and component.
  std::vector<ComponentTime> TimeByComponent() const;
  const std::vector<uint64_t>& Nanoseconds() const { return nanoseconds_; }  // by step, since reset
  void ResetTiming();

  const std::vector<StepInfo>& Steps() const { return infos_; }
  const ProgramMemory& Memory() const { return memory_; }
  const ProgramLimits& Limits() const { return limits_; }
  int32_t Meetings() const;  // of the lanes, a step

 private:
  struct KvPages {
    char* base;
    uint64_t page_bytes;
  };

  explicit Program(Device& device) : device_(device) {}

  void PlaceValues(const ProgramList& list, uint32_t result);
  Result<void> PlanPages(const ProgramList& list, const Makers& makers, std::string (*failure)());
  Result<void> Allocate();
  Result<void> PlanOps(const ProgramList& list, const Makers& makers, std::string (*failure)(),
                       void (*progress)(int32_t, int32_t));
  Result<void> Grow(uint64_t bytes, const char* what, void** out);
  Buffer Bind(const ProgramList& list, const Operand& operand) const;

  Device& device_;
  ProgramLimits limits_;
  ProgramMemory memory_;
  std::vector<void*> allocations_;
  char* arena_ = nullptr;
  std::vector<uint64_t> offsets_;    // of values in the arena
  std::vector<uint64_t> row_bytes_;  // of values
  std::vector<KvPages> pages_;       // by attention op
  std::vector<Step> steps_;
  std::vector<StepInfo> infos_;
  std::vector<uint64_t> nanoseconds_;
  Buffer rows_{};
  int32_t timed_every_ = 0;
  int64_t runs_ = 0;  // since reset
};

}  // namespace tenon::core
