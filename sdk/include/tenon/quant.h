// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon {

// How a weight is stored and multiplied. Plans ops of kind kLinear: packs or converts the weights
// into memory of the device, and multiplies. Claims the stored types it can take (ClaimWeights).
class Quant : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.quant/1";

 protected:
  ~Quant() = default;
};

}  // namespace tenon
