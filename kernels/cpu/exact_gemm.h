// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/isa.h"
#include "tenon/dtype.h"

// The product of f32 activations with a weight of any stored type: the weight's rows are unpacked
// to f32, a panel at a time, and every product is accumulated in f32 by fused multiply-adds.
//
// A value out[t, n] depends on x[t], w[n] (with its scales) and the level alone, bit for bit: not
// on the tokens beside it, nor on how the rows are cut among calls. Two levels may differ in the
// last bits.
namespace tenon::cpu {

struct ExactGemm {
  const float* x;    // [tokens, k]
  int64_t x_stride;  // floats from one token to the next
  int64_t tokens;
  DType type;         // of w
  const void* w;      // [rows, k] stored values, any alignment
  int64_t row_bytes;  // from one row to the next
  int64_t rows;
  int64_t k;          // a multiple of the type's block_values
  Epilogue epilogue;  // out does not overlap x
  float* scratch;     // ExactScratchFloats(k) floats, aligned to 64 bytes, this call's alone
  // Null, or [tokens]: floats from x to a token's row, instead of x_stride.
  const int64_t* x_offsets = nullptr;
  BlockScales scales = {};  // of w, whose row 0 is theirs; usually none
};

constexpr int64_t kExactPanelRows = 16;

constexpr int64_t ExactScratchFloats(int64_t k) { return kExactPanelRows * ((k + 15) / 16 * 16); }

// REQUIRES: CanDequantize(gemm.type). Allocates nothing; any thread.
void RunExactGemm(Isa isa, const ExactGemm& gemm);

}  // namespace tenon::cpu
