// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "apps/cli/command.h"
#include "apps/loadgen/arrivals.h"
#include "apps/loadgen/dataset.h"
#include "apps/loadgen/load.h"
#include "apps/loadgen/report.h"
#include "apps/loadgen/server_facts.h"
#include "apps/report/page.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr const char* kFormulas = R"(
Definitions (those of vLLM's `bench serve`; times by this client's clock)
  TTFT   from sending a request, connecting included, to the first chunk that carries output;
         a delta that only names a role carries none
  ITL    between two chunks of a request that carry output, each a sample
  E2EL   from sending a request to its last chunk with output or finish_reason
  TPOT   (E2EL - TTFT) / (output tokens - 1), for requests of 2 output tokens and more
  output tokens: the server's usage; without it, the chunks with output
  request throughput = completed / duration; output throughput = output tokens of completed / duration
  total token throughput = (input + output tokens of completed) / duration
  goodput = completed requests that keep every limit of --goodput / duration
  percentiles are interpolated linearly between samples
Arrivals: intervals follow a gamma distribution of shape B = burstiness and mean 1 / request rate
(B = 1: Poisson), scaled to end at prompts / rate. With --max-concurrency a request may wait for a place
before it is sent; that time is reported apart, and is in none of the others.
Completed: HTTP 200, output, [DONE]. Errors are counted by kind: HTTP status, connect, cut off (no [DONE]),
stream error (an error event), bad stream, timeout, no output. Ctrl-C reports what there is.)";

struct BenchServeArguments {
  std::string url, backend, endpoint, model, html, extra_body = "{}", api_key;
  DatasetOptions dataset;
  BodyOptions body;
  LoadOptions load;
  double request_rate = std::numeric_limits<double>::infinity();
  double burstiness = 1;
  int64_t warmups = 0, vocabulary = 0;
  std::vector<std::string> goodput;
  std::string shown = "ttft,tpot,itl,e2el", percentiles = "50,90,99";
  bool json = false, detailed = false, quiet = false;
};

std::vector<std::string> Parts(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else if (c != ' ') {
      parts.back() += c;
    }
  }
  return parts;
}

Result<double> Number(const std::string& text, const char* what, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && value >= low && value <= high) return value;
  return Error{Status::kInvalid,
               fmt::format("{}: \"{}\"; {} to {} allowed", what, text, low, high)};
}

Result<Goals> ReadGoals(const std::vector<std::string>& texts) {
  Goals goals;
  for (const std::string& text : texts) {
    const size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    std::optional<double>* goal = name == "ttft"   ? &goals.ttft
                                  : name == "tpot" ? &goals.tpot
                                  : name == "e2el" ? &goals.e2el
                                                   : nullptr;
    if (goal == nullptr || colon == std::string::npos) {
      return Error{Status::kInvalid, "--goodput: \"" + text +
                                         "\"; NAME:MILLISECONDS expected, NAME one of ttft, tpot, "
                                         "e2el"};
    }
    auto value = Number(text.substr(colon + 1), "--goodput", 0, 1e12);
    TENON_RETURN_IF_ERROR(value);
    *goal = *value;
  }
  return goals;
}

Result<LoadSetting> ReadSetting(const BenchServeArguments& arguments) {
  LoadSetting setting;
  setting.url = arguments.url;
  setting.endpoint = arguments.load.path;
  setting.dataset = arguments.dataset.name;
  setting.prompts = arguments.dataset.prompts;
  setting.request_rate = arguments.request_rate;
  setting.burstiness = arguments.burstiness;
  setting.max_concurrency = arguments.load.max_concurrency;
  setting.seed = arguments.dataset.seed;
  auto goals = ReadGoals(arguments.goodput);
  TENON_RETURN_IF_ERROR(goals);
  setting.goals = *goals;
  for (const std::string& name : Parts(arguments.shown)) {
    if (name != "ttft" && name != "tpot" && name != "itl" && name != "e2el") {
      return Error{Status::kInvalid, "--percentile-metrics: \"" + name +
                                         "\"; a list of ttft, tpot, itl, e2el expected"};
    }
    setting.shown.insert(name);
  }
  return setting;
}

