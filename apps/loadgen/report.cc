// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/report.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

using nlohmann::json;

struct Named {
  const char* key;
  const char* title;
  const Distribution& of;
};

std::vector<Named> Times(const LoadMetrics& metrics) {
  return {{"ttft", "Time to First Token", metrics.ttft},
          {"tpot", "Time per Output Token (excl. 1st token)", metrics.tpot},
          {"itl", "Inter-token Latency", metrics.itl},
          {"e2el", "End-to-end Latency", metrics.e2el}};
}

std::string Row(const std::string& name, double value) {
  return fmt::format("{:<42}{:>12.2f}\n", name + ":", value);
}

std::string Row(const std::string& name, int64_t value) {
  return fmt::format("{:<42}{:>12}\n", name + ":", value);
}

std::string Title(const std::string& title, char line) {
  constexpr size_t kColumns = 54;
  const size_t left = (kColumns - std::min(kColumns, title.size() + 2)) / 2;
  std::string out = std::string(left, line) + " " + title + " ";
  out.resize(std::max(kColumns, out.size()), line);
  return out + "\n";
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// JSON has no infinity.
json Number(double value) { return std::isfinite(value) ? json(value) : json("inf"); }

void AddTimes(const LoadSetting& setting, const LoadMetrics& metrics, json& out) {
  for (const auto& [key, title, of] : Times(metrics)) {
    const std::string end = std::string("_") + key + "_ms";
    out["mean" + end] = of.mean;
    out["median" + end] = of.median;
    out["std" + end] = of.deviation;
    if (!setting.shown.contains(key)) continue;
    for (const auto& [p, value] : of.percentiles) out[fmt::format("p{}{}", p, end)] = value;
  }
}

void AddDetail(const std::vector<LoadResult>& results, json& out) {
  json outcomes = json::array(), starts = json::array(), inputs = json::array(),
       outputs = json::array(), firsts = json::array(), gaps = json::array(),
       latencies = json::array(), errors = json::array();
  for (const LoadResult& result : results) {
    const bool completed = result.outcome == LoadOutcome::kCompleted;
    outcomes.push_back(completed);
    starts.push_back(result.start_s);
    inputs.push_back(result.input_tokens);
    outputs.push_back(completed ? result.output_tokens : 0);
    firsts.push_back(result.first_s);
    gaps.push_back(result.gaps_s);
    latencies.push_back(result.latency_s);
    errors.push_back(result.error.empty() ? "" : result.error + ": " + result.message);
  }
  out["successes"] = std::move(outcomes);
  out["start_times"] = std::move(starts);
  out["input_lens"] = std::move(inputs);
  out["output_lens"] = std::move(outputs);
  out["ttfts"] = std::move(firsts);
  out["itls"] = std::move(gaps);
  out["latencies"] = std::move(latencies);
  out["request_errors"] = std::move(errors);
}

}  // namespace

std::string LoadText(const LoadSetting& setting, const LoadMetrics& metrics) {
  std::string out = Title("Serving Benchmark Result", '=');
  out += Row("Successful requests", metrics.completed);
  out += Row("Failed requests", metrics.failed);
  if (metrics.interrupted + metrics.unsent > 0) {
    out += Row("Interrupted requests", metrics.interrupted);
    out += Row("Requests not sent", metrics.unsent);
  }
  if (setting.max_concurrency > 0)
    out += Row("Maximum request concurrency", setting.max_concurrency);
  if (std::isfinite(setting.request_rate)) {
    out += Row("Request rate configured (RPS)", setting.request_rate);
  }
  out += Row("Benchmark duration (s)", metrics.duration_s);
  out += Row("Total input tokens", metrics.total_input);
  out += Row("Total generated tokens", metrics.total_output);
  if (metrics.total_cached > 0) out += Row("Input tokens from the cache", metrics.total_cached);
  out += Row("Request throughput (req/s)", metrics.request_throughput);
  if (metrics.request_goodput) out += Row("Request goodput (req/s)", *metrics.request_goodput);
  out += Row("Output token throughput (tok/s)", metrics.output_throughput);
  out += Row("Peak output token throughput (tok/s)", metrics.max_output_tokens_per_s);
  out += Row("Peak concurrent requests", metrics.max_concurrent_requests);
  out += Row("Total token throughput (tok/s)", metrics.total_token_throughput);
  if (setting.max_concurrency > 0) out += Row("Mean wait for a place (ms)", metrics.waited.mean);
  for (const auto& [key, title, of] : Times(metrics)) {
    if (!setting.shown.contains(key)) continue;
    const std::string name = Upper(key);
    out += Title(title, '-');
    out += Row("Mean " + name + " (ms)", of.mean) + Row("Median " + name + " (ms)", of.median);
    for (const auto& [p, value] : of.percentiles) {
      out += Row(fmt::format("P{} {} (ms)", p, name), value);
    }
  }
  if (!metrics.errors.empty()) out += Title("Errors", '-');
  for (const auto& [kind, error] : metrics.errors) {
    out += Row(kind, error.count) + "  " + error.example + "\n";
  }
  return out + std::string(54, '=') + "\n";
}

std::string LoadJson(const LoadSetting& setting, const LoadMetrics& metrics,
                     const std::vector<LoadResult>* detail) {
  json errors = json::object();
  for (const auto& [kind, error] : metrics.errors) {
    errors[kind] = {{"count", error.count}, {"example", error.example}};
  }
  json out = {
      {"url", setting.url},
      {"endpoint", setting.endpoint},
      {"model_id", setting.model},
      {"dataset_name", setting.dataset},
      {"num_prompts", setting.prompts},
      {"request_rate", Number(setting.request_rate)},
      {"burstiness", Number(setting.burstiness)},
      {"max_concurrency", setting.max_concurrency > 0 ? json(setting.max_concurrency) : json()},
      {"seed", setting.seed},
      {"duration", metrics.duration_s},
      {"completed", metrics.completed},
      {"failed", metrics.failed},
      {"interrupted", metrics.interrupted},
      {"unsent", metrics.unsent},
      {"total_input_tokens", metrics.total_input},
      {"total_output_tokens", metrics.total_output},
      {"total_cached_tokens", metrics.total_cached},
      {"request_throughput", metrics.request_throughput},
      {"request_goodput", metrics.request_goodput ? json(*metrics.request_goodput) : json()},
      {"output_throughput", metrics.output_throughput},
      {"total_token_throughput", metrics.total_token_throughput},
      {"max_output_tokens_per_s", metrics.max_output_tokens_per_s},
      {"max_concurrent_requests", metrics.max_concurrent_requests},
      {"mean_wait_ms", metrics.waited.mean},
      {"errors", std::move(errors)}};
  AddTimes(setting, metrics, out);
  if (detail != nullptr) AddDetail(*detail, out);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tenon::apps
