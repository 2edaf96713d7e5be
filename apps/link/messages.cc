// SPDX-License-Identifier: Apache-2.0
#include "apps/link/messages.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

constexpr int32_t kMaxStopTokens = 1 << 16;
constexpr int32_t kMaxAdapters = 4096;
constexpr int32_t kMaxPlugins = 4096;
constexpr int32_t kMaxComponents = 4096;
constexpr int32_t kMaxColumns = 1 << 20;

Error Broken(const char* what) {
  return {Status::kInvalid, fmt::format("the other side of the link sent {}", what)};
}

Status StatusOf(int32_t value) {
  return value > 0 && value <= static_cast<int32_t>(Status::kInternal) ? static_cast<Status>(value)
                                                                       : Status::kInternal;
}

// NaN is "not said".
bool Usable(float value) { return !std::isinf(value); }

template <typename Integer>
Integer AtLeast0(Integer value) {
  return std::max<Integer>(value, 0);
}

}  // namespace

void Write(uint64_t number, const GenerateRequest& request, v1::Start* out) {
  out->set_request(number);
  out->set_id(request.id);
  out->mutable_prompt()->Add(request.prompt.begin(), request.prompt.end());
  const SamplingParams& sampling = request.sampling;
  out->set_temperature(sampling.temperature);
  out->set_top_k(sampling.top_k);
  out->set_top_p(sampling.top_p);
  out->set_min_p(sampling.min_p);
  out->set_repetition_penalty(sampling.repetition_penalty);
  out->set_presence_penalty(sampling.presence_penalty);
  out->set_frequency_penalty(sampling.frequency_penalty);
  out->set_seed(sampling.seed);
  for (const TokenBias& bias : request.bias) {
    out->add_bias_token(bias.token);
    out->add_bias_value(bias.bias);
  }
  out->mutable_stop_token()->Add(request.stop_tokens.begin(), request.stop_tokens.end());
  out->set_max_tokens(request.max_tokens);
  out->set_min_tokens(request.min_tokens);
  out->set_logprobs(request.logprobs);
  out->set_n(request.n);
  out->set_priority(request.priority);
  out->set_adapter(request.adapter);
  out->set_cache_salt(request.cache_salt);
  out->set_user_text(request.user_text);
}

Result<GenerateRequest> Read(const v1::Start& message, const EngineFacts& facts) {
  if (message.prompt_size() > facts.max_context) {
    return Error{Status::kInvalid, fmt::format("the prompt has {} tokens; the context holds {}",
                                               message.prompt_size(), facts.max_context)};
  }
  if (message.n() < 1 || message.n() > facts.max_sequences) {
    return Error{Status::kInvalid,
                 fmt::format("n is {}; 1 to {} allowed", message.n(), facts.max_sequences)};
  }
  if (message.bias_token_size() != message.bias_value_size() ||
      message.bias_token_size() > facts.vocabulary) {
    return Broken("a logit bias whose columns do not fit");
  }
  if (message.stop_token_size() > kMaxStopTokens) return Broken("too many stop tokens");
  if (!std::all_of(message.bias_value().begin(), message.bias_value().end(),
                   [](float value) { return std::isfinite(value); })) {
    return Broken("a logit bias that is no number");
  }
  for (const float value :
       {message.temperature(), message.top_p(), message.min_p(), message.repetition_penalty(),
        message.presence_penalty(), message.frequency_penalty()}) {
    if (!Usable(value)) return Broken("an infinite sampling parameter");
  }
  GenerateRequest out;
  out.id = message.id();
  out.prompt.assign(message.prompt().begin(), message.prompt().end());
  out.sampling.temperature = message.temperature();
  out.sampling.top_k = message.top_k();
  out.sampling.top_p = message.top_p();
  out.sampling.min_p = message.min_p();
  out.sampling.repetition_penalty = message.repetition_penalty();
  out.sampling.presence_penalty = message.presence_penalty();
  out.sampling.frequency_penalty = message.frequency_penalty();
  out.sampling.seed = message.seed();
  for (int i = 0; i < message.bias_token_size(); ++i) {
    out.bias.push_back({message.bias_token(i), message.bias_value(i)});
  }
  out.stop_tokens.assign(message.stop_token().begin(), message.stop_token().end());
  out.max_tokens = message.max_tokens();
  out.min_tokens = message.min_tokens();
  out.logprobs = message.logprobs();
  out.n = message.n();
  out.priority = message.priority();
  out.adapter = message.adapter();
  out.cache_salt = message.cache_salt();
  out.user_text = message.user_text();
  return out;
}

