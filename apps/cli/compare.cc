// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "apps/cli/command.h"
#include "apps/compare/comparison.h"
#include "apps/compare/report_html.h"
#include "apps/compare/verdict.h"
#include "apps/compare/workload.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMaxTextBytes = size_t{256} << 20;

struct CompareArguments {
  std::string a, b;
  std::vector<std::string> set_a, set_b, plugin_dirs;
  std::string workload, text_file, html;
  int32_t prompts = 12;
  int32_t gen_tokens = 64;
  CompareOptions options;
  Thresholds thresholds;
  bool json = false;
};

nlohmann::json ToJson(const Estimate& e) {
  // JSON has no infinity: an interval without end is null.
  const auto number = [](double x) {
    return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json();
  };
  return {{"value", number(e.value)},           {"low", number(e.low)}, {"high", number(e.high)},
          {"detectable", number(e.detectable)}, {"samples", e.samples}, {"found", e.Found()}};
}

// Log ratios as ratios.
nlohmann::json RatioJson(const Estimate& e) {
  return ToJson({std::exp(e.value), std::exp(e.low), std::exp(e.high), std::exp(e.detectable) - 1,
                 e.samples});
}

nlohmann::json SpeedJson(const Comparison& comparison) {
  nlohmann::json out = nlohmann::json::array();
  for (const SpeedRow& row : comparison.speed) {
    nlohmann::json gain = RatioJson(row.gain);
    gain["found"] = row.gain.Found();
    out.push_back({{"name", row.name},
                   {"unit", row.unit},
                   {"a", row.a},
                   {"b", row.b},
                   {"speed_of_b_over_a", std::move(gain)},
                   {"each_a", row.each_a},
                   {"each_b", row.each_b}});
  }
  return out;
}

nlohmann::json QualityJson(const Quality& q) {
  nlohmann::json parts = nlohmann::json::array();
  for (const Divergence& d : q.divergences) {
    parts.push_back({{"prompt", d.prompt},
                     {"token", d.token},
                     {"chosen_a", d.chosen_a},
                     {"chosen_b", d.chosen_b},
                     {"gap", d.gap ? nlohmann::json(*d.gap) : nlohmann::json()}});
  }
  nlohmann::json ppl = RatioJson(q.nll_change);
  ppl["found"] = q.nll_change.Found();
  return {{"identical_outputs", ToJson(q.identical)},
          {"divergences", std::move(parts)},
          {"positions", q.positions},
          {"kl", ToJson(q.kl)},
          {"largest_kl", q.largest_kl},
          {"same_top", ToJson(q.same_top)},
          {"ppl_a", q.ppl_a},
          {"ppl_b", q.ppl_b},
          {"ppl_of_b_over_a", std::move(ppl)}};
}

ArmText TextOf(const std::string& path, const Session& session, core::Program& program) {
  const core::ProgramMemory& memory = program.Memory();
  return {path, session.pipeline().text,
          memory.weights_bytes + memory.kv_bytes + memory.arena_bytes + memory.scratch_bytes,
          session.load_ms()};
}

nlohmann::json ArmJson(const ArmText& arm) {
  return {{"file", arm.title},
          {"pipeline", arm.pipeline},
          {"memory_bytes", arm.memory_bytes},
          {"load_ms", arm.load_ms}};
}