Result<std::vector<double>> ReadPercentiles(const BenchServeArguments& arguments) {
  std::vector<double> out;
  for (const std::string& text : Parts(arguments.percentiles)) {
    auto value = Number(text, "--metric-percentiles", 0, 100);
    TENON_RETURN_IF_ERROR(value);
    out.push_back(*value);
  }
  return out;
}

Result<std::vector<int32_t>> Vocabulary(const BenchServeArguments& arguments) {
  if (arguments.vocabulary > 0) {
    std::vector<int32_t> ids(static_cast<size_t>(arguments.vocabulary));
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
  }
  auto ids = OrdinaryTokens(arguments.load.target, arguments.body.model);
  if (ids.ok()) return ids;
  return Error{ids.error().status,
               fmt::format("{}. Random prompts need a server that tokenizes, or --vocab-size; else "
                           "--dataset-name custom",
                           ids.error().message)};
}

Result<std::vector<Prompt>> Prompts(const BenchServeArguments& arguments) {
  if (arguments.dataset.name == "custom") return ReadPrompts(arguments.dataset);
  auto vocabulary = Vocabulary(arguments);
  TENON_RETURN_IF_ERROR(vocabulary);
  auto prompts = DrawPrompts(arguments.dataset, *vocabulary);
  TENON_RETURN_IF_ERROR(prompts);
  if (!arguments.body.chat) return prompts;
  for (Prompt& prompt : *prompts) {
    auto text = TextOfTokens(arguments.load.target, arguments.body.model, prompt.ids);
    TENON_RETURN_IF_ERROR(text);
    prompt.text = *text;
  }
  return prompts;
}

void ShowProgress(const LoadProgress& progress, int64_t all) {
  fmt::print(stderr, "\r{}/{} done, {} failed, {} under way, {:.1f} requests/s, {:.0f} tokens/s   ",
             progress.completed + progress.failed, all, progress.failed, progress.running,
             static_cast<double>(progress.completed) / std::max(progress.seconds, 1e-3),
             static_cast<double>(progress.chunks) / std::max(progress.seconds, 1e-3));
}

// Requests that are not counted; the first failure ends it.
Result<void> WarmUp(const BenchServeArguments& arguments, const std::vector<LoadRequest>& requests,
                    const InterruptGuard& interrupt) {
  LoadOptions options = arguments.load;
  options.max_concurrency = 0;
  const auto count = std::min(requests.size(), static_cast<size_t>(arguments.warmups));
  options.arrivals.assign(count, 0.0);
  auto run = RunLoad(options, {requests.begin(), requests.begin() + static_cast<ptrdiff_t>(count)},
                     interrupt.Flag(), {});
  TENON_RETURN_IF_ERROR(run);
  for (const LoadResult& result : run->results) {
    if (result.outcome != LoadOutcome::kFailed) continue;
    return Error{Status::kIo, "warming up: " + result.error + ": " + result.message};
  }
  return {};
}

Result<int> ReportRun(const BenchServeArguments& arguments, const LoadSetting& setting,
                      const LoadRun& run, const std::vector<double>& percentiles) {
  const LoadMetrics metrics = Measure(run.results, run.duration_s, setting.goals, percentiles);
  if (!arguments.html.empty()) {
    TENON_RETURN_IF_ERROR(WritePage(arguments.html, LoadHtml(setting, metrics)));
  }
  fmt::print("{}",
             arguments.json
                 ? LoadJson(setting, metrics, arguments.detailed ? &run.results : nullptr) + "\n"
                 : LoadText(setting, metrics));
  if (run.interrupted) return kInterrupted;
  if (metrics.completed > 0) return kSuccess;
  const auto& [kind, error] = *metrics.errors.begin();
  return Error{Status::kIo, "no request was completed; " + kind + ": " + error.example};
}

