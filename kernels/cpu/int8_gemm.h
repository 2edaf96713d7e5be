// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/int8_panels.h"
#include "kernels/cpu/isa.h"
#include "tenon/dtype.h"

// The product of int8 activations with packed weights. Within 32 k (16 for Q6_K) it is exact in
// integers; the blocks are added in f32, in ascending k, by fused multiply-adds.
//
// A value out[t, n] has the same bits whatever tokens stand beside it, however the panels are cut
// among calls, and at every level.
namespace tenon::cpu {

struct Int8Gemm {
  DType type;          // CanPackInt8(type)
  const void* panels;  // consecutive panels of kInt8PanelRows rows
  int64_t rows;        // weight rows in them; only the last panel may hold fewer than it could
  int64_t k;
  const Int8Block* x;  // [tokens, k / 32]
  int64_t tokens;
  Epilogue epilogue;
  // Null, or [tokens]: blocks from x to a token's row, instead of one row behind the other.
  const int64_t* x_offsets = nullptr;
  // Panels that the caller multiplies next, to be fetched meanwhile; null: those behind `panels`.
  const void* next = nullptr;
};

// Allocates nothing; any thread.
void RunInt8Gemm(Isa isa, const Int8Gemm& gemm);

}  // namespace tenon::cpu
