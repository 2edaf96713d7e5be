// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <iostream>

#include "apps/cli/command.h"
#include "apps/cli/generation.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMaxPromptBytes = size_t{16} << 20;

struct RunArguments {
  SessionOptions session;
  GenerationOptions generation;
  std::string prompt;
  std::string prompt_file;
  std::string token_ids;
  std::string adapter;
  bool has_prompt = false;
  bool has_token_ids = false;
  bool chat = false;
  bool raw = false;
  bool json = false;
};

Result<std::vector<int32_t>> PromptIds(const RunArguments& arguments, Session& session) {
  if (arguments.has_token_ids) return ParseIntegers(arguments.token_ids, "--token-ids");
  std::string prompt = arguments.prompt;
  if (!arguments.has_prompt) {
    auto text =
        ReadFile(arguments.prompt_file.empty() ? "-" : arguments.prompt_file, kMaxPromptBytes);
    TENON_RETURN_IF_ERROR(text);
    prompt = std::move(*text);
  }
  return EncodePrompt(session, prompt, arguments.raw);
}

nlohmann::json ToJson(const Generation& generation, const Session& session) {
  nlohmann::json logprobs = nlohmann::json::array();
  for (const GeneratedToken& token : generation.tokens) {
    if (token.top.empty()) continue;
    nlohmann::json top = nlohmann::json::array();
    for (const core::TokenLogprob& choice : token.top) {
      top.push_back({{"id", choice.id}, {"logprob", choice.logprob}});
    }
    logprobs.push_back({{"id", token.id}, {"logprob", token.logprob}, {"top", std::move(top)}});
  }
  std::vector<int32_t> ids;
  for (const GeneratedToken& token : generation.tokens) ids.push_back(token.id);
  return {{"prompt_ids", generation.prompt_ids},
          {"token_ids", ids},
          {"text", generation.text},
          {"finish_reason", core::Name(generation.finish)},
          {"logprobs", std::move(logprobs)},
          {"timing",
           {{"load_ms", session.load_ms()},
            {"prefill_ms", generation.prefill_ms},
            {"prefill_tokens", generation.prompt_ids.size()},
            {"decode_ms", generation.decode_ms},
            {"decode_tokens", ids.empty() ? 0 : ids.size() - 1}}}};
}

int ExitCode(core::FinishReason finish) {
  if (finish == core::FinishReason::kCancelled) return kInterrupted;
  return finish == core::FinishReason::kError ? kFailure : kSuccess;
}

