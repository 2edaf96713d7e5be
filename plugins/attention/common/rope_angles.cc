// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/rope_angles.h"

#include <algorithm>

namespace tenon::attention {
namespace {

constexpr int64_t kMostEntries = 512;
constexpr int64_t kLineFloats = 16;

int64_t ValueFloats(int64_t pairs) {
  return (2 * pairs + kLineFloats - 1) / kLineFloats * kLineFloats;
}

}  // namespace

RopeAngles::RopeAngles(std::span<const float> inverse_frequency, float magnitude, Device* device)
    : inverse_frequency_(inverse_frequency.begin(), inverse_frequency.end()),
      magnitude_(magnitude),
      device_(device) {}

RopeAngles::~RopeAngles() {
  device_->Free(tags_);
  device_->Free(values_);
}

Status RopeAngles::Reserve(int32_t max_tokens, uint64_t* bytes) {
  int64_t entries = 8;  // a line of tags, so that lanes do not share one
  while (entries < kMostEntries && entries < max_tokens) entries *= 2;
  if (entries <= entries_) return Status::kOk;
  const uint64_t all =
      static_cast<uint64_t>(entries) * static_cast<uint64_t>(std::max(1, device_->Info().lanes));
  const uint64_t tag_bytes = sizeof(uint64_t) * all;
  const uint64_t value_bytes = sizeof(float) * static_cast<uint64_t>(ValueFloats(pairs())) * all;
  uint64_t* tags = static_cast<uint64_t*>(device_->Allocate(tag_bytes));
  float* values = static_cast<float*>(device_->Allocate(value_bytes));
  if (tags == nullptr || values == nullptr) {
    device_->Free(tags);
    device_->Free(values);
    return Status::kOutOfMemory;
  }
  std::fill_n(tags, all, uint64_t{0});
  device_->Free(tags_);
  device_->Free(values_);
  tags_ = tags;
  values_ = values;
  entries_ = entries;
  *bytes += tag_bytes + value_bytes;
  return Status::kOk;
}

bool RopeAngles::Serves(std::span<const float> inverse_frequency, float magnitude) const {
  return magnitude == magnitude_ &&
         std::equal(inverse_frequency.begin(), inverse_frequency.end(), inverse_frequency_.begin(),
                    inverse_frequency_.end());
}

const float* RopeAngles::At(const cpu::RopeFunctions& rope, int32_t lane,
                            int32_t position) const noexcept {
  constexpr uint64_t kFilled = uint64_t{1} << 32;
  const int64_t entry = lane * entries_ + (static_cast<uint32_t>(position) & (entries_ - 1));
  const uint64_t tag = kFilled | static_cast<uint32_t>(position);
  float* cosines = values_ + entry * ValueFloats(pairs());
  if (tags_[entry] != tag) {
    rope.angles(inverse_frequency_.data(), pairs(), position, magnitude_, cosines,
                cosines + pairs());
    tags_[entry] = tag;
  }
  return cosines;
}

Status Rotations::Get(const RopeParams& params, std::span<const float> inverse_frequency,
                      cpu::Isa isa, Device* device, int32_t max_tokens, Rotation* out,
                      uint64_t* bytes) {
  RopeAngles* found = nullptr;
  for (const auto& angles : angles_) {
    if (angles->Serves(inverse_frequency, params.magnitude)) found = angles.get();
  }
  if (found == nullptr) {
    angles_.push_back(std::make_unique<RopeAngles>(inverse_frequency, params.magnitude, device));
    found = angles_.back().get();
  }
  if (Status s = found->Reserve(max_tokens, bytes); s != Status::kOk) return s;
  const cpu::RopeFunctions& functions = cpu::RopeOf(isa);
  const bool halves = params.pairs == RopePairs::kHalves;
  *out = {&functions, halves ? functions.halves : functions.neighbours, found};
  return Status::kOk;
}

}  // namespace tenon::attention
