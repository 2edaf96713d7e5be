// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/sampler/sampler.h"

#include <cmath>

#include "plugins/decoding/sampler/philox.h"

namespace tenon::decoding {

FilterSampler::FilterSampler(const CreateArgs& args)
    : options_{args.options.Float("temperature"), args.options.Int("top_k"),
               args.options.Float("top_p"), args.options.Float("min_p")} {}

uint64_t FilterSampler::ScratchBytes(int32_t vocabulary) const noexcept {
  return Selection::ScratchBytes(vocabulary);
}

int32_t FilterSampler::Sample(const DecodePoint& point, Span<float> logits,
                              void* scratch) noexcept {
  const Selection selection(logits, FilterOf(*point.params), scratch);
  const uint64_t position = point.tokens.size - static_cast<uint64_t>(point.prompt_tokens);
  return selection.Pick(Philox::At(point.params->seed, position).Uniform());
}

void FilterSampler::Distribution(const DecodePoint& point, Span<float> logits,
                                 void* scratch) noexcept {
  Selection(logits, FilterOf(*point.params), scratch).Probabilities(logits);
}

Filter FilterSampler::FilterOf(const SamplingParams& params) const {
  const auto choose = [](float asked, double option) {
    return std::isnan(asked) ? option : static_cast<double>(asked);
  };
  return {choose(params.temperature, options_.temperature),
          params.top_k == SamplingParams::kUnset ? options_.top_k : params.top_k,
          choose(params.top_p, options_.top_p), choose(params.min_p, options_.min_p)};
}

}  // namespace tenon::decoding