int RunOnce(const RunArguments& arguments, Session& session) {
  auto ids = PromptIds(arguments, session);
  if (!ids.ok()) return Report(ids.error());
  const InterruptGuard interrupt;
  const auto show = [&](const std::string& text) { return arguments.json || Show(text); };
  auto generation =
      Generate(session, std::move(*ids), arguments.generation, interrupt.Flag(), show);
  if (!generation.ok()) return Report(generation.error());
  if (arguments.json) {
    fmt::print("{}\n", ToJson(*generation, session)
                           .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (!Show("\n")) {
    return kFailure;
  }
  return ExitCode(generation->finish);
}

int Chat(const RunArguments& arguments, Session& session) {
  if (!session.model().chat_template) {
    return Report({Status::kUnsupported,
                   "this model has no chat template; use --prompt, or a model that has one"});
  }
  const bool terminal = isatty(STDIN_FILENO) != 0;
  if (terminal)
    fmt::print(stderr, "Type a message; Ctrl-C stops an answer, /exit or Ctrl-D ends.\n");
  std::vector<text::ChatMessage> history;
  std::string line;
  for (;;) {
    if (terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, line) || line == "/exit") return kSuccess;
    if (line.empty()) continue;
    history.push_back({"user", line});
    auto ids = EncodeChat(session, history);
    if (!ids.ok()) return Report(ids.error());
    const InterruptGuard interrupt;
    auto generation =
        Generate(session, std::move(*ids), arguments.generation, interrupt.Flag(), Show);
    if (!generation.ok()) return Report(generation.error());
    if (!Show("\n")) return kFailure;
    history.push_back({"assistant", generation->text});
    if (generation->finish == core::FinishReason::kError) return kFailure;
  }
}

int Run(RunArguments& arguments) {
  const int given = int{arguments.has_prompt} + int{!arguments.prompt_file.empty()} +
                    int{arguments.has_token_ids} + int{arguments.chat};
  if (given > 1 || (given == 0 && isatty(STDIN_FILENO) != 0)) {
    fmt::print(stderr,
               "tenon run: give one of --prompt, --prompt-file, --token-ids, --chat, or a prompt "
               "on stdin\n");
    return kUsage;
  }
  if (arguments.chat && arguments.json) {
    fmt::print(stderr, "tenon run: --chat is a conversation; --json gives one document\n");
    return kUsage;
  }
  auto session = Session::Open(arguments.session);
  if (!session.ok()) return Report(session.error());
  if (!(*session)->front_rules().empty() || !(*session)->back_rules().empty()) {
    return Report({Status::kUnsupported,
                   "this pipeline's `decoding:` has rules on texts, which act where requests are "
                   "answered: tenon serve and tenon batch. Take them out to run it here"});
  }
  const auto adapter = AdapterNumber(**session, arguments.adapter);
  if (!adapter.ok()) return Report(adapter.error());
  arguments.generation.adapter = *adapter;
  return arguments.chat ? Chat(arguments, **session) : RunOnce(arguments, **session);
}

}  // namespace

void AddRun(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = app.add_subcommand("run", "generate text");
  AddPipelineArguments(*command, arguments->session);
  AddAdapterArgument(*command, arguments->adapter);
  GenerationOptions& options = arguments->generation;
  CLI::Option* prompt = command->add_option("--prompt", arguments->prompt, "the prompt");
  command->add_option("--prompt-file", arguments->prompt_file,
                      "a file with the prompt; - is stdin");
  CLI::Option* token_ids = command->add_option("--token-ids", arguments->token_ids,
                                               "the prompt as ids: 1,2,3; nothing is added");
  command->add_flag("--chat", arguments->chat, "an interactive conversation");
  command
      ->add_option("--max-tokens", options.max_tokens,
                   "most tokens to generate (default: 256, or what the context holds)")
      ->check(CLI::Range(0, INT32_MAX));
  command->add_option("--seed", options.seed, "same seed, same text (default: random)")
      ->check(WholeNumber());
  command->add_flag("--greedy", options.greedy, "always the most likely token");
  command
      ->add_option("--temperature", options.sampling.temperature,
                   "0 is greedy (default: the sampler's option)")
      ->check(Between(0, 100));
  command->add_option("--top-k", options.sampling.top_k, "of the k most likely tokens only; 0: all")
      ->check(CLI::Range(0, INT32_MAX));
  command->add_option("--top-p", options.sampling.top_p, "of the most likely tokens that make up p")
      ->check(Between(0, 1));
  command
      ->add_option("--min-p", options.sampling.min_p,
                   "of tokens at least p times as likely as the best")
      ->check(Between(0, 1));
  command->add_option("--stop", options.stop, "end before this text; may be repeated")
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", options.ignore_eos, "go on where the model wants to end");
  command
      ->add_option("--logprobs", options.logprobs,
                   "log-probabilities of the K likeliest tokens of each step (--json)")
      ->check(CLI::Range(0, core::PickSlot::kMaxTop));
  command->add_flag("--raw", arguments->raw, "no chat template");
  command->add_flag("--json", arguments->json, "one JSON document instead of a stream");
  command->callback([arguments, prompt, token_ids, &exit_code] {
    arguments->has_prompt = prompt->count() > 0;
    arguments->has_token_ids = token_ids->count() > 0;
    arguments->session.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Run(*arguments);
  });
}

}  // namespace tenon::apps
