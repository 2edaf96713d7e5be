// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/sampler/selection.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "kernels/cpu/maxima.h"
#include "plugins/decoding/common/arg_max.h"

namespace tenon::decoding {
namespace {

// Tokens a block. Its maximum says whether a pass has to look into it at all.
constexpr int64_t kBlock = cpu::kMaximaBlock;
// Blocks of which a maximum of their own is taken.
constexpr int64_t kGroup = 16;
constexpr int64_t kAllTies = INT64_MAX;

// Fewer than four, the rest filled up with -infinity.
Float4 LoadPart(const float* x, int64_t count) {
  float part[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  std::copy_n(x, count, part);
  return Load4(part);
}

constexpr uint64_t Aligned(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

// Least and most of `count` finite values. REQUIRES: count > 0.
std::pair<float, float> Bounds(const float* x, int64_t count) {
  float least[8], most[8];
  for (int j = 0; j < 8; ++j) least[j] = most[j] = x[0];
  for (int64_t i = 0; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) {
      least[j] = x[i + j] < least[j] ? x[i + j] : least[j];
      most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
    }
  }
  for (int64_t i = count - count % 8; i < count; ++i) {
    least[0] = std::min(least[0], x[i]);
    most[0] = std::max(most[0], x[i]);
  }
  return {*std::min_element(least, least + 8), *std::max_element(most, most + 8)};
}

// Moves the values above `pivot` to the front; returns how many. Without a branch to mispredict.
int64_t MoveAboveFirst(float* x, int64_t count, float pivot) {
  int64_t above = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float value = x[i];
    x[i] = x[above];
    x[above] = value;
    above += value > pivot;
  }
  return above;
}

}  // namespace

uint64_t Selection::ScratchBytes(int64_t vocabulary) {
  const uint64_t tokens = static_cast<uint64_t>(std::max<int64_t>(vocabulary, 0));
  const uint64_t blocks = (tokens + kBlock - 1) / kBlock;
  return Aligned(blocks * sizeof(double)) + Aligned(blocks * sizeof(float)) +
         Aligned(tokens * sizeof(float));
}

Selection::Selection(Span<const float> logits, const Filter& filter, void* scratch)
    : logits_(logits), temperature_(std::min(filter.temperature, 1e6)), cut_{-INFINITY, 0} {
  char* bytes = static_cast<char*>(scratch);
  block_mass_ = reinterpret_cast<double*>(bytes);
  bytes += Aligned(static_cast<uint64_t>(Blocks()) * sizeof(double));
  block_max_ = reinterpret_cast<float*>(bytes);
  bytes += Aligned(static_cast<uint64_t>(Blocks()) * sizeof(float));
  values_ = reinterpret_cast<float*>(bytes);

  if (!(temperature_ > 1e-6) || filter.top_k == 1) {
    certain_ = true;
    arg_max_ = ArgMax(logits_);
    return;
  }
  cpu::BlockMaxima(cpu::ActiveIsa(), logits_.data, static_cast<int64_t>(logits_.size), block_max_);
  max_ = MaxOf(block_max_, Blocks());
  if (std::isinf(max_)) {
    certain_ = true;
    arg_max_ = ArgMax(logits_);
    return;
  }
  inverse_temperature_ = static_cast<float>(1 / temperature_);
  if (filter.top_k > 0 && static_cast<uint64_t>(filter.top_k) < logits_.size) TopK(filter.top_k);
  if (filter.top_p < 1) TopP(filter.top_p);
  if (filter.min_p > 0) MinP(filter.min_p);
  FindLastTie();
  AddUp();
}

int64_t Selection::Blocks() const {
  return (static_cast<int64_t>(logits_.size) + kBlock - 1) / kBlock;
}

int64_t Selection::BlockEnd(int64_t block) const {
  return std::min((block + 1) * kBlock, static_cast<int64_t>(logits_.size));
}

// Copies the logits that are at least `floor` and above -infinity.
int64_t Selection::GatherAbove(float floor, float* to) const {
  int64_t count = 0;
  for (int64_t b = 0; b < Blocks(); ++b) {
    if (!(block_max_[b] >= floor)) continue;
    for (int64_t i = b * kBlock; i < BlockEnd(b); ++i) {
      to[count] = logits_[i];
      count += logits_[i] >= floor && logits_[i] > -INFINITY;
    }
  }
  return count;
}

double Selection::WeightsOf(const float* values, int64_t count) const {
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t size = std::min(kBlock, count - begin);
    Float4 lanes = Fill4(0);
    int64_t i = 0;
    for (; i + 4 <= size; i += 4) lanes += Weight4(Load4(values + begin + i));
    if (i < size) lanes += Weight4(LoadPart(values + begin + i, size - i));
    sum += lanes[0] + lanes[1] + lanes[2] + lanes[3];
  }
  return sum;
}

