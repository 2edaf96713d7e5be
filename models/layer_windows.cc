// SPDX-License-Identifier: Apache-2.0
#include "models/layer_windows.h"

#include <string>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int32_t kQwenWindow = 4096;
constexpr int32_t kQwenWindowLayers = 28;

}  // namespace

void SetWindow(DecoderSpec& spec, int32_t window) {
  for (DecoderLayer& layer : spec.layers) layer.window = window;
}

void SetWindowPattern(DecoderSpec& spec, int32_t pattern, int32_t window) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].window = (i + 1) % static_cast<size_t>(pattern) != 0 ? window : 0;
  }
}

bool ReadLayerTypes(Settings& in, DecoderSpec& spec, int32_t window) {
  const int64_t listed = in.ListSize("layer_types");
  if (listed < 0) return false;
  if (listed != static_cast<int64_t>(spec.layers.size())) {
    in.Fail(fmt::format("layer_types has {} entries; {} expected", listed, spec.layers.size()));
    return true;
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const std::string key = fmt::format("layer_types.{}", i);
    const std::string_view type = in.TextOr(key, "");
    const bool sliding = type == "sliding_attention";
    if (!sliding && type != "full_attention") {
      in.Fail(
          fmt::format("{} is {}; sliding_attention or full_attention expected", key, Quoted(type)));
      return true;
    }
    if (sliding && window == 0) {
      in.Fail(fmt::format("{} is {}, but no sliding_window is in use; full_attention expected", key,
                          Quoted(type)));
      return true;
    }
    spec.layers[i].window = sliding ? window : 0;
  }
  return true;
}

void ReadQwenWindows(Settings& in, DecoderSpec& spec) {
  int32_t window = 0;
  if (in.FlagOr("use_sliding_window", false) && !in.IsNull("sliding_window")) {
    window = in.IntegerOr("sliding_window", kQwenWindow, 1, kMostWindow);
  }
  if (ReadLayerTypes(in, spec, window)) return;
  const int32_t first = in.IntegerOr("max_window_layers", kQwenWindowLayers, 0, 1 << 16);
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].window = i >= static_cast<size_t>(first) ? window : 0;
  }
}

}  // namespace tenon::models
