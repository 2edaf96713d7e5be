// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon {

// How one layer's K and V lie in pages. The host allocates the pages and keeps the block tables;
// page p of a layer starts at state + p * page_bytes.
struct KvLayout {
  int32_t page_tokens;  // slots a page; the same for every layer
  uint64_t page_bytes;  // K and V of one page of this layer
};

// How K and V are laid out and attended to. Plans ops of kind kAttention.
class Attention : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.attention/1";

  // The layout that this component wants for a layer. A contiguous layout answers page_tokens =
  // max_context: one page holds a whole sequence. `max_context` is the most slots a sequence may
  // have. Thread: the host's, before Plan.
  virtual Status LayOut(const AttentionParams& layer, int32_t max_context,
                        KvLayout* out) noexcept = 0;

 protected:
  ~Attention() = default;
};

}  // namespace tenon
