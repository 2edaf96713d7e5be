// SPDX-License-Identifier: Apache-2.0
#include "models/quantization.h"

#include <string_view>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr const char* kGroup = "quantization_config";
constexpr const char* kMethod = "quantization_config.quant_method";
constexpr const char* kFormat = "quantization_config.format";
constexpr const char* kBlock = "quantization_config.weight_block_size";
constexpr int32_t kMostBlock = 1 << 20;

ScaleBlock ReadBlock(Settings& in) {
  if (!in.Has(kBlock)) return {};
  if (in.ListSize(kBlock) != 2) {
    in.Fail(fmt::format("{} is no list of two integers: rows and columns of a block", kBlock));
    return {};
  }
  return {in.Integer(fmt::format("{}.0", kBlock), 1, kMostBlock),
          in.Integer(fmt::format("{}.1", kBlock), 1, kMostBlock)};
}

}  // namespace

ScaleBlock ReadQuantization(Settings& in) {
  if (!in.HasGroup(kGroup)) return {};
  const std::string_view method = in.TextOr(kMethod, "");
  if (method == "fp8") return ReadBlock(in);
  if (method == "fbgemm_fp8" || method == "mxfp4") return {};
  if (method != "compressed-tensors") {
    in.Fail(
        fmt::format("{} is {}; fp8, fbgemm_fp8, mxfp4 and compressed-tensors "
                    "(float-quantized) can be read; take the original model, or a GGUF file of it",
                    kMethod, Quoted(method)));
  } else if (const std::string_view format = in.TextOr(kFormat, ""); format != "float-quantized") {
    in.Fail(fmt::format("{} is {}; float-quantized can be read", kFormat, Quoted(format)));
  }
  return {};
}

}  // namespace tenon::models
