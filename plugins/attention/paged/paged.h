// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/attention/common/tiled_attention.h"

namespace tenon::attention {

// Attention over a block table: a sequence's K and V lie in pages anywhere, which other sequences
// may share. Only the slots of a step's own tokens are written, so that whoever shares a page must
// have a copy of his own before he appends to it. Kwon et al. 2023, "Efficient Memory Management
// for Large Language Model Serving with PagedAttention".
class PagedAttention final : public TiledAttention {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"page_tokens", OptionType::kInt, "16", "Slots in a page of K and V; a multiple of 16.", 16,
       256, "", "tokens"},
      kKvTypeOption};

  explicit PagedAttention(const CreateArgs& args)
      : TiledAttention(args, static_cast<int32_t>(args.options.Int("page_tokens"))) {}
};

}  // namespace tenon::attention
