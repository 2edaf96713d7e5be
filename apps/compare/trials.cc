// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/trials.h"

#include <algorithm>
#include <chrono>

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

core::Request RequestOf(const WorkItem& item) {
  core::Request request;
  request.prompt = item.prompt;
  request.max_tokens = item.max_tokens;
  request.sampling.temperature = 0;
  return request;
}

Error Interrupted() { return {Status::kCancelled, "interrupted"}; }

}  // namespace

Result<Trial> RunAlone(Session& session, const WorkItem& item, int32_t top,
                       const volatile bool* stop) {
  Trial trial;
  trial.tokens.reserve(static_cast<size_t>(item.max_tokens));
  std::string problem;
  core::Request request = RequestOf(item);
  if (top > 0) request.logprobs = top;
  Clock::time_point start;
  double last = 0;
  request.on_event = [&](const core::TokenEvent& event) {
    if (event.finish == core::FinishReason::kError) problem = event.error;
    if (event.token < 0) return;
    last = SecondsSince(start);
    if (trial.tokens.empty()) trial.first_token_s = last;
    trial.tokens.push_back(event.token);
    if (top > 0) trial.top.emplace_back(event.top.begin(), event.top.end());
  };
  start = Clock::now();
  auto submitted = session.engine().Submit(std::move(request));
  TENON_RETURN_IF_ERROR(submitted);
  session.engine().RunUntilIdle(stop);
  trial.total_s = SecondsSince(start);
  if (stop != nullptr && *stop) return Interrupted();
  if (!problem.empty()) return Error{Status::kInternal, problem};
  const auto more = static_cast<double>(trial.tokens.size()) - 1;
  trial.per_token_s = more > 0 ? (last - trial.first_token_s) / more : 0;
  return trial;
}

Result<double> RunTogether(Session& session, const std::vector<WorkItem>& items,
                           int32_t concurrency, const volatile bool* stop) {
  core::Engine& engine = session.engine();
  size_t next = 0;
  int32_t running = 0;
  int64_t tokens = 0;
  std::string problem;
  const Clock::time_point start = Clock::now();
  while (next < items.size() || running > 0) {
    for (; running < concurrency && next < items.size(); ++next, ++running) {
      core::Request request = RequestOf(items[next]);
      request.on_event = [&](const core::TokenEvent& event) {
        if (event.token >= 0) ++tokens;
        if (event.finish == core::FinishReason::kError) problem = event.error;
        if (event.finish != core::FinishReason::kNone) --running;
      };
      auto submitted = engine.Submit(std::move(request));
      TENON_RETURN_IF_ERROR(submitted);
    }
    engine.Step();
    if (stop != nullptr && *stop) {
      engine.RunUntilIdle(stop);
      return Interrupted();
    }
    if (!problem.empty()) return Error{Status::kInternal, problem};
  }
  return static_cast<double>(tokens) / std::max(SecondsSince(start), 1e-9);
}

std::map<std::string, double> SecondsByPlugin(const core::Program& program) {
  std::map<std::string, double> out;
  for (size_t i = 0; i < program.Steps().size(); ++i) {
    out[program.Steps()[i].component] += static_cast<double>(program.Nanoseconds()[i]) * 1e-9;
  }
  return out;
}

}  // namespace tenon::apps