void Write(uint64_t number, const std::vector<std::vector<int32_t>>& texts, v1::EmbedCall* out) {
  out->set_call(number);
  for (const std::vector<int32_t>& text : texts) {
    out->add_lengths(static_cast<uint32_t>(text.size()));
    out->mutable_tokens()->Add(text.begin(), text.end());
  }
}

Result<std::vector<std::vector<int32_t>>> Read(const v1::EmbedCall& message) {
  std::vector<std::vector<int32_t>> texts;
  auto at = message.tokens().begin();
  for (const uint32_t length : message.lengths()) {
    if (length > static_cast<uint64_t>(message.tokens().end() - at)) {
      return Broken("texts longer than their tokens");
    }
    texts.emplace_back(at, at + static_cast<int>(length));
    at += static_cast<int>(length);
  }
  return texts;
}

void Write(uint64_t number, const Result<std::vector<std::vector<float>>>& vectors,
           v1::Embedded* out) {
  out->set_call(number);
  if (!vectors.ok()) {
    out->set_status(static_cast<int32_t>(vectors.error().status));
    out->set_error(vectors.error().message);
    return;
  }
  for (const std::vector<float>& vector : *vectors) {
    out->mutable_values()->Add(vector.begin(), vector.end());
  }
}

Result<std::vector<std::vector<float>>> Read(const v1::Embedded& message, size_t texts,
                                             int32_t columns) {
  if (message.status() != 0) return Error{StatusOf(message.status()), message.error()};
  if (static_cast<size_t>(message.values_size()) != texts * static_cast<size_t>(columns)) {
    return Broken("vectors of another size");
  }
  std::vector<std::vector<float>> vectors;
  for (size_t i = 0; i < texts; ++i) {
    const auto row = message.values().begin() + static_cast<int>(i) * columns;
    vectors.emplace_back(row, row + columns);
  }
  return vectors;
}

void Append(uint64_t number, const GenerateEvent& event, v1::Step* out) {
  const auto row = static_cast<uint32_t>(out->request_size());
  out->add_request(number);
  out->add_choice(static_cast<uint32_t>(event.choice));
  out->add_tokens(static_cast<uint32_t>(event.tokens.size()));
  out->add_finish(static_cast<uint32_t>(event.finish));
  for (const GeneratedToken& token : event.tokens) {
    out->add_token(static_cast<uint32_t>(token.id));
    if (token.logprob == 0 && token.top.empty()) continue;
    v1::Logprobs* logprobs = out->add_logprobs();
    logprobs->set_token(static_cast<uint32_t>(out->token_size() - 1));
    logprobs->set_logprob(token.logprob);
    for (const core::TokenLogprob& top : token.top) {
      logprobs->add_top_id(static_cast<uint32_t>(top.id));
      logprobs->add_top_logprob(top.logprob);
    }
  }
  if (event.cached_tokens != 0 || event.queued_us != 0) {
    v1::Begin* begin = out->add_begin();
    begin->set_row(row);
    begin->set_cached_tokens(event.cached_tokens);
    begin->set_queued_us(event.queued_us);
  }
  if (event.text) {
    v1::Shown* shown = out->add_shown();
    shown->set_row(row);
    shown->set_text(*event.text);
    shown->set_blocked(event.blocked);
  }
  if (event.finish == core::FinishReason::kError) {
    v1::Failure* failure = out->add_failure();
    failure->set_row(row);
    failure->set_status(static_cast<int32_t>(event.status));
    failure->set_error(event.error);
  }
}

