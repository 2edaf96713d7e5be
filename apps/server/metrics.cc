// SPDX-License-Identifier: Apache-2.0
#include "apps/server/metrics.h"

#include <algorithm>

namespace tenon::apps::server {
namespace {

// vLLM's bounds, so that its dashboards' quantiles mean the same here.
constexpr double kFirstToken[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                  1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kToken[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                             0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
constexpr double kRequest[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                               30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
constexpr double kIteration[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

struct Engine {
  std::string model;
  EngineFacts facts;
  EngineState state;
};

struct Row {
  const char* name;
  const char* type;
  const char* help;
  double (*value)(const Engine&);
};
constexpr Row kRows[] = {
    {"num_requests_running", "gauge", "Sequences in the engine's batches.",
     [](const Engine& e) -> double { return e.state.running; }},
    {"num_requests_waiting", "gauge", "Sequences that wait to be processed.",
     [](const Engine& e) -> double { return e.state.waiting; }},
    {"kv_cache_usage_perc", "gauge", "KV blocks in use, 1 is all of them.",
     [](const Engine& e) -> double {
       if (e.facts.total_blocks <= 0) return 0;
       return std::clamp(1.0 - double{1.0} * e.state.free_blocks / e.facts.total_blocks, 0.0, 1.0);
     }},
    {"prompt_tokens_total", "counter", "Prompt tokens processed.",
     [](const Engine& e) { return static_cast<double>(e.state.prompt_tokens); }},
    {"generation_tokens_total", "counter", "Tokens generated.",
     [](const Engine& e) { return static_cast<double>(e.state.output_tokens); }},
    {"num_preemptions_total", "counter", "Sequences that had to give up their blocks.",
     [](const Engine& e) { return static_cast<double>(e.state.preemptions); }},
    {"prefix_cache_queries_total", "counter", "Prompt tokens looked up in the prefix cache.",
     [](const Engine& e) { return static_cast<double>(e.state.prefix_queries); }},
    {"prefix_cache_hits_total", "counter", "Prompt tokens found in the prefix cache.",
     [](const Engine& e) { return static_cast<double>(e.state.prefix_hits); }},
    {"spec_decode_num_draft_tokens_total", "counter", "Tokens drafted.",
     [](const Engine& e) { return static_cast<double>(e.state.draft_tokens); }},
    {"spec_decode_num_accepted_tokens_total", "counter", "Drafted tokens that were kept.",
     [](const Engine& e) { return static_cast<double>(e.state.accepted_tokens); }},
    {"engine_steps_total", "counter", "Steps completed.",
     [](const Engine& e) { return static_cast<double>(e.state.steps); }},
    {"engine_ready", "gauge", "1 while the engine takes requests.",
     [](const Engine& e) { return e.state.ready ? 1.0 : 0.0; }},
};

}  // namespace

Metrics::OfModel::OfModel()
    : first_token(kFirstToken),
      inter_token(kToken),
      per_token(kToken),
      all(kRequest),
      queue(kRequest),
      iteration(kIteration) {
  for (const char* reason : {"stop", "length", "abort", "error"}) finished[reason] = 0;
}

Metrics::OfModel& Metrics::Of(const std::string& model) { return models_[model]; }

void Metrics::OnFirstToken(const std::string& model, double seconds) {
  const std::lock_guard lock(mutex_);
  Of(model).first_token.Observe(seconds);
}

void Metrics::OnTokens(const std::string& model, int32_t tokens, double seconds_since_last) {
  if (tokens <= 0) return;
  const std::lock_guard lock(mutex_);
  Of(model).inter_token.Observe(seconds_since_last / tokens, static_cast<uint64_t>(tokens));
}

void Metrics::OnDone(const openai::CallRecord& record) {
  // A refused name is no model.
  if (record.model.empty() || record.status == 404) return;
  const std::lock_guard lock(mutex_);
  OfModel& of = Of(record.model);
  const auto reason = of.finished.find(record.finished);
  if (reason != of.finished.end()) ++reason->second;
  of.all.Observe(record.all_s);
  of.queue.Observe(record.queue_s);
  if (record.per_token_s > 0) of.per_token.Observe(record.per_token_s);
}

void Metrics::OnAnswered(const Answered& answered) {
  const std::lock_guard lock(mutex_);
  ++answered_[{std::string(answered.route.empty() ? "none" : answered.route),
               std::string(answered.method), std::to_string(answered.status)}];
}

void Metrics::Look(const openai::ModelDirectory& models) {
  for (const auto& served : models.Models()) {
    const EngineState state = served->engine->State();
    const int64_t tokens = state.prompt_tokens + state.output_tokens;
    const std::lock_guard lock(mutex_);
    OfModel& of = Of(served->name);
    // Smaller counts are those of an engine that took the old one's place.
    const int64_t steps = state.steps - std::exchange(of.steps, state.steps);
    const int64_t done = tokens - std::exchange(of.tokens, tokens);
    if (steps > 0 && done >= 0) {
      of.iteration.Observe(static_cast<double>(done) / static_cast<double>(steps),
                           static_cast<uint64_t>(steps));
    }
  }
}

void Metrics::WriteEngines(const openai::ModelDirectory& models, MetricsText* text) const {
  std::vector<Engine> engines;
  for (const auto& served : models.Models()) {
    engines.push_back({served->name, served->engine->Facts(), served->engine->State()});
  }
  for (const Row& row : kRows) {
    text->Begin(row.name, row.type, row.help);
    for (const Engine& engine : engines) {
      text->Sample({{"model_name", engine.model}}, row.value(engine));
    }
  }
  text->Begin("plugin_seconds_total", "counter", "Time in a plugin's ops.");
  for (const Engine& engine : engines) {
    for (const PluginTime& time : engine.state.plugins) {
      text->Sample({{"model_name", engine.model}, {"family", time.family}, {"plugin", time.plugin}},
                   time.seconds);
    }
  }
}

void Metrics::WriteHistogram(const char* name, const char* help, Pick pick,
                             MetricsText* text) const {
  text->Begin(name, "histogram", help);
  for (const auto& [model, of] : models_) text->Sample({{"model_name", model}}, of.*pick);
}

void Metrics::WriteCalls(MetricsText* text) const {
  text->Begin("request_success_total", "counter", "Requests that ended, by reason.");
  for (const auto& [model, of] : models_) {
    for (const auto& [reason, count] : of.finished) {
      text->Sample({{"model_name", model}, {"finished_reason", reason}},
                   static_cast<double>(count));
    }
  }
  WriteHistogram("time_to_first_token_seconds", "From arrival to the first token.",
                 &OfModel::first_token, text);
  WriteHistogram("inter_token_latency_seconds", "Between two tokens of a choice.",
                 &OfModel::inter_token, text);
  WriteHistogram("request_time_per_output_token_seconds",
                 "Mean time of a request's tokens after its first.", &OfModel::per_token, text);
  WriteHistogram("e2e_request_latency_seconds", "From arrival to the last token.", &OfModel::all,
                 text);
  WriteHistogram("request_queue_time_seconds", "From arrival to the first step.", &OfModel::queue,
                 text);
  WriteHistogram("iteration_tokens_total", "Tokens of a step.", &OfModel::iteration, text);
}

void Metrics::WriteHttp(MetricsText* text) const {
  text->Begin(":http_requests_total", "counter", "Requests answered.");
  for (const auto& [labels, count] : answered_) {
    text->Sample({{"handler", labels[0]}, {"method", labels[1]}, {"status", labels[2]}},
                 static_cast<double>(count));
  }
}

std::string Metrics::Text(const openai::ModelDirectory& models) const {
  MetricsText text(prefix_);
  WriteEngines(models, &text);
  const std::lock_guard lock(mutex_);
  WriteCalls(&text);
  WriteHttp(&text);
  return text.Take();
}

}  // namespace tenon::apps::server
