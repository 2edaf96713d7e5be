// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/pipeline/pipeline.h"
#include "tenon/capability.h"

namespace tenon::core {

// Bits that the component of a family must claim (of decoding: that its chain must, together).
struct Need {
  Family family;
  Capabilities bits;
  std::string who;  // what needs them: "gemma3", "device cpu", "kv_type f16"
};

// Whether the pipeline's components claim what is needed. Error TN109 with a line for each that
// does not: `TN109 flash does not understand sliding window, which gemma3 needs; reference, paged
// do`. Those named would meet all needs of the family. Nothing is made for this.
Result<void> CheckNeeds(const Pipeline& pipeline, Registry& registry,
                        const std::vector<Need>& needs);

}  // namespace tenon::core
