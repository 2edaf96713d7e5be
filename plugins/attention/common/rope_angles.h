// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cpu/rope.h"
#include "tenon/device.h"
#include "tenon/ops.h"

namespace tenon::attention {

// Cosines and sines by position, kept for each lane apart: lanes need no meeting for them. A lane
// keeps the last that it met of every 512 positions, which all layers of a step find there.
class RopeAngles {
 public:
  RopeAngles(std::span<const float> inverse_frequency, float magnitude, Device* device);
  ~RopeAngles();
  RopeAngles(const RopeAngles&) = delete;
  RopeAngles& operator=(const RopeAngles&) = delete;

  // For steps of up to max_tokens tokens; adds to *bytes what it took. kOutOfMemory if there is
  // none; then it can be asked again.
  Status Reserve(int32_t max_tokens, uint64_t* bytes);
  bool Serves(std::span<const float> inverse_frequency, float magnitude) const;
  int64_t pairs() const { return static_cast<int64_t>(inverse_frequency_.size()); }

  // [pairs] cosines; the sines follow. Thread: the lane's.
  const float* At(const cpu::RopeFunctions& rope, int32_t lane, int32_t position) const noexcept;

 private:
  const std::vector<float> inverse_frequency_;
  const float magnitude_;
  Device* const device_;
  int64_t entries_ = 0;       // of a lane; a power of two
  uint64_t* tags_ = nullptr;  // [lanes, entries]
  float* values_ = nullptr;   // [lanes, entries, 2, pairs]
};

// How an op turns its q and k; `angles` null: not at all.
struct Rotation {
  const cpu::RopeFunctions* functions = nullptr;
  cpu::RopeFunctions::Rotate rotate = nullptr;
  const RopeAngles* angles = nullptr;

  // Turns x [heads, head_dim] in place.
  void Turn(float* x, int32_t heads, int32_t head_dim, int32_t lane, int32_t position) const {
    const float* cosines = angles->At(*functions, lane, position);
    rotate(x, heads, head_dim, angles->pairs(), cosines, cosines + angles->pairs());
  }
};

// The rotations of one component's ops. Thread: the host's, while nothing runs.
class Rotations {
 public:
  // kOutOfMemory; adds to *bytes what it took now.
  Status Get(const RopeParams& params, std::span<const float> inverse_frequency, cpu::Isa isa,
             Device* device, int32_t max_tokens, Rotation* out, uint64_t* bytes);

 private:
  std::vector<std::unique_ptr<RopeAngles>> angles_;
};

}  // namespace tenon::attention
