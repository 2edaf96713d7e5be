// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/product_levels.h"

namespace tenon::quant {

LoraProductFunction LoraProductAvx512() { return RunLoraProduct; }

}  // namespace tenon::quant
