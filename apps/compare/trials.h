// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "apps/compare/workload.h"
#include "tenon/result.h"

namespace tenon::apps {

// One request run alone on one arm.
struct Trial {
  double first_token_s = 0;  // submission to first token (TTFT)
  double per_token_s = 0;    // between the first token and the last, a token (TPOT)
  double total_s = 0;
  std::vector<int32_t> tokens;
  std::vector<std::vector<core::TokenLogprob>> top;  // of each token, where asked for
};

// Greedy, exactly max_tokens tokens, whatever ends of text come. `top` log-probabilities a token;
// 0: none. Fails on interruption (`stop`), or where the engine does.
Result<Trial> RunAlone(Session& session, const WorkItem& item, int32_t top,
                       const volatile bool* stop);

// Output tokens a second with `concurrency` requests in flight from the first to the last of
// `items`.
Result<double> RunTogether(Session& session, const std::vector<WorkItem>& items,
                           int32_t concurrency, const volatile bool* stop);

// Seconds by component since timing was reset.
std::map<std::string, double> SecondsByPlugin(const core::Program& program);

}  // namespace tenon::apps
