// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "apps/cli/command.h"
#include "apps/cli/machine_limits.h"
#include "apps/compare/statistics.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchArguments {
  SessionOptions session;
  int32_t prompt_tokens = 512;
  int32_t gen_tokens = 128;
  std::string batch = "1";
  std::string depth = "0";
  int32_t repeat = 5;
  std::string adapter;
  bool machine = false;
  int32_t threads = 0;
  bool json = false;
};

// One round: `tokens` of each of `batch` sequences, after `depth` others.
struct Round {
  int32_t batch;
  int32_t depth;
  int32_t tokens;
  int32_t adapter;  // core::Request::adapter
};

struct Measured {
  const char* kind;
  int32_t batch;
  int32_t depth;
  int64_t tokens;  // of one repeat, all sequences together
  std::vector<double> rates;
  std::map<std::string, double> by_plugin;  // seconds a repeat
};

std::vector<int32_t> RandomTokens(std::mt19937& random, int32_t count, int32_t vocabulary) {
  std::uniform_int_distribution<int32_t> pick(0, vocabulary - 1);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = pick(random);
  return tokens;
}

void AddPluginSeconds(const core::Program& program, double share,
                      std::map<std::string, double>& to) {
  for (size_t i = 0; i < program.Steps().size(); ++i) {
    to[program.Steps()[i].component] +=
        static_cast<double>(program.Nanoseconds()[i]) * 1e-9 * share;
  }
}

Error Interrupted() { return {Status::kCancelled, "interrupted"}; }

// Seconds that the last `tokens` of each of `batch` prompts of depth + tokens take. Steps in which
// the depth ends count by their share of tokens.
Result<double> PrefillOnce(Session& session, const Round& round, std::mt19937& random,
                           const InterruptGuard& interrupt) {
  const auto [batch, depth, tokens, adapter] = round;
  core::Engine& engine = session.engine();
  for (int32_t i = 0; i < batch; ++i) {
    core::Request request;
    request.prompt = RandomTokens(random, depth + tokens, session.model().model->Info().vocabulary);
    request.max_tokens = 0;
    request.adapter = adapter;
    TENON_RETURN_IF_ERROR(engine.Submit(std::move(request)));
  }
  const int64_t skip = int64_t{batch} * depth;
  const int64_t start = engine.Stats().prompt_tokens;
  session.program().ResetTiming();
  double seconds = 0;
  for (int64_t before = 0;;) {
    const Clock::time_point begin = Clock::now();
    if (engine.Step() < 0) break;
    if (interrupt.Interrupted()) return Interrupted();
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    const int64_t after = engine.Stats().prompt_tokens - start;
    const auto counted = static_cast<double>(after - std::max(before, std::min(skip, after)));
    if (after > before) seconds += took * counted / static_cast<double>(after - before);
    before = after;
  }
  return seconds;
}

