// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/program/program_list.h"

namespace tenon::core {

// Moves the Program's gather_rows up to just behind the last op that looks across rows (the last
// layer's attention), so that what follows runs only on the rows whose logits are asked for.
// Leaves the list as it is where it has not exactly one gather_rows.
void PruneRows(ProgramList& program);

}  // namespace tenon::core
