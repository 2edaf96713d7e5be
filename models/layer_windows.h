// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "models/decoder_spec.h"

namespace tenon::models {

class Settings;

// What a file may say of a sliding window, in positions.
inline constexpr int32_t kMostWindow = 1 << 30;

// All layers have that window; 0: none.
void SetWindow(DecoderSpec& spec, int32_t window);

// Every `pattern`-th layer sees everything, the others have that window.
void SetWindowPattern(DecoderSpec& spec, int32_t pattern, int32_t window);

// Follows layer_types of a Hugging Face config: the layers that it calls sliding_attention have
// that window. False, and nothing done, where the config has no such list. A list that does not fit
// the layers, or that asks for windows where `window` is 0, is a problem of `in`.
bool ReadLayerTypes(Settings& in, DecoderSpec& spec, int32_t window);

// The Qwen family's rule for its configs: sliding_window counts only with use_sliding_window, and
// without layer_types only from layer max_window_layers on.
void ReadQwenWindows(Settings& in, DecoderSpec& spec);

}  // namespace tenon::models
