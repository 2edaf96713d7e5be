// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::models {

class Settings;

// How many elements of a stored matrix share one factor beside it, where the factors come in
// blocks: Weight::scale_rows and scale_columns. 0: they do not.
struct ScaleBlock {
  int32_t rows = 0;
  int32_t columns = 0;
};

// Reads quantization_config of a Hugging Face config. Weights in 8-bit floats with factors are
// known: "fp8" (DeepSeek-V3's, weight_block_size), "fbgemm_fp8", and "compressed-tensors" in the
// format "float-quantized"; so is "mxfp4" (gpt-oss). Others are problems of `in`, by name.
ScaleBlock ReadQuantization(Settings& in);

}  // namespace tenon::models
