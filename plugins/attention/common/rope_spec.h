// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tenon/host.h"
#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon::attention {

// What a kRopeAttention says of its rotation.
struct RopeSpec {
  RopeParams params;
  std::vector<float> inverse_frequency;
};

inline bool IsRopeAttention(const OpSpec& spec) { return spec.kind == Str(kRopeAttention); }

// kInvalid, after Host::Fail with the op's name: a rotation that does not fit the attention, or
// whose numbers are out of bounds. REQUIRES: IsRopeAttention(spec).
Status ReadRope(Host& host, const OpSpec& spec, RopeSpec* out);

// The kAttention alone. Views of `spec`. REQUIRES: ReadRope took it.
OpSpec AttentionAlone(const OpSpec& spec);

}  // namespace tenon::attention