Float4 Selection::Weight4(Float4 x) const { return Exp4((x - max_) * inverse_temperature_); }

Float4 Selection::PassingWeight4(Float4 x, int32_t first_token) const {
  const Int4 token = first_token + Int4{0, 1, 2, 3};
  const Int4 passes = (x > cut_.value) | ((x == cut_.value) & (token <= last_tie_));
  return Where(passes, Weight4(x));
}

float Selection::WeightAt(int32_t token) const {
  return PassingWeight4(Fill4(logits_.data[token]), token)[0];
}

// Puts at least the k largest of the blocks' maxima into values_; returns how many. Of groups of
// blocks first, since most of them hold none. REQUIRES: k < Blocks().
int64_t Selection::LargestBlocks(int64_t k) {
  const int64_t groups = Blocks() / kGroup;
  float floor = -INFINITY;
  if (k <= groups) {
    for (int64_t g = 0; g < groups; ++g) values_[g] = MaxOf(block_max_ + g * kGroup, kGroup);
    std::nth_element(values_, values_ + k - 1, values_ + groups, std::greater<>());
    floor = values_[k - 1];
  }
  int64_t count = 0;
  for (int64_t b = 0; b < Blocks(); ++b) {
    values_[count] = block_max_[b];
    count += block_max_[b] >= floor;
  }
  return count;
}

void Selection::TopK(int64_t k) {
  float floor = -INFINITY;
  if (k < Blocks()) {
    // k blocks have a maximum of at least the k-th largest one, hence so many tokens are above it.
    const int64_t found = LargestBlocks(k);
    std::nth_element(values_, values_ + k - 1, values_ + found, std::greater<>());
    floor = values_[k - 1];
  }
  const int64_t found = GatherAbove(floor, values_);
  value_count_ = std::min(found, k);
  if (found <= k) {
    if (floor > -INFINITY) cut_ = {floor, kAllTies};
    return;
  }
  std::nth_element(values_, values_ + k - 1, values_ + found, std::greater<>());
  const float kth = values_[k - 1];
  const int64_t above = std::count_if(values_, values_ + k, [=](float x) { return x > kth; });
  cut_ = {kth, k - above};
}

void Selection::TopP(double p) {
  if (value_count_ >= 0) {
    cut_ = CutByMass(value_count_, p * WeightsOf(values_, value_count_));
    return;
  }
  AddUp();
  const double target = p * total_;
  // Most of the mass is near the maximum as a rule: look there first.
  for (const double depth : {3.0, 6.0, 12.0, 24.0}) {
    const float floor = static_cast<float>(max_ - depth * temperature_);
    const int64_t count = GatherAbove(floor, values_);
    if (WeightsOf(values_, count) < target) continue;
    cut_ = CutByMass(count, target);
    return;
  }
  // Below that a weight is 0.
  const float floor = static_cast<float>(max_ - 88 * temperature_);
  cut_ = CutByMass(GatherAbove(floor, values_), target);
}

