// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/arm_text.h"

namespace tenon::apps {

ArmText ArmTextOf(const std::string& title, Session& session) {
  const core::ProgramMemory& memory = session.program().Memory();
  return {title, session.pipeline().text,
          memory.weights_bytes + memory.kv_bytes + memory.arena_bytes + memory.scratch_bytes,
          session.load_ms()};
}

}  // namespace tenon::apps