Result<void> Read(const v1::Step& message, const EngineFacts& facts,
                  const std::function<void(uint64_t, GenerateEvent)>& tell) {
  const int rows = message.request_size();
  if (message.choice_size() != rows || message.tokens_size() != rows ||
      message.finish_size() != rows) {
    return Broken("a step whose columns do not fit");
  }
  const auto known = [&](uint32_t id) { return id < static_cast<uint32_t>(facts.vocabulary); };
  std::vector<GeneratedToken> tokens;
  for (const uint32_t id : message.token()) {
    if (!known(id)) return Broken("a token outside the vocabulary");
    tokens.push_back({.id = static_cast<int32_t>(id), .logprob = 0, .top = {}});
  }
  for (const v1::Logprobs& logprobs : message.logprobs()) {
    if (logprobs.token() >= tokens.size() ||
        logprobs.top_id_size() != logprobs.top_logprob_size()) {
      return Broken("log-probabilities that do not fit");
    }
    GeneratedToken& token = tokens[logprobs.token()];
    token.logprob = logprobs.logprob();
    for (int i = 0; i < logprobs.top_id_size(); ++i) {
      if (!known(logprobs.top_id(i))) return Broken("a token outside the vocabulary");
      token.top.push_back({static_cast<int32_t>(logprobs.top_id(i)), logprobs.top_logprob(i)});
    }
  }
  std::vector<GenerateEvent> events(static_cast<size_t>(rows));
  size_t next = 0;
  for (int row = 0; row < rows; ++row) {
    GenerateEvent& event = events[static_cast<size_t>(row)];
    const size_t count = message.tokens(row);
    if (count > tokens.size() - next || message.choice(row) > INT32_MAX ||
        message.finish(row) > static_cast<uint32_t>(core::FinishReason::kError)) {
      return Broken("a step whose rows do not fit");
    }
    event.choice = static_cast<int32_t>(message.choice(row));
    event.finish = static_cast<core::FinishReason>(message.finish(row));
    for (const size_t end = next + count; next < end; ++next) {
      event.tokens.push_back(std::move(tokens[next]));
    }
  }
  for (const v1::Begin& begin : message.begin()) {
    if (begin.row() >= events.size()) return Broken("a row that is not there");
    events[begin.row()].cached_tokens = AtLeast0(begin.cached_tokens());
    events[begin.row()].queued_us = AtLeast0<int64_t>(begin.queued_us());
  }
  for (const v1::Shown& shown : message.shown()) {
    if (shown.row() >= events.size()) return Broken("a row that is not there");
    events[shown.row()].text = shown.text();
    events[shown.row()].blocked = shown.blocked();
  }
  for (const v1::Failure& failure : message.failure()) {
    if (failure.row() >= events.size()) return Broken("a row that is not there");
    events[failure.row()].status = StatusOf(failure.status());
    events[failure.row()].error = failure.error();
  }
  for (size_t row = 0; row < events.size(); ++row) {
    tell(message.request(static_cast<int>(row)), std::move(events[row]));
  }
  return {};
}

void Write(const EngineFacts& facts, v1::Hello* out) {
  out->set_protocol(kProtocol);
  out->set_pipeline(facts.pipeline);
  out->set_model(facts.model);
  out->set_model_path(facts.model_path);
  for (const std::string& adapter : facts.adapters) out->add_adapters(adapter);
  out->set_generates(facts.generates);
  out->set_vocabulary(facts.vocabulary);
  out->set_max_context(facts.max_context);
  out->set_max_sequences(facts.max_sequences);
  out->set_block_tokens(facts.block_tokens);
  out->set_total_blocks(facts.total_blocks);
  out->set_workers(facts.workers);
  out->set_embedding_columns(facts.embedding_columns);
  out->set_embedding_max_tokens(facts.embedding_max_tokens);
  out->set_embedding_cut_tokens(facts.embedding_cut_tokens);
}

