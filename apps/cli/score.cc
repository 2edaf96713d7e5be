// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "apps/cli/command.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMaxTextBytes = size_t{256} << 20;
// Rows of logits a step: enough to keep the products large, few enough for large vocabularies.
constexpr int32_t kScoreRows = 128;

struct ScoreArguments {
  SessionOptions session;
  std::string text_file;
  int32_t window = 512;
  int32_t windows = 16;
  std::string adapter;
  bool json = false;
};

// Sum of the negative log-likelihoods of the window's tokens but the first.
Result<double> ScoreWindow(Session& session, std::vector<int32_t> ids, int32_t adapter,
                           const InterruptGuard& interrupt) {
  core::Request request;
  request.prompt = std::move(ids);
  request.max_tokens = 0;
  request.adapter = adapter;
  double nll = NAN;
  std::string problem;
  request.on_prompt_logprobs = [&](Span<const float> logprobs) {
    nll = -std::accumulate(logprobs.begin(), logprobs.end(), 0.0);
  };
  request.on_event = [&](const core::TokenEvent& event) { problem = event.error; };
  auto submitted = session.engine().Submit(std::move(request));
  TENON_RETURN_IF_ERROR(submitted);
  session.engine().RunUntilIdle(interrupt.Flag());
  if (interrupt.Interrupted()) return Error{Status::kCancelled, "interrupted"};
  if (!problem.empty()) return Error{Status::kInternal, problem};
  return nll;
}

int Score(const ScoreArguments& arguments) {
  auto text = ReadFile(arguments.text_file, kMaxTextBytes);
  if (!text.ok()) return Report(text.error());
  SessionOptions options = arguments.session;
  options.logit_rows = kScoreRows;
  options.prefix_cache = false;
  auto opened = Session::Open(options);
  if (!opened.ok()) return Report(opened.error());
  Session& session = **opened;
  if (session.tokenizer() == nullptr) {
    return Report({Status::kUnsupported,
                   "the model has no usable tokenizer: " + session.model().tokenizer_problem});
  }
  const auto adapter = AdapterNumber(session, arguments.adapter);
  if (!adapter.ok()) return Report(adapter.error());
  auto ids = session.tokenizer()->Encode(*text, {});
  if (!ids.ok()) return Report(ids.error());
  const auto window = static_cast<size_t>(arguments.window);
  const size_t windows = std::min(static_cast<size_t>(arguments.windows), ids->size() / window);
  if (windows == 0) {
    return Report({Status::kInvalid, fmt::format("{} has {} tokens, less than one window of {}",
                                                 arguments.text_file, ids->size(), window)});
  }
  const InterruptGuard interrupt;
  std::vector<double> chunk_nll;
  double sum = 0;
  for (size_t i = 0; i < windows; ++i) {
    const auto begin = ids->begin() + static_cast<std::ptrdiff_t>(i * window);
    auto nll = ScoreWindow(session, {begin, begin + static_cast<std::ptrdiff_t>(window)}, *adapter,
                           interrupt);
    if (!nll.ok()) return Report(nll.error());
    sum += *nll;
    chunk_nll.push_back(*nll / static_cast<double>(window - 1));
    if (arguments.session.progress) {
      fmt::print(stderr, "\rscored {} of {} windows{}", i + 1, windows,
                 i + 1 == windows ? "\n" : "");
    }
  }
  const double nll = sum / static_cast<double>(windows * (window - 1));
  if (arguments.json) {
    fmt::print(
        "{}\n",
        nlohmann::json{{"nll", nll}, {"ppl", std::exp(nll)}, {"chunk_nll", chunk_nll}}.dump());
  } else {
    fmt::print("perplexity {:.4f}   mean NLL {:.6f}   {} windows of {} tokens\n", std::exp(nll),
               nll, windows, window);
  }
  return kSuccess;
}

}  // namespace

void AddScore(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ScoreArguments>();
  CLI::App* command = app.add_subcommand("score", "perplexity of a text");
  AddPipelineArguments(*command, arguments->session);
  AddAdapterArgument(*command, arguments->adapter);
  command->add_option("--text-file", arguments->text_file, "the text, UTF-8; - is stdin")
      ->required();
  command->add_option("--window", arguments->window, "tokens scored together, each window alone")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  command
      ->add_option("--windows", arguments->windows, "how many windows from the start of the text")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, &exit_code] {
    arguments->session.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Score(*arguments);
  });
}

}  // namespace tenon::apps
