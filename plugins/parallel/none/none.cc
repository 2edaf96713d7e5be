// SPDX-License-Identifier: Apache-2.0
#include "plugins/parallel/none/none.h"

#include <cstdio>

namespace tenon::parallel {

Status NoStrategy::Rewrite(ProgramEditor&, Communicator*) noexcept { return Status::kOk; }

Status NoStrategy::Plan(const OpSpec& spec, PlannedOp*) noexcept {
  char text[256];
  std::snprintf(text, sizeof(text),
                "%.*s: parallel none makes no ops, not \"%.*s\" either; take a strategy that does",
                static_cast<int>(spec.name.size), spec.name.data, static_cast<int>(spec.kind.size),
                spec.kind.data);
  return host_.Fail(Status::kUnsupported, text);
}

}  // namespace tenon::parallel
