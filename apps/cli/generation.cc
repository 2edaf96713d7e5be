// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/generation.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "text/stop_strings.h"
#include "text/stream_decoder.h"

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

Error NoTokenizer(const Session& session) {
  return {Status::kUnsupported, "the model has no usable tokenizer (" +
                                    session.model().tokenizer_problem +
                                    "); give the prompt as --token-ids"};
}

core::Request RequestOf(const Session& session, const GenerationOptions& options) {
  core::Request request;
  request.sampling = options.sampling;
  request.sampling.seed = options.seed ? *options.seed : std::random_device{}();
  if (options.greedy) request.sampling.temperature = 0;
  request.logprobs = options.logprobs;
  request.adapter = options.adapter;
  if (session.tokenizer() != nullptr && !options.ignore_eos) {
    const auto ends = session.tokenizer()->EndOfGeneration();
    request.stop_tokens.assign(ends.begin(), ends.end());
  }
  if (!options.ignore_eos) {
    const std::vector<int32_t>& more = session.model().more_eos;
    request.stop_tokens.insert(request.stop_tokens.end(), more.begin(), more.end());
  }
  return request;
}

}  // namespace

Result<std::vector<int32_t>> EncodePrompt(Session& session, const std::string& prompt, bool raw) {
  if (session.tokenizer() == nullptr) return NoTokenizer(session);
  if (!raw && session.model().chat_template) return EncodeChat(session, {{"user", prompt}});
  return session.tokenizer()->Encode(prompt, {.parse_special = true, .add_special = true});
}

Result<std::vector<int32_t>> EncodeChat(Session& session,
                                        const std::vector<text::ChatMessage>& history) {
  if (session.tokenizer() == nullptr) return NoTokenizer(session);
  const text::Tokenizer& tokenizer = *session.tokenizer();
  text::ChatOptions options;
  options.add_generation_prompt = true;
  options.bos_token = std::string(tokenizer.TokenText(tokenizer.vocabulary().bos));
  options.eos_token = std::string(tokenizer.TokenText(tokenizer.vocabulary().eos));
  auto rendered = session.model().chat_template->Render(history, options);
  TENON_RETURN_IF_ERROR(rendered);
  return tokenizer.Encode(*rendered, {.parse_special = true, .add_special = true});
}

Result<Generation> Generate(Session& session, std::vector<int32_t> prompt,
                            const GenerationOptions& options, const volatile bool* stop,
                            const std::function<bool(const std::string&)>& show) {
  auto stops = text::StopStrings::Make(options.stop);
  TENON_RETURN_IF_ERROR(stops);
  std::optional<text::StreamDecoder> decoder;
  if (session.tokenizer() != nullptr) {
    decoder.emplace(*session.tokenizer(),
                    text::StreamOptions{.skip_special = true, .starts_text = false});
  }
  Generation out;
  out.prompt_ids = prompt;
  core::Engine& engine = session.engine();
  core::Request request = RequestOf(session, options);
  const auto room = static_cast<int32_t>(engine.MaxContext() - static_cast<int64_t>(prompt.size()));
  request.max_tokens =
      options.max_tokens ? *options.max_tokens : std::clamp(room, 1, kDefaultMaxTokens);
  request.prompt = std::move(prompt);

  bool heard = true;
  const auto say = [&](const std::string& shown) {
    out.text += shown;
    if (!shown.empty() && heard) heard = show(shown);
  };
  std::string problem;
  Clock::time_point first;
  Clock::time_point last;
  request.on_event = [&](const core::TokenEvent& event) {
    if (event.finish != core::FinishReason::kNone && !stops->stopped()) out.finish = event.finish;
    problem = event.error;
    if (event.token < 0 || stops->stopped()) return;
    last = Clock::now();
    if (out.tokens.empty()) first = last;
    out.tokens.push_back({event.token, event.logprob, {event.top.begin(), event.top.end()}});
    if (decoder) say(stops->Push(decoder->Push(event.token)));
    if (stops->stopped()) out.finish = core::FinishReason::kStop;
    if (stops->stopped() || !heard) engine.Cancel(event.request);
  };
  const Clock::time_point start = Clock::now();
  auto submitted = engine.Submit(std::move(request));
  TENON_RETURN_IF_ERROR(submitted);
  engine.RunUntilIdle(stop);
  if (out.finish == core::FinishReason::kError) return Error{Status::kInternal, problem};
  if (decoder) say(stops->Push(decoder->Flush()));
  say(stops->Flush());
  if (out.tokens.empty()) first = last = Clock::now();
  out.prefill_ms = Milliseconds(start, first);
  out.decode_ms = Milliseconds(first, last);
  return out;
}

}  // namespace tenon::apps
