// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "nlohmann/json.hpp"

namespace tenon::testing {
namespace {

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) ADD_FAILURE() << path << " cannot be read";
  return text.str();
}

std::string DataPath(const std::string& file) {
  return file.front() == '/' ? file : std::string(TENON_SOURCE_DIR "/tests/data/golden/") + file;
}

}  // namespace

std::vector<GoldenCase> ReadGolden(const std::string& file) {
  std::vector<GoldenCase> cases;
  const nlohmann::json document = nlohmann::json::parse(Slurp(DataPath(file)));
  for (const auto& entry : document["cases"]) {
    GoldenCase one;
    one.prompt = entry.value("prompt", "");
    one.ids = entry["ids"].get<std::vector<int32_t>>();
    one.greedy = entry["greedy"].get<std::vector<int32_t>>();
    one.gap = entry["gap"].get<std::vector<double>>();
    for (const auto& step : entry.value("top", nlohmann::json::array())) {
      one.top.push_back({step["ids"], step["logprobs"]});
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

std::unique_ptr<apps::Session> Open(const std::string& config, std::vector<std::string> overrides) {
  apps::SessionOptions options;
  options.pipeline = TENON_SOURCE_DIR "/configs/" + config;
  options.overrides = std::move(overrides);
  auto session = apps::Session::Open(options);
  if (!session.ok()) {
    ADD_FAILURE() << config << ": " << session.error().message;
    return nullptr;
  }
  return std::move(*session);
}

std::vector<Output> Continue(apps::Session& session, const std::vector<GoldenCase>& cases,
                             bool together) {
  std::vector<Output> outputs(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    core::Request request;
    request.prompt = cases[i].ids;
    request.max_tokens = static_cast<int32_t>(cases[i].greedy.size());
    request.sampling.temperature = 0;
    request.logprobs = 8;
    request.on_event = [&output = outputs[i]](const core::TokenEvent& event) {
      if (event.token < 0) return;
      if (output.tokens.empty()) output.first_top.assign(event.top.begin(), event.top.end());
      output.tokens.push_back(event.token);
    };
    const auto submitted = session.engine().Submit(std::move(request));
    EXPECT_TRUE(submitted.ok()) << (submitted.ok() ? "" : submitted.error().message);
    if (!together) session.engine().RunUntilIdle();
  }
  session.engine().RunUntilIdle();
  return outputs;
}

void ExpectFollows(const std::vector<GoldenCase>& cases, const std::vector<Output>& outputs,
                   double tolerance) {
  for (size_t i = 0; i < cases.size(); ++i) {
    const GoldenCase& wanted = cases[i];
    SCOPED_TRACE("case " + std::to_string(i) + ": " + wanted.prompt.substr(0, 40));
    ASSERT_EQ(outputs[i].tokens.size(), wanted.greedy.size());
    for (size_t step = 0; step < wanted.greedy.size() && wanted.gap[step] >= 0.01; ++step) {
      ASSERT_EQ(outputs[i].tokens[step], wanted.greedy[step])
          << "step " << step << ", gap " << wanted.gap[step];
    }
    if (wanted.top.empty()) continue;
    const GoldenStep& first = wanted.top.front();
    ASSERT_EQ(outputs[i].first_top.size(), first.ids.size());
    for (size_t k = 0; k < first.ids.size(); ++k) {
      // Neighbours in rank may change places within the tolerance: look the id up.
      for (const core::TokenLogprob& got : outputs[i].first_top) {
        if (got.id == first.ids[k]) {
          EXPECT_NEAR(got.logprob, first.logprobs[k], tolerance) << "rank " << k;
        }
      }
      EXPECT_NEAR(outputs[i].first_top[k].logprob, first.logprobs[k], tolerance) << "rank " << k;
    }
  }
}

std::vector<double> WindowNll(apps::Session& session, size_t windows) {
  constexpr size_t kWindow = 512;
  const auto ids = session.tokenizer()->Encode(Slurp(DataPath("wikitext2-head.txt")));
  std::vector<double> nll(windows, NAN);
  if (!ids.ok() || ids->size() < windows * kWindow) {
    ADD_FAILURE() << "the text has too few tokens";
    return nll;
  }
  for (size_t i = 0; i < windows; ++i) {
    core::Request request;
    const auto begin = ids->begin() + static_cast<std::ptrdiff_t>(i * kWindow);
    request.prompt.assign(begin, begin + kWindow);
    request.max_tokens = 0;
    request.on_prompt_logprobs = [&nll, i](Span<const float> logprobs) {
      nll[i] = -std::accumulate(logprobs.begin(), logprobs.end(), 0.0) /
               static_cast<double>(logprobs.size);
    };
    const auto submitted = session.engine().Submit(std::move(request));
    EXPECT_TRUE(submitted.ok());
    session.engine().RunUntilIdle();
  }
  return nll;
}

}  // namespace tenon::testing
