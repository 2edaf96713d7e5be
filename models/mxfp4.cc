// SPDX-License-Identifier: Apache-2.0
#include "models/mxfp4.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "kernels/cpu/half.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kBytes = 16;     // of one block's values
constexpr size_t kQ5Bytes = 22;   // f16 d, 4 B of high bits, 16 B of nibbles
constexpr int kZero = 16;         // what q5_0 stores for 0
constexpr int kLeastPower = -24;  // of an f16
constexpr int kMostPower = 15;
constexpr int kBias = 127;

// Twice the value that a code of 4 bits stands for.
constexpr std::array<int, 16> kTwice = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

bool IsZero(const uint8_t* values) {
  for (size_t i = 0; i < kBytes; ++i) {
    if (kTwice[values[i] & 15] != 0 || kTwice[values[i] >> 4] != 0) return false;
  }
  return true;
}

// False where half of 2^(scale - 127) is no f16.
bool ToQ5(const uint8_t* values, uint8_t scale, std::byte* out) {
  const bool zero = IsZero(values);
  const int power = int{scale} - kBias - 1;
  if (!zero && (power < kLeastPower || power > kMostPower)) return false;
  const uint16_t d = cpu::F32ToF16(zero ? 0.0f : std::ldexp(1.0f, power));
  uint32_t high = 0;
  std::array<uint8_t, kBytes> low{};
  for (size_t i = 0; i < 2 * kBytes; ++i) {
    const int code = i % 2 == 0 ? values[i / 2] & 15 : values[i / 2] >> 4;
    const auto q = static_cast<uint32_t>(kTwice[static_cast<size_t>(code)] + kZero);
    high |= (q >> 4) << i;
    low[i % kBytes] |= static_cast<uint8_t>((q & 15) << (i < kBytes ? 0 : 4));
  }
  std::memcpy(out, &d, sizeof(d));
  std::memcpy(out + 2, &high, sizeof(high));
  std::memcpy(out + 6, low.data(), low.size());
  return true;
}

}  // namespace

Weight UnpackMxfp4(TensorBinder& binder, const Mxfp4Matrix& matrix, int64_t first, int64_t step,
                   int64_t count) {
  if (matrix.blocks.tensor.data == nullptr || matrix.scales.tensor.data == nullptr) return {};
  const auto blocks = static_cast<size_t>(matrix.scales.tensor.columns);
  const auto* values = static_cast<const uint8_t*>(matrix.blocks.tensor.data);
  const auto* scales = static_cast<const uint8_t*>(matrix.scales.tensor.data);
  std::vector<std::byte> out(static_cast<size_t>(count) * blocks * kQ5Bytes);
  std::byte* to = out.data();
  for (int64_t row = first; row < first + count * step; row += step) {
    const size_t begin = static_cast<size_t>(row) * blocks;
    for (size_t block = begin; block < begin + blocks; ++block, to += kQ5Bytes) {
      if (ToQ5(values + block * kBytes, scales[block], to)) continue;
      binder.Wrong(fmt::format("{} has a factor 2^{}; 2^{} to 2^{} can be read",
                               Quoted(std::string_view(matrix.scales.name)),
                               int{scales[block]} - kBias, kLeastPower + 1, kMostPower + 1));
      return {};
    }
  }
  return binder.OwnMatrix(std::string(std::string_view(matrix.blocks.name)), DType::kQ5_0, count,
                          static_cast<int64_t>(blocks) * kMxfp4Block, std::move(out));
}

}  // namespace tenon::models
