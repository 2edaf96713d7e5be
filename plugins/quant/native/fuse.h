// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/program.h"

namespace tenon::quant {

// Joins, in place, the linears whose matrices can all be packed with the ops beside them into
// fused_linear nodes made by `maker`, so that the lanes meet once where they met up to five times:
//   rms_norm, linear               with rms_norm, add before them too (the norm behind a branch)
//   linear of gate and up, glu     whose result the next linear reads already rounded
// Only where nothing else reads or writes the values between them, so that whatever another pass
// put there stays as it is. Results are bit for bit those of the ops apart.
void FuseLinears(ProgramEditor& program, OpMaker& maker);

}  // namespace tenon::quant
