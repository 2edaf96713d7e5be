// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/attention/common/tiled_attention.h"

namespace tenon::attention {

// FlashAttention over a contiguous KV cache: one page holds a whole sequence.
class FlashAttention final : public TiledAttention {
 public:
  static constexpr OptionInfo kOptions[] = {kKvTypeOption};

  explicit FlashAttention(const CreateArgs& args) : TiledAttention(args, 0) {}
};

}  // namespace tenon::attention