void PrintText(const ArmText& a, const ArmText& b, const Comparison& comparison,
               const Verdict& verdict) {
  fmt::print("A  {}   {:.1f} MB, loaded in {:.0f} ms\nB  {}   {:.1f} MB, loaded in {:.0f} ms\n\n",
             a.title, static_cast<double>(a.memory_bytes) * 1e-6, a.load_ms, b.title,
             static_cast<double>(b.memory_bytes) * 1e-6, b.load_ms);
  fmt::print("{:<24}{:>12}{:>12}   B is faster by (interval)\n", "speed", "A", "B");
  for (const SpeedRow& row : comparison.speed) {
    fmt::print("{:<24}{:>12.3f}{:>12.3f}   {:.3f} ({:.3f} to {:.3f}){}\n",
               fmt::format("{}, {}", row.name, row.unit), row.a, row.b, std::exp(row.gain.value),
               std::exp(row.gain.low), std::exp(row.gain.high), row.gain.Found() ? " *" : "");
  }
  fmt::print("\n{:<24}{:>12}{:>12}\n", "time by plugin, s", "A", "B");
  std::map<std::string, std::pair<double, double>> plugins;
  for (const auto& [name, seconds] : comparison.plugins_a) plugins[name].first = seconds;
  for (const auto& [name, seconds] : comparison.plugins_b) plugins[name].second = seconds;
  for (const auto& [name, seconds] : plugins) {
    fmt::print("  {:<22}{:>12.3f}{:>12.3f}\n", name, seconds.first, seconds.second);
  }
  if (comparison.quality) {
    const auto& parts = comparison.quality->divergences;
    if (!parts.empty())
      fmt::print("\nwhere outputs part (prompt, token, A's gap between the two)\n");
    for (size_t i = 0; i < std::min<size_t>(parts.size(), 10); ++i) {
      fmt::print("  {:>4} {:>5}   {}\n", parts[i].prompt + 1, parts[i].token + 1,
                 parts[i].gap ? fmt::format("{:.4f}", *parts[i].gap) : "beyond the choices kept");
    }
  }
  fmt::print("\n{}\n", verdict.text);
  for (const std::string& failure : verdict.failures) fmt::print("failed: {}\n", failure);
}

Result<std::unique_ptr<Session>> OpenArm(const std::string& path,
                                         const std::vector<std::string>& overrides,
                                         const CompareArguments& arguments) {
  SessionOptions options;
  options.pipeline = path;
  options.overrides = overrides;
  options.plugin_dirs = arguments.plugin_dirs;
  options.sequences = arguments.options.concurrency;
  options.prefix_cache = false;  // prompts come again and again, and are to be computed each time
  options.logit_rows = std::min(arguments.options.window, 128);
  return Session::Open(options);
}

// Consecutive windows of the text's tokens.
Result<std::vector<std::vector<int32_t>>> Windows(const CompareArguments& arguments,
                                                  const Session& session) {
  std::vector<std::vector<int32_t>> out;
  if (arguments.text_file.empty()) return out;
  auto text = ReadFile(arguments.text_file, kMaxTextBytes);
  TENON_RETURN_IF_ERROR(text);
  if (session.tokenizer() == nullptr) {
    return Error{Status::kUnsupported, "--text-file: the model has no usable tokenizer"};
  }
  auto ids = session.tokenizer()->Encode(*text, {});
  TENON_RETURN_IF_ERROR(ids);
  const auto window = static_cast<std::ptrdiff_t>(arguments.options.window);
  for (auto at = ids->begin();
       ids->end() - at >= window && out.size() < static_cast<size_t>(arguments.options.windows);
       at += window) {
    out.emplace_back(at, at + window);
  }
  if (out.empty()) {
    return Error{Status::kInvalid, fmt::format("{} has {} tokens, less than one window of {}",
                                               arguments.text_file, ids->size(), window)};
  }
  return out;
}

Result<void> WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error{Status::kInvalid, fmt::format("{}: cannot be written", path)};
  return {};
}