Result<int> BenchServe(BenchServeArguments& arguments) {
  auto setting = ReadSetting(arguments);
  TENON_RETURN_IF_ERROR(setting);
  auto percentiles = ReadPercentiles(arguments);
  TENON_RETURN_IF_ERROR(percentiles);
  auto url = ParseUrl(arguments.url);
  TENON_RETURN_IF_ERROR(url);
  arguments.load.target = {*url, arguments.api_key};
  const InterruptGuard interrupt;
  if (arguments.model.empty()) {
    auto model = FirstModel(arguments.load.target);
    TENON_RETURN_IF_ERROR(model);
    arguments.model = *model;
  }
  setting->model = arguments.body.model = arguments.model;
  arguments.body.extra = arguments.extra_body;
  auto prompts = Prompts(arguments);
  TENON_RETURN_IF_ERROR(prompts);
  std::vector<LoadRequest> requests;
  for (const Prompt& prompt : *prompts) {
    auto request = MakeRequest(prompt, arguments.body);
    TENON_RETURN_IF_ERROR(request);
    requests.push_back(*std::move(request));
  }
  if (arguments.warmups > 0) TENON_RETURN_IF_ERROR(WarmUp(arguments, requests, interrupt));
  arguments.load.arrivals =
      ArrivalTimes(static_cast<int64_t>(requests.size()), arguments.request_rate,
                   arguments.burstiness, arguments.dataset.seed);
  const bool shows = !arguments.quiet && isatty(STDERR_FILENO) != 0;
  const auto all = static_cast<int64_t>(requests.size());
  std::function<void(const LoadProgress&)> progress;
  if (shows) progress = [all](const LoadProgress& now) { ShowProgress(now, all); };
  auto run = RunLoad(arguments.load, requests, interrupt.Flag(), progress);
  if (shows) fmt::print(stderr, "\n");
  TENON_RETURN_IF_ERROR(run);
  return ReportRun(arguments, *setting, *run, *percentiles);
}

void AddLoadOptions(CLI::App& command, BenchServeArguments& arguments) {
  const CLI::Range positive(1e-9, std::numeric_limits<double>::infinity());
  command
      .add_option("--request-rate", arguments.request_rate,
                  "requests a second, open loop; inf: all at once")
      ->check(positive)
      ->capture_default_str();
  command
      .add_option("--burstiness", arguments.burstiness,
                  "shape of the intervals: 1 Poisson, below burstier, above more even, inf even")
      ->check(positive)
      ->capture_default_str();
  command
      .add_option("--max-concurrency", arguments.load.max_concurrency,
                  "requests under way at most (closed loop); default: no bound")
      ->check(CLI::Range(1, 1000000));
  command.add_option("--num-prompts", arguments.dataset.prompts, "requests to send")
      ->check(CLI::Range(1, 100000000))
      ->capture_default_str();
  command.add_option("--num-warmups", arguments.warmups, "requests before, not counted")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command.add_option("--request-timeout", arguments.load.timeout_s, "seconds for one request")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
  command.add_option("--seed", arguments.dataset.seed, "of prompts and arrivals")
      ->check(WholeNumber())
      ->capture_default_str();
}

void AddDatasetOptions(CLI::App& command, DatasetOptions& dataset) {
  const CLI::Range length(0, 1 << 24);
  command
      .add_option("--dataset-name", dataset.name,
                  "random: tokens drawn at random; prefix_repetition: random, groups share a "
                  "prefix; custom: --dataset-path")
      ->check(CLI::IsMember({"random", "custom", "prefix_repetition"}))
      ->capture_default_str();
  command.add_option("--dataset-path", dataset.path,
                     "JSON Lines of {\"prompt\": …} or {\"messages\": […]}, with "
                     "\"output_tokens\"");
  command
      .add_option("--input-len,--random-input-len", dataset.input_len, "tokens of random prompts")
      ->check(length)
      ->capture_default_str();
  command
      .add_option(
          "--output-len,--random-output-len,--custom-output-len,"
          "--prefix-repetition-output-len",
          dataset.output_len,
          "tokens to ask for; default: 128, and a custom line's own \"output_tokens\"")
      ->check(CLI::Range(1, 1 << 24));
  command
      .add_option("--random-range-ratio", dataset.range_ratio,
                  "lengths from len × (1 - R) to len × (1 + R)")
      ->check(CLI::Range(0.0, 0.999999))
      ->capture_default_str();
  command.add_option("--random-prefix-len", dataset.prefix_len, "tokens that all prompts share")
      ->check(length)
      ->capture_default_str();
  command.add_option("--prefix-repetition-prefix-len", dataset.repeat_prefix_len, "tokens")
      ->check(length)
      ->capture_default_str();
  command.add_option("--prefix-repetition-suffix-len", dataset.repeat_suffix_len, "tokens")
      ->check(length)
      ->capture_default_str();
  command.add_option("--prefix-repetition-num-prefixes", dataset.repeat_prefixes, "prefixes")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
}