// Seconds that `tokens` more for each of `batch` sequences take, once all have their first.
Result<double> DecodeOnce(Session& session, const Round& round, std::mt19937& random,
                          const InterruptGuard& interrupt) {
  const auto [batch, depth, tokens, adapter] = round;
  core::Engine& engine = session.engine();
  int32_t started = 0;
  for (int32_t i = 0; i < batch; ++i) {
    core::Request request;
    request.prompt =
        RandomTokens(random, std::max(depth, 1), session.model().model->Info().vocabulary);
    request.max_tokens = tokens + 1;
    request.adapter = adapter;
    request.sampling.temperature = 0;
    request.on_event = [&started, first = true](const core::TokenEvent& event) mutable {
      started += first && event.token >= 0 ? 1 : 0;
      first = false;
    };
    TENON_RETURN_IF_ERROR(engine.Submit(std::move(request)));
  }
  while (started < batch) {
    if (engine.Step() < 0) {
      return Error{Status::kOutOfMemory, "the sequences do not fit together; make --batch smaller"};
    }
    if (interrupt.Interrupted()) return Interrupted();
  }
  session.program().ResetTiming();
  const int64_t before = engine.Stats().output_tokens;
  const Clock::time_point begin = Clock::now();
  while (engine.Step() >= 0) {
    if (interrupt.Interrupted()) return Interrupted();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  // Sequences that started early have fewer left to do: count what was done in this time.
  const int64_t done = engine.Stats().output_tokens - before;
  return seconds * batch * tokens / static_cast<double>(std::max<int64_t>(done, 1));
}

Result<Measured> Measure(Session& session, const BenchArguments& arguments, bool prefill,
                         int32_t batch, int32_t depth, const InterruptGuard& interrupt) {
  const auto adapter = AdapterNumber(session, arguments.adapter);
  TENON_RETURN_IF_ERROR(adapter);
  const int32_t tokens = prefill ? arguments.prompt_tokens : arguments.gen_tokens;
  const Round work{batch, depth, tokens, *adapter};
  Measured measured{prefill ? "prefill" : "decode", batch, depth, int64_t{batch} * tokens, {}, {}};
  std::mt19937 random(1234);
  // The first round warms caches and pages and is not counted.
  for (int32_t round = 0; round <= arguments.repeat; ++round) {
    auto seconds = prefill ? PrefillOnce(session, work, random, interrupt)
                           : DecodeOnce(session, work, random, interrupt);
    TENON_RETURN_IF_ERROR(seconds);
    if (round == 0) continue;
    measured.rates.push_back(static_cast<double>(measured.tokens) / *seconds);
    AddPluginSeconds(session.program(), 1.0 / arguments.repeat, measured.by_plugin);
  }
  std::sort(measured.rates.begin(), measured.rates.end());
  return measured;
}

nlohmann::json ToJson(const Measured& m) {
  return {{"kind", m.kind},
          {"batch", m.batch},
          {"depth", m.depth},
          {"tokens", m.tokens},
          {"tokens_per_s",
           {{"median", MedianOf(m.rates)}, {"min", m.rates.front()}, {"max", m.rates.back()}}},
          {"by_plugin", m.by_plugin}};
}

void PrintRow(const Measured& m) {
  double all = 0;
  for (const auto& [name, seconds] : m.by_plugin) all += seconds;
  std::string shares;
  for (const auto& [name, seconds] : m.by_plugin) {
    shares += fmt::format("  {} {:.0f}%", name, all > 0 ? 100 * seconds / all : 0);
  }
  fmt::print("{:<8} {:>5} {:>6} {:>7} {:>11.1f} {:>10.1f} {:>10.1f}  {}\n", m.kind, m.batch,
             m.depth, m.tokens, MedianOf(m.rates), m.rates.front(), m.rates.back(), shares);
  std::fflush(stdout);
}

// Before anything is allocated for them.
Result<void> CheckLengths(const BenchArguments& arguments, const std::vector<int32_t>& batches,
                          const std::vector<int32_t>& depths, int64_t context) {
  for (const int32_t batch : batches) {
    if (batch < 1) {
      return Error{Status::kInvalid, fmt::format("--batch is {}; at least 1 allowed", batch)};
    }
  }
  for (const int32_t depth : depths) {
    const int64_t most = std::max<int64_t>(int64_t{depth} + arguments.prompt_tokens,
                                           int64_t{std::max(depth, 1)} + arguments.gen_tokens + 1);
    if (depth < 0 || most > context) {
      return Error{Status::kInvalid,
                   fmt::format("--depth {} with --prompt-tokens {} and --gen-tokens {}: the "
                               "context holds {} tokens",
                               depth, arguments.prompt_tokens, arguments.gen_tokens, context)};
    }
  }
  return {};
}

int Bench(const BenchArguments& arguments) {
  auto batches = ParseIntegers(arguments.batch, "--batch");
  auto depths = ParseIntegers(arguments.depth, "--depth");
  for (const auto* list : {&batches, &depths}) {
    if (!list->ok()) return Report(list->error());
  }
  SessionOptions options = arguments.session;
  options.prefix_cache = false;
  options.sequences = *std::max_element(batches->begin(), batches->end());
  auto opened = Session::Open(options);
  if (!opened.ok()) return Report(opened.error());
  Session& session = **opened;
  const auto lengths = CheckLengths(arguments, *batches, *depths, session.engine().MaxContext());
  if (!lengths.ok()) return Report(lengths.error());
  session.program().SetTiming(true);
  const DeviceInfo device = session.device().Info();
  const std::string isa{std::string_view(device.isa)};
  const InterruptGuard interrupt;
  nlohmann::json results = nlohmann::json::array();
  if (!arguments.json) {
    fmt::print("model {}   device {} ({}), {} threads\n", session.model().model->Info().name,
               std::string_view(device.kind), isa, device.lanes);
    fmt::print("{:<8} {:>5} {:>6} {:>7} {:>11} {:>10} {:>10}   time by plugin\n", "kind", "batch",
               "depth", "tokens", "tok/s", "min", "max");
  }
  for (const int32_t batch : *batches) {
    for (const int32_t depth : *depths) {
      for (const bool prefill : {true, false}) {
        if ((prefill ? arguments.prompt_tokens : arguments.gen_tokens) == 0) continue;
        auto measured = Measure(session, arguments, prefill, batch, depth, interrupt);
        if (!measured.ok()) return Report(measured.error());
        if (arguments.json) {
          results.push_back(ToJson(*measured));
        } else {
          PrintRow(*measured);
        }
      }
    }
  }
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"model", session.model().model->Info().name},
                                      {"pipeline", arguments.session.pipeline},
                                      {"isa", isa},
                                      {"threads", device.lanes},
                                      {"results", std::move(results)}}
                           .dump());
  }
  return kSuccess;
}

