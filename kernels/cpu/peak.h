// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

// Loops that reach a core's arithmetic limit at one level, for "share of peak" figures: independent
// multiply-adds on registers, nothing read from memory. A multiply-add counts as two operations.
namespace tenon::cpu {

struct PeakLoop {
  const char* name;                // "int8", "bf16", "f32"
  int64_t round_ops;               // operations of one round
  int32_t (*run)(int64_t rounds);  // the result keeps the work alive; any thread
};

struct PeakLoops {
  const PeakLoop* loops;
  int32_t count;
};

// The loops of a level: f32 at every one, int8 where the level has an instruction for it
// (vpmaddubsw, vpdpbusd), bf16 where the machine has vdpbf16ps. REQUIRES: the machine has the
// level.
PeakLoops PeakLoopsOf(Isa isa);

// Reads `bytes` (a multiple of 256) with vector loads; the sum keeps the reads alive. Any thread.
uint64_t ReadAll(Isa isa, const void* memory, int64_t bytes);

}  // namespace tenon::cpu
