// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/families.h"

#include "tenon/testing/exercise.h"

namespace tenon::testing {

std::vector<Test> TestsOf(const ComponentInfo& component) {
  std::vector<Test> tests;
  AddAnyTests(component, &tests);
  switch (component.family) {
    case Family::kDevice:
      AddDeviceTests(component, &tests);
      break;
    case Family::kAttention:
      AddAttentionTests(component, &tests);
      break;
    case Family::kQuant:
      AddQuantTests(component, &tests);
      break;
    case Family::kScheduler:
      AddSchedulerTests(component, &tests);
      break;
    case Family::kParallel:
      AddParallelTests(component, &tests);
      break;
    case Family::kDecoding:
      AddDecodingTests(component, &tests);
      break;
  }
  return tests;
}

std::unique_ptr<Exercise> MakeExercise(const ComponentInfo& info, const Instance& instance,
                                       KitDevice& device, uint64_t seed) {
  if (instance.get() == nullptr) return nullptr;
  switch (info.family) {
    case Family::kAttention:
      return AttentionExercise(instance, device, seed);
    case Family::kQuant:
      return QuantExercise(info, instance, device, seed);
    case Family::kScheduler:
      return SchedulerExercise(instance, seed);
    case Family::kDecoding:
      return DecodingExercise(instance, seed);
    default:
      return nullptr;
  }
}

}  // namespace tenon::testing