Result<EngineFacts> Read(const v1::Hello& message) {
  if (message.protocol() != kProtocol) {
    return Error{Status::kUnsupported, fmt::format("the worker speaks version {} of the link; {} "
                                                   "is understood",
                                                   message.protocol(), kProtocol)};
  }
  if (message.vocabulary() < 1 || message.max_context() < 1 || message.max_sequences() < 1 ||
      message.block_tokens() < 0 || message.total_blocks() < 0 ||
      message.adapters_size() > kMaxAdapters || message.embedding_columns() < 0 ||
      message.embedding_columns() > kMaxColumns) {
    return Broken("facts of an engine that cannot be");
  }
  EngineFacts facts;
  facts.pipeline = message.pipeline();
  facts.model = message.model();
  facts.model_path = message.model_path();
  facts.adapters.assign(message.adapters().begin(), message.adapters().end());
  facts.generates = message.generates();
  facts.vocabulary = message.vocabulary();
  facts.max_context = message.max_context();
  facts.max_sequences = message.max_sequences();
  facts.block_tokens = message.block_tokens();
  facts.total_blocks = message.total_blocks();
  facts.workers = std::clamp(message.workers(), 1, kMaxWorkers);
  facts.embedding_columns = message.embedding_columns();
  facts.embedding_max_tokens = AtLeast0(message.embedding_max_tokens());
  facts.embedding_cut_tokens = AtLeast0(message.embedding_cut_tokens());
  return facts;
}

void Write(const EngineIdentity& identity, v1::Hello* out) {
  out->set_resolved(identity.resolved);
  out->set_program_sha256(identity.sha256);
  out->set_isa(identity.isa);
  out->set_threads(identity.threads);
  for (const ComponentIdentity& component : identity.components) {
    v1::Component* message = out->add_components();
    message->set_family(component.family);
    message->set_use(component.use);
    message->set_plugin(component.plugin);
    message->set_version(component.version);
    message->set_file(component.file);
    message->set_sha256(component.sha256);
  }
}

Result<EngineIdentity> ReadIdentity(const v1::Hello& message) {
  if (message.components_size() > kMaxComponents) return Broken("too many components");
  EngineIdentity identity;
  identity.resolved = message.resolved();
  identity.sha256 = message.program_sha256();
  identity.isa = message.isa();
  identity.threads = AtLeast0(message.threads());
  for (const v1::Component& component : message.components()) {
    identity.components.push_back({component.family(), component.use(), component.plugin(),
                                   component.version(), component.file(), component.sha256()});
  }
  return identity;
}

void Write(const EngineState& state, v1::Heartbeat* out) {
  out->set_ready(state.ready);
  out->set_why_not(state.why_not);
  out->set_running(state.running);
  out->set_waiting(state.waiting);
  out->set_free_blocks(state.free_blocks);
  out->set_steps(state.steps);
  out->set_step_age_s(state.step_age_s);
  out->set_prompt_tokens(state.prompt_tokens);
  out->set_output_tokens(state.output_tokens);
  out->set_preemptions(state.preemptions);
  out->set_prefix_queries(state.prefix_queries);
  out->set_prefix_hits(state.prefix_hits);
  out->set_draft_tokens(state.draft_tokens);
  out->set_accepted_tokens(state.accepted_tokens);
  for (const PluginTime& time : state.plugins) {
    v1::Heartbeat::Plugin* plugin = out->add_plugins();
    plugin->set_family(time.family);
    plugin->set_plugin(time.plugin);
    plugin->set_seconds(time.seconds);
  }
}

EngineState Read(const v1::Heartbeat& message) {
  EngineState state;
  state.ready = message.ready();
  state.why_not = message.why_not();
  state.running = AtLeast0(message.running());
  state.waiting = AtLeast0(message.waiting());
  state.free_blocks = AtLeast0(message.free_blocks());
  state.steps = AtLeast0(message.steps());
  state.step_age_s = message.step_age_s() > 0 ? message.step_age_s() : 0;
  state.prompt_tokens = AtLeast0(message.prompt_tokens());
  state.output_tokens = AtLeast0(message.output_tokens());
  state.preemptions = AtLeast0(message.preemptions());
  state.prefix_queries = AtLeast0(message.prefix_queries());
  state.prefix_hits = AtLeast0(message.prefix_hits());
  state.draft_tokens = AtLeast0(message.draft_tokens());
  state.accepted_tokens = AtLeast0(message.accepted_tokens());
  for (int i = 0; i < std::min(message.plugins_size(), kMaxPlugins); ++i) {
    const v1::Heartbeat::Plugin& plugin = message.plugins(i);
    state.plugins.push_back({plugin.family(), plugin.plugin(), plugin.seconds()});
  }
  return state;
}

}  // namespace tenon::apps::link
