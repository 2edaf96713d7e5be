// SPDX-License-Identifier: Apache-2.0
#include "models/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "fmt/format.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr double kMostTheta = 1e12;
constexpr double kMostFactor = 1e6;
constexpr int32_t kMostContext = 1 << 30;

float ScaledLlama3(const RopeSpec& spec, float frequency) {
  const float original = static_cast<float>(spec.original_context);
  const float low = static_cast<float>(spec.low_frequency);
  const float high = static_cast<float>(spec.high_frequency);
  const float factor = static_cast<float>(spec.factor);
  const float wave = static_cast<float>(2 * std::numbers::pi) / frequency;
  if (wave < original / high) return frequency;
  if (wave > original / low) return frequency / factor;
  const float smooth = (original / wave - low) / (high - low);
  return (1 - smooth) * frequency / factor + smooth * frequency;
}

// The index of the pair that turns `turns` times in the original context.
double PairThatTurns(const RopeSpec& spec, double turns) {
  return spec.rotary_dim * std::log(spec.original_context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(spec.theta));
}

void ScaleYarn(const RopeSpec& spec, std::vector<float>& table) {
  double first = PairThatTurns(spec, spec.beta_fast);
  double last = PairThatTurns(spec, spec.beta_slow);
  if (spec.whole_ramp) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, spec.rotary_dim - 1.0);
  if (first == last) last += 0.001;
  for (size_t i = 0; i < table.size(); ++i) {
    const double along = (static_cast<double>(i) - first) / (last - first);
    const double divided = std::clamp(along, 0.0, 1.0);
    table[i] = static_cast<float>(table[i] * (divided / spec.factor + (1 - divided)));
  }
}

double YarnMagnitude(double factor, double weight) {
  return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1;
}

void CheckYarn(Settings& in, const RopeSpec& spec) {
  if (!(spec.beta_fast > spec.beta_slow)) {
    in.Fail(fmt::format("YaRN's beta_fast is {}; more than beta_slow ({}) expected", spec.beta_fast,
                        spec.beta_slow));
  }
  if (!(spec.theta > 1)) {
    in.Fail(fmt::format("RoPE's theta is {}; more than 1 expected with YaRN", spec.theta));
  }
}

void ReadLlama3(Settings& in, const std::string& group, RopeSpec* out) {
  out->scaling = RopeScaling::kLlama3;
  out->low_frequency = in.Real(group + ".low_freq_factor", 1e-3, kMostFactor);
  out->high_frequency = in.Real(group + ".high_freq_factor", 1e-3, kMostFactor);
  out->original_context = in.Integer(group + ".original_max_position_embeddings", 1, kMostContext);
  if (!(out->high_frequency > out->low_frequency)) {
    in.Fail(fmt::format("{}.high_freq_factor is {}; more than low_freq_factor ({}) expected", group,
                        out->high_frequency, out->low_frequency));
  }
}

void ReadYarn(Settings& in, const std::string& group, RopeSpec* out) {
  out->scaling = RopeScaling::kYarn;
  const std::string original = group + ".original_max_position_embeddings";
  out->original_context =
      in.Integer(in.Has(original) ? original : "max_position_embeddings", 1, kMostContext);
  out->beta_fast = in.RealOr(group + ".beta_fast", out->beta_fast, 1e-3, kMostFactor);
  out->beta_slow = in.RealOr(group + ".beta_slow", out->beta_slow, 1e-3, kMostFactor);
  out->whole_ramp = in.FlagOr(group + ".truncate", true);
  CheckYarn(in, *out);
  const double weight = in.RealOr(group + ".mscale", 0, 0, kMostFactor);
  const double weight_of_all = in.RealOr(group + ".mscale_all_dim", 0, 0, kMostFactor);
  const double usual =
      weight > 0 && weight_of_all > 0
          ? YarnMagnitude(out->factor, weight) / YarnMagnitude(out->factor, weight_of_all)
          : YarnMagnitude(out->factor, 1);
  out->magnitude =
      static_cast<float>(in.RealOr(group + ".attention_factor", usual, 1e-3, kMostFactor));
  if (weight_of_all > 0) {
    out->score_magnitude = static_cast<float>(YarnMagnitude(out->factor, weight_of_all));
  }
}

// The scaling called `type`, with its numbers under `group`.
void ReadScaling(Settings& in, std::string_view type, const std::string& group, RopeSpec* out) {
  if (type == "default" || type == "none" || type == "dynamic") return;
  if (type != "linear" && type != "llama3" && type != "yarn") {
    in.Fail(fmt::format("the type of {} is {}; default, linear, dynamic, llama3 and yarn are known",
                        group, Quoted(type)));
    return;
  }
  out->factor = in.Real(group + ".factor", 1e-3, kMostFactor);
  out->scaling = RopeScaling::kLinear;
  if (type == "llama3") ReadLlama3(in, group, out);
  if (type == "yarn") ReadYarn(in, group, out);
}