void AddRequestOptions(CLI::App& command, BenchServeArguments& arguments) {
  command.add_option("URL", arguments.url, "the server: http://127.0.0.1:8000")->required();
  command
      .add_option("--backend", arguments.backend,
                  "openai, vllm: --endpoint /v1/completions; openai-chat: /v1/chat/completions")
      ->check(CLI::IsMember({"openai", "vllm", "openai-chat"}));
  command.add_option("--endpoint", arguments.endpoint, "what to ask; default: by --backend")
      ->check(CLI::IsMember({"/v1/completions", "/v1/chat/completions"}));
  command.add_option("--model", arguments.model, "default: the server's first");
  command.add_option("--api-key", arguments.api_key, "sent as Bearer; default: $OPENAI_API_KEY");
  command.add_option("--temperature", arguments.body.temperature, "default: the server's own")
      ->check(CLI::Range(0.0, 2.0));
  command.add_flag("--ignore-eos", arguments.body.ignore_eos,
                   "always all tokens that are asked for");
  command.add_option("--extra-body", arguments.extra_body,
                     "members that every request gets: a JSON object");
  command
      .add_option("--vocab-size", arguments.vocabulary,
                  "random prompts hold ids below this; default: what /tokenize makes of syllables")
      ->check(CLI::Range(1, 1 << 24));
}

void AddReportOptions(CLI::App& command, BenchServeArguments& arguments) {
  command.add_option("--goodput", arguments.goodput,
                     "limits of a good request, NAME:MS …: ttft, tpot, e2el");
  command.add_option("--percentile-metrics", arguments.shown, "times to show with percentiles")
      ->capture_default_str();
  command.add_option("--metric-percentiles", arguments.percentiles, "which percentiles")
      ->capture_default_str();
  command.add_flag("--json", arguments.json, "one JSON document, with vLLM's member names");
  command.add_flag("--save-detailed", arguments.detailed, "with --json: each request as well");
  command.add_option("--html", arguments.html, "write a page with plots here");
  command.add_flag("--disable-tqdm", arguments.quiet, "no progress");
}

}  // namespace

void AddBenchServe(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<BenchServeArguments>();
  CLI::App* command = app.add_subcommand(
      "bench-serve", "load on a server that speaks OpenAI's API, and what it does to latency");
  AddRequestOptions(*command, *arguments);
  AddLoadOptions(*command, *arguments);
  AddDatasetOptions(*command, arguments->dataset);
  AddReportOptions(*command, *arguments);
  command->footer(kFormulas);
  command->callback([arguments, &exit_code] {
    const char* key = std::getenv("OPENAI_API_KEY");
    if (arguments->api_key.empty() && key != nullptr) arguments->api_key = key;
    const bool chat = arguments->backend == "openai-chat";
    if (arguments->endpoint.empty()) {
      arguments->endpoint = chat ? "/v1/chat/completions" : "/v1/completions";
    }
    arguments->load.path = arguments->endpoint;
    arguments->body.chat = arguments->endpoint == "/v1/chat/completions";
    if (arguments->dataset.name == "custom" && arguments->dataset.path.empty()) {
      throw CLI::RequiredError("--dataset-path");
    }
    auto code = BenchServe(*arguments);
    exit_code = code.ok() ? *code : Report(code.error());
  });
}

}  // namespace tenon::apps
