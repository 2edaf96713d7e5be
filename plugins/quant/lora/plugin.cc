// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/quant/lora/lora.h"

namespace {

constexpr tenon::ComponentInfo kLora = tenon::Describe<tenon::quant::LoraAdapter>(
    tenon::Family::kQuant, "lora",
    "LoRA adapters behind linears, each row its own; used where a pipeline names adapters.", 0,
    tenon::Claim(tenon::Capability::kDeviceCpu, tenon::Capability::kAdapter));

}  // namespace

TENON_PLUGIN("tenon.quant.lora", "0.1.0", "Apache-2.0", &kLora);