void ReadGgufYarn(Settings& in, RopeSpec* out) {
  out->scaling = RopeScaling::kYarn;
  out->factor = in.Real("rope.scaling.factor", 1e-3, kMostFactor);
  const std::string original = "rope.scaling.original_context_length";
  out->original_context =
      in.Integer(in.Has(original) ? original : "context_length", 1, kMostContext);
  out->beta_fast = in.RealOr("rope.scaling.yarn_beta_fast", out->beta_fast, 1e-3, kMostFactor);
  out->beta_slow = in.RealOr("rope.scaling.yarn_beta_slow", out->beta_slow, 1e-3, kMostFactor);
  CheckYarn(in, *out);
  const double factor = in.RealOr("rope.scaling.attn_factor", 1, 1e-3, kMostFactor);
  const double multiplier = in.RealOr("rope.scaling.yarn_log_multiplier", 0, 0, kMostFactor);
  // Files of DeepSeek carry a tenth of mscale_all_dim, and mean mscale to be the same.
  const double magnitude = YarnMagnitude(out->factor, multiplier > 0 ? 10 * multiplier : 1);
  out->magnitude = static_cast<float>(multiplier > 0 ? factor : factor * magnitude);
  if (multiplier > 0) out->score_magnitude = static_cast<float>(magnitude);
}

int32_t RotaryDim(Settings& in, double fraction, int32_t head_dim) {
  const int32_t dim = static_cast<int32_t>(fraction * head_dim);
  if (dim >= 2 && dim % 2 == 0) return dim;
  in.Fail(
      fmt::format("RoPE turns {} of {} columns; an even number from 2 on expected", dim, head_dim));
  return 2;
}

}  // namespace

std::vector<float> InverseFrequencies(const RopeSpec& spec) {
  std::vector<float> out(static_cast<size_t>(spec.rotary_dim / 2));
  for (size_t i = 0; i < out.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(spec.rotary_dim);
    const float power = static_cast<float>(std::pow(spec.theta, double{exponent}));
    out[i] = 1.0f / power;
    if (spec.scaling == RopeScaling::kLinear) out[i] /= static_cast<float>(spec.factor);
    if (spec.scaling == RopeScaling::kLlama3) out[i] = ScaledLlama3(spec, out[i]);
  }
  if (spec.scaling == RopeScaling::kYarn) ScaleYarn(spec, out);
  return out;
}

RopeSpec ReadConfigRope(Settings& in, std::string_view group, int32_t head_dim,
                        double default_theta) {
  RopeSpec out;
  const std::string base(group);
  double fraction = in.RealOr("partial_rotary_factor", 1, 0, 1);
  out.theta = in.RealOr("rope_theta", default_theta, 1, kMostTheta);
  if (in.HasGroup(base)) {
    out.theta = in.RealOr(base + ".rope_theta", out.theta, 1, kMostTheta);
    fraction = in.RealOr(base + ".partial_rotary_factor", fraction, 0, 1);
    ReadScaling(in, in.TextOr(base + ".rope_type", "default"), base, &out);
  } else if (in.HasGroup("rope_scaling")) {
    const std::string_view older = in.TextOr("rope_scaling.type", "default");
    ReadScaling(in, in.TextOr("rope_scaling.rope_type", older), "rope_scaling", &out);
  }
  out.rotary_dim = RotaryDim(in, fraction, head_dim);
  return out;
}

RopeSpec ReadGgufRope(Settings& in, int32_t head_dim) {
  RopeSpec out;
  out.theta = in.RealOr("rope.freq_base", 10000, 1, kMostTheta);
  out.rotary_dim = in.IntegerOr("rope.dimension_count", head_dim, 2, head_dim);
  if (out.rotary_dim % 2 != 0) RotaryDim(in, 1, out.rotary_dim);
  const double older = in.RealOr("rope.scale_linear", 1, 1e-3, kMostFactor);
  const std::string_view type = in.TextOr("rope.scaling.type", older != 1 ? "older" : "none");
  if (type == "older") {
    out.scaling = RopeScaling::kLinear;
    out.factor = older;
  } else if (type == "linear") {
    ReadScaling(in, type, "rope.scaling", &out);
  } else if (type == "yarn") {
    ReadGgufYarn(in, &out);
  } else if (type != "none") {
    in.Fail(fmt::format("rope.scaling.type is {}; none, linear and yarn are known", Quoted(type)));
  }
  return out;
}

}  // namespace tenon::models
