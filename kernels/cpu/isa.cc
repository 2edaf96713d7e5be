// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tenon::cpu {
namespace {

struct Machine {
  IsaLevel levels[kIsaCount] = {
      {Isa::kGeneric, "generic", "nothing", true},
      {Isa::kAvx2, "avx2", "AVX2, FMA, F16C, BMI2", false},
      {Isa::kAvx2Vnni, "avx2+vnni", "AVX2, FMA, F16C, BMI2, AVX-VNNI", false},
      {Isa::kAvx512, "avx512", "AVX-512 F, BW, VL, DQ, VNNI", false},
  };
  bool bf16 = false;
};

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers Cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

// XCR0: which register files the operating system saves.
uint64_t EnabledState() {
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

bool All(unsigned word, unsigned bits) { return (word & bits) == bits; }
#endif

Machine Detect() {
  Machine machine;
#if defined(__x86_64__)
  const Registers one = Cpuid(1, 0);
  if (!All(one.c, bit_OSXSAVE)) return machine;
  const uint64_t state = EnabledState();
  constexpr uint64_t kYmm = 0x06, kZmm = 0xe6;
  const Registers seven = Cpuid(7, 0);
  const bool avx2 = (state & kYmm) == kYmm && All(one.c, bit_AVX | bit_FMA | bit_F16C) &&
                    All(seven.b, bit_AVX2 | bit_BMI2);
  machine.levels[1].available = avx2;
  const Registers more = Cpuid(7, 1);
  constexpr unsigned kAvxVnni = 1u << 4;  // leaf 7, subleaf 1, EAX
  machine.levels[2].available = avx2 && All(more.a, kAvxVnni);
  const bool avx512 = avx2 && (state & kZmm) == kZmm &&
                      All(seven.b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ) &&
                      All(seven.c, bit_AVX512VNNI);
  machine.levels[3].available = avx512;
  constexpr unsigned kBf16 = 1u << 5;  // leaf 7, subleaf 1, EAX
  machine.bf16 = avx512 && All(more.a, kBf16);
#endif
  return machine;
}

const Machine& ThisMachine() {
  static const Machine machine = Detect();
  return machine;
}

}  // namespace

const IsaLevel* IsaLevels() { return ThisMachine().levels; }

const IsaLevel& LevelOf(Isa isa) { return IsaLevels()[static_cast<uint32_t>(isa)]; }

bool HasAvx512Bf16() { return ThisMachine().bf16; }

IsaChoice ChooseIsa(const char* name) {
  IsaChoice choice{Status::kOk, Isa::kGeneric, name != nullptr && *name != '\0', ""};
  char here[64] = "";
  size_t used = 0;
  const IsaLevel* found = nullptr;
  for (uint32_t i = 0; i < kIsaCount; ++i) {
    const IsaLevel& level = IsaLevels()[i];
    if (choice.forced && std::strcmp(level.name, name) == 0) found = &level;
    if (!level.available) continue;
    if (!choice.forced) found = &level;
    used += static_cast<size_t>(
        std::snprintf(here + used, sizeof(here) - used, "%s%s", used == 0 ? "" : ", ", level.name));
  }
  if (found == nullptr) {
    choice.status = Status::kInvalid;
    std::snprintf(choice.message, sizeof(choice.message),
                  "TENON_ISA is \"%.32s\"; this machine has %s. Leave it unset for the best one",
                  name, here);
  } else if (!found->available) {
    choice.status = Status::kUnsupported;
    std::snprintf(choice.message, sizeof(choice.message),
                  "TENON_ISA is \"%s\", which needs %s; this machine has %s. Leave it unset for "
                  "the best one",
                  found->name, found->needs, here);
  } else {
    choice.isa = found->isa;
  }
  return choice;
}

const IsaChoice& EnvironmentIsa() {
  static const IsaChoice choice = ChooseIsa(std::getenv("TENON_ISA"));
  return choice;
}

Isa ActiveIsa() { return EnvironmentIsa().isa; }

}  // namespace tenon::cpu
