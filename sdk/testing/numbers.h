// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/dtype.h"

// Numbers of the kit's own: made from seeds, stored and read by formula, in double.
namespace tenon::testing {

// In [-1, 1), by its arguments alone.
float NumberAt(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

// `value` as that type stores it, rounded to nearest, ties to even. f16 and bf16 with overflow to
// infinity; other types: unchanged.
double RoundTo(DType type, double value);

// The type called so ("q4_0"); kF32 where there is none.
DType TypeNamed(const std::string& name);

// `values` stored values of any type with random codes and scales such that an element is about
// 0.02 in size. REQUIRES: values is a multiple of the type's block_values.
std::vector<uint8_t> RandomStored(DType type, int64_t values, uint64_t seed);

// What is stored, as numbers (formats: tenon/dtype.h, ggml-common.h of ggml).
std::vector<double> ReadStored(DType type, const uint8_t* stored, int64_t values);

}  // namespace tenon::testing
