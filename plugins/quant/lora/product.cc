// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/product.h"

#include "plugins/quant/lora/product_levels.h"

namespace tenon::quant {

LoraProductFunction LoraProductGeneric() { return RunLoraProduct; }

LoraProductFunction LoraProductOf(cpu::Isa isa) {
  switch (isa) {
    case cpu::Isa::kAvx512:
      return LoraProductAvx512();
    case cpu::Isa::kAvx2Vnni:
    case cpu::Isa::kAvx2:
      return LoraProductAvx2();
    case cpu::Isa::kGeneric:
      break;
  }
  return LoraProductGeneric();
}

}  // namespace tenon::quant