int BenchMachine(const BenchArguments& arguments) {
  const cpu::IsaChoice& choice = cpu::EnvironmentIsa();
  if (choice.status != Status::kOk) return Report({choice.status, choice.message});
  const int32_t threads = arguments.threads > 0
                              ? arguments.threads
                              : static_cast<int32_t>(std::thread::hardware_concurrency());
  const MachineLimits limits = MeasureMachine(choice.isa, std::max(threads, 1));
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"isa", limits.isa},
                                      {"threads", limits.threads},
                                      {"ops_per_s", limits.ops_per_s},
                                      {"read_bytes_per_s", limits.read_bytes_per_s}}
                           .dump());
    return kSuccess;
  }
  fmt::print("{} threads, {}\n", limits.threads, limits.isa);
  for (const auto& [type, rate] : limits.ops_per_s) {
    fmt::print("{:<5} {:8.2f} TOP/s   multiply-adds on registers, two operations each\n", type,
               rate * 1e-12);
  }
  fmt::print("read  {:8.1f} GB/s    out of memory\n", limits.read_bytes_per_s * 1e-9);
  return kSuccess;
}

}  // namespace

void AddBench(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand("bench", "prefill and decode rates on random tokens");
  AddPipelineArguments(*command, arguments->session);
  CLI::Option* pipeline = command->get_option("PIPELINE");
  pipeline->required(false);
  AddAdapterArgument(*command, arguments->adapter);
  command
      ->add_option("--prompt-tokens", arguments->prompt_tokens,
                   "tokens a prompt; 0: no prefill rows")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--gen-tokens", arguments->gen_tokens, "tokens to generate; 0: no decode rows")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--batch", arguments->batch, "sequences at once, a list such as 1,8")
      ->capture_default_str();
  command
      ->add_option("--depth", arguments->depth,
                   "tokens in the context before, a list such as 0,1024")
      ->capture_default_str();
  command->add_option("--repeat", arguments->repeat, "counted runs, after one that is not")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--machine", arguments->machine,
                    "measure this machine's limits instead (arithmetic peaks, memory reads)");
  command
      ->add_option("--threads", arguments->threads,
                   "with --machine: threads at once; 0: all processors")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, pipeline, &exit_code] {
    if (arguments->machine) {
      exit_code = BenchMachine(*arguments);
      return;
    }
    if (pipeline->count() == 0) throw CLI::RequiredError("PIPELINE");
    arguments->session.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Bench(*arguments);
  });
}

}  // namespace tenon::apps
