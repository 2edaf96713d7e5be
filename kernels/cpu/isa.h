// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/status.h"

// The instruction-set levels that CPU kernels are written for, and the choice among them at run
// time. A kernel takes its level as an argument, so that a test can run every level that the
// machine has; whoever plans work asks ActiveIsa() once.
namespace tenon::cpu {

enum class Isa : uint32_t {
  kGeneric = 0,   // plain C++, the compiler's baseline
  kAvx2 = 1,      // AVX2, FMA, F16C, BMI2
  kAvx2Vnni = 2,  // AVX-VNNI (vpdpbusd of 256 bits without AVX-512), besides all of kAvx2
  kAvx512 = 3,    // AVX-512 F, BW, VL, DQ, VNNI, besides all of kAvx2
};
inline constexpr uint32_t kIsaCount = 4;

struct IsaLevel {
  Isa isa;
  const char* name;   // what TENON_ISA takes: "generic", "avx2", "avx2+vnni", "avx512"
  const char* needs;  // the CPU features asked for, in words
  bool available;     // this CPU has them and the operating system keeps their registers
};

// All kIsaCount levels, lowest first, in the order of the enumerators. Any thread.
const IsaLevel* IsaLevels();

// REQUIRES: isa is one of the enumerators.
const IsaLevel& LevelOf(Isa isa);

// True where vdpbf16ps (AVX512_BF16) can be used. No level asks for it.
bool HasAvx512Bf16();

struct IsaChoice {
  Status status;      // kOk; kInvalid: no such name; kUnsupported: this machine lacks the level
  Isa isa;            // the level to use; kGeneric unless status is kOk
  bool forced;        // a name was given
  char message[224];  // for a user: the name seen, those that fit here; "" where status is kOk
};

// The level called `name`, or the best available one where name is null or "". Pure.
IsaChoice ChooseIsa(const char* name);

// ChooseIsa of the environment's TENON_ISA, read once per binary. A device refuses to start unless
// its status is kOk. Any thread.
const IsaChoice& EnvironmentIsa();

// The level of EnvironmentIsa().
Isa ActiveIsa();

}  // namespace tenon::cpu