Result<int> Compare(CompareArguments& arguments) {
  auto a = OpenArm(arguments.a, arguments.set_a, arguments);
  TENON_RETURN_IF_ERROR(a);
  auto b = OpenArm(arguments.b, arguments.set_b, arguments);
  TENON_RETURN_IF_ERROR(b);
  auto items = arguments.workload.empty()
                   ? Result<std::vector<WorkItem>>(
                         BuiltInWorkload(**a, arguments.prompts, arguments.gen_tokens))
                   : ReadWorkload(arguments.workload, **a, arguments.gen_tokens);
  TENON_RETURN_IF_ERROR(items);
  auto forced = Windows(arguments, **a);
  TENON_RETURN_IF_ERROR(forced);
  const int32_t vocabularies[] = {(*a)->model().model->Info().vocabulary,
                                  (*b)->model().model->Info().vocabulary};
  arguments.options.quality = vocabularies[0] == vocabularies[1];
  if (!arguments.options.quality) {
    fmt::print(stderr,
               "tenon: the arms have vocabularies of {} and {} tokens: speed alone is "
               "compared\n",
               vocabularies[0], vocabularies[1]);
  }
  const InterruptGuard interrupt;
  std::function<void(double)> progress;
  if (isatty(STDERR_FILENO) != 0) {
    progress = [](double share) {
      fmt::print(stderr, "\rcomparing {:3.0f} %{}", 100 * share, share >= 1 ? "\n" : "");
    };
  }
  auto comparison =
      RunComparison(**a, **b, *items, *forced, arguments.options, interrupt.Flag(), progress);
  TENON_RETURN_IF_ERROR(comparison);
  const Verdict verdict = Judge(*comparison, arguments.thresholds);
  const ArmText text_a = TextOf(arguments.a, **a, (*a)->program());
  const ArmText text_b = TextOf(arguments.b, **b, (*b)->program());
  if (!arguments.html.empty()) {
    TENON_RETURN_IF_ERROR(
        WriteFile(arguments.html, ReportHtml(text_a, text_b, *comparison, verdict)));
  }
  if (!arguments.json) {
    PrintText(text_a, text_b, *comparison, verdict);
    return verdict.passed ? kSuccess : kFailure;
  }
  nlohmann::json document = {
      {"a", ArmJson(text_a)},
      {"b", ArmJson(text_b)},
      {"speed", SpeedJson(*comparison)},
      {"plugin_seconds", {{"a", comparison->plugins_a}, {"b", comparison->plugins_b}}},
      {"verdict",
       {{"passed", verdict.passed},
        {"difference", verdict.difference},
        {"text", verdict.text},
        {"failures", verdict.failures}}}};
  document["quality"] = comparison->quality ? QualityJson(*comparison->quality) : nlohmann::json();
  fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return verdict.passed ? kSuccess : kFailure;
}

template <typename T>
void AddThreshold(CLI::App& command, const char* name, std::optional<T>& to, const char* text) {
  command.add_option_function<T>(
      name, [&to](const T& value) { to = value; }, text);
}

void AddOptions(CLI::App& command, CompareArguments& arguments) {
  command.add_option("A", arguments.a, "pipeline, a YAML file")->required();
  command.add_option("B", arguments.b, "the pipeline to judge against A")->required();
  command.add_option("--set-a", arguments.set_a, "override one value of A: family.key=value")
      ->allow_extra_args(false);
  command.add_option("--set-b", arguments.set_b, "override one value of B: family.key=value")
      ->allow_extra_args(false);
  command.add_option("--plugin-dir", arguments.plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
  command.add_option("--workload", arguments.workload,
                     "JSON Lines of {\"prompt\": …} or {\"token_ids\": […]}, with \"max_tokens\"");
  command.add_option("--prompts", arguments.prompts, "built-in prompts, without --workload")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_option("--gen-tokens", arguments.gen_tokens, "tokens to generate for each prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--repeat", arguments.options.repeat,
                  "times that each prompt meets both arms (A B B A)")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      .add_option("--requests", arguments.options.requests,
                  "requests of one throughput run; 0: as many as there are prompts")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command.add_option("--concurrency", arguments.options.concurrency, "of the throughput runs")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_option("--text-file", arguments.text_file,
                     "text for KL and perplexity; otherwise the prompts with A's outputs");
  command.add_option("--window", arguments.options.window, "tokens of one such text")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();
  command.add_option("--windows", arguments.options.windows, "how many out of --text-file")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  AddThreshold(command, "--max-kl", arguments.thresholds.max_kl,
               "fail if B's mean KL divergence is above this, nats a position");
  AddThreshold(command, "--max-ppl-increase", arguments.thresholds.max_ppl_increase,
               "fail if B's perplexity is more than this many per cent above A's");
  AddThreshold(command, "--min-speedup", arguments.thresholds.min_speedup,
               "fail if B is not this many times as fast as A over a whole request");
  command.add_option("--html", arguments.html, "write a report with plots here");
  command.add_flag("--json", arguments.json, "one JSON document");
}

}  // namespace

void AddCompare(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command =
      app.add_subcommand("compare", "what swapping A for B does to speed and to quality");
  AddOptions(*command, *arguments);
  command->callback([arguments, &exit_code] {
    auto code = Compare(*arguments);
    exit_code = code.ok() ? *code : Report(code.error());
  });
}

}  // namespace tenon::apps