void Selection::MinP(double p) {
  const float floor = static_cast<float>(max_ + temperature_ * std::log(std::min(p, 1.0)));
  if (floor > cut_.value) cut_ = {floor, kAllTies};
}

// The cut that leaves the fewest largest of values_[0 … count) whose weights reach `target`, at
// least one. Narrows the range of values in which the sum crosses, so the whole costs a few passes.
Selection::Cut Selection::CutByMass(int64_t count, double target) {
  int64_t low = 0, high = count;
  double above = 0;  // weight of values_[0 … low), all larger than the rest
  while (high - low > 64) {
    const auto [least, most] = Bounds(values_ + low, high - low);
    if (least == most) break;
    const float half = least + (most - least) / 2;
    const int64_t middle =
        low + MoveAboveFirst(values_ + low, high - low, half < most ? half : least);
    const double mass = WeightsOf(values_ + low, middle - low);
    if (above + mass >= target) {
      high = middle;
    } else {
      above += mass;
      low = middle;
    }
  }
  if (high - low <= 64) std::sort(values_ + low, values_ + high, std::greater<>());
  int64_t kept = low;
  do {
    above += WeightsOf(values_ + kept, 1);
    ++kept;
  } while (kept < high && above < target);
  const float last = values_[kept - 1];
  const int64_t larger = std::count_if(values_, values_ + kept, [=](float x) { return x > last; });
  return {last, kept - larger};
}

void Selection::FindLastTie() {
  if (cut_.ties == kAllTies) last_tie_ = static_cast<int32_t>(logits_.size);
  if (cut_.ties == kAllTies || cut_.ties == 0) return;
  int64_t left = cut_.ties;
  for (int64_t b = 0; b < Blocks(); ++b) {
    if (!(block_max_[b] >= cut_.value)) continue;
    for (int64_t i = b * kBlock; i < BlockEnd(b); ++i) {
      if (logits_[i] != cut_.value) continue;
      last_tie_ = static_cast<int32_t>(i);
      if (--left == 0) return;
    }
  }
}

void Selection::AddUp() {
  total_ = 0;
  for (int64_t b = 0; b < Blocks(); ++b) {
    block_mass_[b] = 0;
    if (!(block_max_[b] >= cut_.value)) continue;
    Float4 lanes = Fill4(0);
    const int32_t end = static_cast<int32_t>(BlockEnd(b));
    int32_t i = static_cast<int32_t>(b * kBlock);
    for (; i + 4 <= end; i += 4) lanes += PassingWeight4(Load4(logits_.data + i), i);
    if (i < end) lanes += PassingWeight4(LoadPart(logits_.data + i, end - i), i);
    block_mass_[b] = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    total_ += block_mass_[b];
  }
}

int32_t Selection::Pick(double u) const {
  if (certain_) return arg_max_;
  const double target = u * total_;
  double sum = 0;
  int64_t block = -1;  // the last with any weight, should rounding carry the target past the end
  for (int64_t b = 0; b < Blocks(); ++b) {
    if (block_mass_[b] <= 0) continue;
    block = b;
    if (sum + block_mass_[b] > target) break;
    sum += block_mass_[b];
  }
  int64_t token = block * kBlock;
  for (int64_t i = block * kBlock; i < BlockEnd(block); ++i) {
    const float weight = WeightAt(static_cast<int32_t>(i));
    if (weight <= 0) continue;
    token = i;
    sum += weight;
    if (sum > target) break;
  }
  return static_cast<int32_t>(token);
}

void Selection::Probabilities(Span<float> out) const {
  const int64_t count = static_cast<int64_t>(logits_.size);
  if (certain_) {
    std::fill(out.begin(), out.end(), 0.0f);
    if (count > 0) out[arg_max_] = 1;
    return;
  }
  for (int32_t i = 0; i < count; ++i) out[i] = static_cast<float>(WeightAt(i) / total_);
}

}  // namespace tenon::decoding
