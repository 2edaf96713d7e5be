// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/quality.h"

#include <algorithm>
#include <string>

namespace tenon::apps {
namespace {

// Scores `ids` on one arm; `visit` gets each position's logits.
Result<double> Score(Session& session, const std::vector<int32_t>& ids,
                     std::function<void(int32_t, Span<const float>)> visit,
                     const volatile bool* stop) {
  core::Request request;
  request.prompt = ids;
  request.max_tokens = 0;
  double nll = 0;
  std::string problem;
  request.on_prompt_logprobs = [&](Span<const float> logprobs) {
    for (const float logprob : logprobs) nll -= double{logprob};
  };
  request.on_prompt_logits = std::move(visit);
  request.on_event = [&](const core::TokenEvent& event) { problem = event.error; };
  auto submitted = session.engine().Submit(std::move(request));
  TENON_RETURN_IF_ERROR(submitted);
  session.engine().RunUntilIdle(stop);
  if (stop != nullptr && *stop) return Error{Status::kCancelled, "interrupted"};
  if (!problem.empty()) return Error{Status::kInternal, problem};
  return nll;
}

}  // namespace

std::optional<Divergence> FirstDifference(int32_t prompt, const Trial& a, const Trial& b) {
  const size_t common = std::min(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < common; ++i) {
    if (a.tokens[i] == b.tokens[i]) continue;
    Divergence out{prompt, static_cast<int32_t>(i), a.tokens[i], b.tokens[i], std::nullopt};
    if (i >= a.top.size() || a.top[i].empty()) return out;
    for (const core::TokenLogprob& choice : a.top[i]) {
      if (choice.id == b.tokens[i]) out.gap = double{a.top[i][0].logprob} - choice.logprob;
    }
    return out;
  }
  return std::nullopt;
}

Result<ForcedText> CompareForced(Session& a, Session& b, const std::vector<int32_t>& ids,
                                 const volatile bool* stop) {
  ForcedText out;
  std::vector<std::vector<float>> kept(ids.size());
  auto nll_a = Score(
      a, ids,
      [&](int32_t predicted, Span<const float> logits) {
        kept[static_cast<size_t>(predicted)].assign(logits.begin(), logits.end());
      },
      stop);
  TENON_RETURN_IF_ERROR(nll_a);
  const auto compare = [&](int32_t predicted, Span<const float> logits) {
    const std::vector<float>& mine = kept[static_cast<size_t>(predicted)];
    if (mine.size() != logits.size) return;
    const double kl = KlDivergence(mine.data(), logits.data, static_cast<int64_t>(logits.size));
    out.kl += kl;
    out.largest_kl = std::max(out.largest_kl, kl);
    const auto best = [](auto begin, auto end) { return std::max_element(begin, end) - begin; };
    out.same_top += best(mine.begin(), mine.end()) == best(logits.begin(), logits.end()) ? 1 : 0;
    ++out.positions;
  };
  auto nll_b = Score(b, ids, compare, stop);
  TENON_RETURN_IF_ERROR(nll_b);
  out.nll_a = *nll_a;
  out.nll_b = *nll_b;
  return out;
}

}  // namespace tenon::apps
