// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "tenon/testing/stand.h"

namespace tenon::testing {

// Something small that a component is asked to do, with an answer that its inputs alone decide.
class Exercise {
 public:
  virtual ~Exercise() = default;

  // Asks. The answer is empty where the component refused.
  virtual std::vector<double> Run() = 0;
};

// An exercise of the component's family: plans what has to be planned. Of another seed: another
// question. Null where the kit knows none (roles of a family that it does not check).
std::unique_ptr<Exercise> MakeExercise(const ComponentInfo& info, const Instance& instance,
                                       KitDevice& device, uint64_t seed);

// Of each family.
std::unique_ptr<Exercise> AttentionExercise(const Instance& instance, KitDevice& device,
                                            uint64_t seed);
std::unique_ptr<Exercise> QuantExercise(const ComponentInfo& info, const Instance& instance,
                                        KitDevice& device, uint64_t seed);
std::unique_ptr<Exercise> SchedulerExercise(const Instance& instance, uint64_t seed);
std::unique_ptr<Exercise> DecodingExercise(const Instance& instance, uint64_t seed);

}  // namespace tenon::testing
