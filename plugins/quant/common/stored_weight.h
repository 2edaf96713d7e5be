// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "kernels/cpu/dequantize.h"
#include "tenon/host.h"
#include "tenon/op.h"

// What the products on the CPU ask of a stored matrix.
namespace tenon::quant {

// Fails with the op's name in front of `why`.
Status Refuse(Host& host, Status status, const OpSpec& spec, const std::string& why);

// `"name" [rows, columns]`, for messages.
std::string Named(const Weight& weight);

// kOk where `weight` is a matrix of k columns, and `bias` (or null) a vector of its rows, both of
// types that can be read; the matrix may have scales, of a grid that covers it. Else kUnsupported
// (a type, scales of a bias) or kInvalid (a shape), after Host::Fail with the op's name. Reads none
// of their values.
Status CheckMatrix(Host& host, const OpSpec& spec, const Weight& weight, const Weight* bias,
                   int64_t k);

// Its scales for the kernels; .data is null where it has none. REQUIRES: CheckMatrix is kOk.
cpu::BlockScales ScalesOf(const Weight& weight);

// The bias as f32 into out[0, rows).
void CopyBias(const Weight& bias, float* out);

}  // namespace tenon::quant
