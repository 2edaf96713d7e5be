// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "apps/cli/command.h"
#include "apps/compare/ablation.h"
#include "apps/compare/comparison.h"
#include "apps/compare/report_html.h"
#include "apps/compare/report_json.h"
#include "apps/compare/report_text.h"
#include "apps/compare/verdict.h"
#include "apps/compare/workload.h"
#include "apps/report/page.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMaxTextBytes = size_t{256} << 20;

struct CompareArguments {
  std::string a, b, ablate;
  std::vector<std::string> set_a, set_b, plugin_dirs;
  std::string workload, text_file, html;
  int32_t prompts = 12;
  int32_t gen_tokens = 64;
  CompareOptions options;
  Thresholds thresholds;
  bool json = false;
};

Result<Arm> OpenArm(const std::string& path, const std::vector<std::string>& overrides,
                    const CompareArguments& arguments) {
  Arm arm;
  arm.options.pipeline = path;
  arm.options.overrides = overrides;
  arm.options.plugin_dirs = arguments.plugin_dirs;
  arm.options.sequences = arguments.options.concurrency;
  arm.options.prefix_cache =
      false;  // prompts come again and again, and are to be computed each time
  arm.options.logit_rows = std::min(arguments.options.window, 128);
  auto session = Session::Open(arm.options);
  TENON_RETURN_IF_ERROR(session);
  arm.session = std::move(*session);
  return arm;
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

Result<std::vector<WorkItem>> Requests(const CompareArguments& arguments, const Session& session) {
  if (!arguments.workload.empty()) {
    return ReadWorkload(arguments.workload, session, arguments.gen_tokens);
  }
  return BuiltInWorkload(session, arguments.prompts, arguments.gen_tokens);
}

void PrintJson(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// Says on a terminal how far it is.
void ShowShare(const std::string& what, double share) {
  if (isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r{} {:3.0f} %{}", what, 100 * share, share >= 1 ? "\n" : "");
}

Result<int> Ablate(const CompareArguments& arguments) {
  auto whole = OpenArm(arguments.ablate, arguments.set_a, arguments);
  TENON_RETURN_IF_ERROR(whole);
  core::Registry registry;
  FillRegistry(registry, arguments.plugin_dirs);
  auto pipeline = core::LoadPipeline(arguments.ablate, arguments.set_a, registry);
  TENON_RETURN_IF_ERROR(pipeline);
  auto items = Requests(arguments, *whole->session);
  TENON_RETURN_IF_ERROR(items);
  auto forced = Windows(arguments, *whole->session);
  TENON_RETURN_IF_ERROR(forced);
  const AblationParts parts{&*whole, std::move(*items), std::move(*forced), arguments.options};
  const std::vector<Switch> switches = SwitchesOf(*pipeline, registry);
  const InterruptGuard interrupt;
  auto rows = RunAblation(parts, switches, interrupt.Flag(), [&](size_t row, double share) {
    ShowShare(fmt::format("{}/{} {}", row + 1, switches.size(), switches[row].component), share);
  });
  TENON_RETURN_IF_ERROR(rows);
  const ArmText text = ArmTextOf(arguments.ablate, *whole->session);
  if (!arguments.html.empty()) {
    TENON_RETURN_IF_ERROR(WritePage(arguments.html, AblationHtml(text, *rows)));
  }
  if (arguments.json) {
    PrintJson(AblationJson(text, *rows));
  } else {
    fmt::print("{}", AblationText(text, *rows));
  }
  return kSuccess;
}

Result<int> Compare(CompareArguments& arguments) {
  auto a = OpenArm(arguments.a, arguments.set_a, arguments);
  TENON_RETURN_IF_ERROR(a);
  auto b = OpenArm(arguments.b, arguments.set_b, arguments);
  TENON_RETURN_IF_ERROR(b);
  auto items = Requests(arguments, *a->session);
  TENON_RETURN_IF_ERROR(items);
  auto forced = Windows(arguments, *a->session);
  TENON_RETURN_IF_ERROR(forced);
  const int32_t vocabularies[] = {a->session->model().model->Info().vocabulary,
                                  b->session->model().model->Info().vocabulary};
  arguments.options.quality = vocabularies[0] == vocabularies[1];
  if (!arguments.options.quality) {
    fmt::print(stderr,
               "tenon: the arms have vocabularies of {} and {} tokens: speed alone is "
               "compared\n",
               vocabularies[0], vocabularies[1]);
  }
  const InterruptGuard interrupt;
  auto comparison = RunComparison(*a, *b, *items, *forced, arguments.options, interrupt.Flag(),
                                  [](double share) { ShowShare("comparing", share); });
  TENON_RETURN_IF_ERROR(comparison);
  const Verdict verdict = Judge(*comparison, arguments.thresholds);
  const ArmText text_a = ArmTextOf(arguments.a, *a->session);
  const ArmText text_b = ArmTextOf(arguments.b, *b->session);
  if (!arguments.html.empty()) {
    TENON_RETURN_IF_ERROR(
        WritePage(arguments.html, ReportHtml(text_a, text_b, *comparison, verdict)));
  }
  if (arguments.json) {
    PrintJson(CompareJson(text_a, text_b, *comparison, verdict));
  } else {
    fmt::print("{}", CompareText(text_a, text_b, *comparison, verdict));
  }
  return verdict.passed ? kSuccess : kFailure;
}

void AddThreshold(CLI::App& command, const char* name, std::optional<double>& to,
                  const char* text) {
  command
      .add_option_function<double>(
          name, [&to](const double& value) { to = value; }, text)
      ->excludes("--ablate");
}

void AddOptions(CLI::App& command, CompareArguments& arguments) {
  CLI::Option* a = command.add_option("A", arguments.a, "pipeline, a YAML file");
  CLI::Option* b = command.add_option("B", arguments.b, "the pipeline to judge against A");
  command
      .add_option("--ablate", arguments.ablate,
                  "instead of A and B: switch each plugin of this pipeline to the default in turn")
      ->excludes(a)
      ->excludes(b);
  command
      .add_option("--set-a", arguments.set_a,
                  "override one value of A, or of --ablate's pipeline: family.key=value")
      ->allow_extra_args(false);
  command.add_option("--set-b", arguments.set_b, "override one value of B: family.key=value")
      ->excludes("--ablate")
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
                  "instances of both arms, opened anew; each prompt meets each pair once (A B B A)")
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
    if (arguments->ablate.empty() && (arguments->a.empty() || arguments->b.empty())) {
      throw CLI::RequiredError("A and B, or --ablate,");
    }
    auto code = arguments->ablate.empty() ? Compare(*arguments) : Ablate(*arguments);
    exit_code = code.ok() ? *code : Report(code.error());
  });
}

}  // namespace tenon::apps
