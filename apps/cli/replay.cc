// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "apps/batch/progress.h"
#include "apps/cli/command.h"
#include "apps/engine/engine_identity.h"
#include "apps/engine/local_client.h"
#include "apps/record/record_reader.h"
#include "apps/record/record_writer.h"
#include "apps/record/replay_report.h"
#include "apps/report/page.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

using record::RecordedEngine;
using record::RecordedRequest;
using record::RecordedRun;
using record::ReplayReport;

constexpr const char* kFooter = R"(
Every request is sent when it came, and is asked for with the tokens, seeds and options that it had. A
choice that was cancelled is cancelled again when it has as many tokens; what both sides have of it is
compared. A stop string cancels its choice.
  identical       all tokens are the same, and so is the end
  same so far     one side was cut off; up to there all is the same
  not comparable  cut off before there was a token on both sides
  failed          an error that the recording has not
  changed         from the token named, counted from 0
Times: TTFT from sending to the first token; TPOT between tokens, the mean of a choice; whole: to the
last token. Recorded ones were taken by the server behind HTTP.
Exit code: 0 nothing changed or failed, 1 something did, 130 stopped by Ctrl-C.)";

struct ReplayArguments {
  std::string folder, run, model, html;
  SessionOptions session;
  double speed = 1;
  bool all_at_once = false, json = false, detail = false, quiet = false;
};

// The engines of the model that is to be replayed.
Result<std::set<int32_t>> EnginesOf(const RecordedRun& run, const std::string& model) {
  std::set<std::string> models;
  for (const RecordedEngine& engine : run.engines) models.insert(engine.model);
  if (models.size() > 1 && model.empty()) {
    return Error{Status::kInvalid, fmt::format("the recording has several models; choose one with "
                                               "--model: {}",
                                               fmt::join(models, ", "))};
  }
  if (!model.empty() && !models.contains(model)) {
    return Error{Status::kNotFound, fmt::format("--model: \"{}\" is not in the recording; {}",
                                                model, fmt::join(models, ", "))};
  }
  std::set<int32_t> numbers;
  for (const RecordedEngine& engine : run.engines) {
    if (model.empty() || engine.model == model) numbers.insert(engine.number);
  }
  return numbers;
}

// The engine that took most of the requests. REQUIRES: there are some.
const RecordedEngine& MainEngine(const RecordedRun& run,
                                 const std::vector<RecordedRequest>& requests) {
  std::map<int32_t, int64_t> counts;
  for (const RecordedRequest& request : requests) ++counts[request.engine];
  return *std::max_element(run.engines.begin(), run.engines.end(),
                           [&](const RecordedEngine& a, const RecordedEngine& b) {
                             return counts[a.number] < counts[b.number];
                           });
}

// Those of the engines, by arrival.
std::vector<RecordedRequest> RequestsOf(RecordedRun& run, const std::set<int32_t>& engines) {
  std::vector<RecordedRequest> requests;
  for (RecordedRequest& request : run.requests) {
    if (engines.contains(request.engine)) requests.push_back(std::move(request));
  }
  run.requests.clear();
  std::stable_sort(requests.begin(), requests.end(),
                   [](const RecordedRequest& a, const RecordedRequest& b) {
                     return a.arrival_us < b.arrival_us;
                   });
  return requests;
}

Result<void> Show(const ReplayArguments& arguments, const ReplayReport& report) {
  if (!arguments.html.empty()) {
    TENON_RETURN_IF_ERROR(WritePage(arguments.html, ReplayHtml(report)));
  }
  fmt::print("{}",
             arguments.json ? ReplayJson(report, arguments.detail) + "\n" : ReplayText(report));
  return {};
}

// The pipeline asked for, or the one recorded.
Result<std::unique_ptr<Session>> OpenSession(const ReplayArguments& arguments,
                                             const RecordedEngine& engine) {
  SessionOptions options = arguments.session;
  if (options.pipeline.empty()) {
    options.pipeline = engine.pipeline;
    options.text = engine.identity.resolved;
    if (options.text.empty()) {
      return Error{Status::kInvalid, "the recording names no pipeline; choose one with --pipeline"};
    }
  }
  return Session::Open(options);
}

int ExitCode(const ReplayReport& report) {
  if (report.run.stopped) return kInterrupted;
  const auto count = [&](record::Outcome outcome) {
    return report.differences.counts[static_cast<size_t>(outcome)];
  };
  const bool same = count(record::Outcome::kChanged) + count(record::Outcome::kFailed) == 0;
  return same ? kSuccess : kFailure;
}

Result<int> Replay(const ReplayArguments& arguments) {
  auto run = record::ReadRun(arguments.folder, arguments.run);
  TENON_RETURN_IF_ERROR(run);
  auto engines = EnginesOf(*run, arguments.model);
  TENON_RETURN_IF_ERROR(engines);
  const std::vector<RecordedRequest> requests = RequestsOf(*run, *engines);
  if (requests.empty()) {
    return Error{Status::kInvalid,
                 fmt::format("{}: the run {} holds no request", arguments.folder, run->name)};
  }
  ReplayReport report;
  report.folder = arguments.folder;
  report.recording = &*run;
  report.engine = &MainEngine(*run, requests);
  report.requests = requests;
  report.speed = arguments.all_at_once ? std::numeric_limits<double>::infinity() : arguments.speed;
  const InterruptGuard interrupt;
  auto session = OpenSession(arguments, *report.engine);
  TENON_RETURN_IF_ERROR(session);
  report.pipeline = (*session)->pipeline().file;
  report.identity = IdentityOf(**session);
  report.plugins = record::PluginChanges(report.engine->identity, report.identity);
  report.notes = record::NotesOf(*run, !(*session)->front_rules().empty());
  if (engines->size() > 1) {
    report.notes.push_back(fmt::format(
        "the model was loaded {} times; compared with the engine that took most requests",
        engines->size()));
  }
  const std::unique_ptr<EngineClient> client = MakeLocalClient(std::move(*session));
  if (client->Facts().workers > 1) {
    report.notes.push_back(
        fmt::format("the pipeline has {} workers; one replays", client->Facts().workers));
  }
  batch::Progress progress(!arguments.quiet && isatty(STDERR_FILENO) != 0,
                           static_cast<int64_t>(requests.size()));
  const record::ReplayOptions options{
      report.speed, interrupt.Flag(),
      [&](const record::ReplayProgress& now) { progress.Show(now.ended, 0, 0); }};
  report.run = record::Replay(*client, requests, options);
  progress.End();
  report.differences = record::Compare(requests, report.run);
  TENON_RETURN_IF_ERROR(Show(arguments, report));
  return ExitCode(report);
}

void AddReplayOptions(CLI::App& command, ReplayArguments& arguments) {
  command.add_option("DIR", arguments.folder, "what `tenon serve --record DIR` wrote")->required();
  command.add_option("--pipeline", arguments.session.pipeline,
                     "pipeline that replays it (default: the recorded one)");
  command
      .add_option("--set", arguments.session.overrides,
                  "override one value of the pipeline: family.key=value")
      ->allow_extra_args(false);
  command
      .add_option("--plugin-dir", arguments.session.plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
  command.add_option("--run", arguments.run,
                     "which of the folder's runs: the part of its files' names before -0001 "
                     "(default: the latest)");
  command.add_option("--model", arguments.model, "which of a recording's models, as it was served");
  CLI::Option* speed =
      command.add_option("--speed", arguments.speed, "times as fast as it was recorded")
          ->check(CLI::Range(1e-3, 1e6))
          ->capture_default_str();
  command
      .add_flag("--as-fast-as-possible", arguments.all_at_once,
                "all requests at once; times then say how long they waited")
      ->excludes(speed);
  command.add_flag("--json", arguments.json, "one JSON document");
  command.add_flag("--save-detailed", arguments.detail, "with --json: each request as well");
  command.add_option("--html", arguments.html, "write a page with plots here");
  command.add_flag("--disable-tqdm", arguments.quiet, "no progress");
}

}  // namespace

void AddRecordArguments(CLI::App& command, record::RecordOptions& options) {
  CLI::Option* record =
      command.add_option("--record", options.folder,
                         "record requests in this folder: tokens, seeds, options and times, for "
                         "`tenon replay`");
  command.add_flag("--record-text", options.text, "with --record: texts as well")->needs(record);
  command
      .add_option("--record-max-mib", options.most_mib,
                  "most MiB of a recording; its oldest file goes")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->needs(record);
}

void AddReplay(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* command = app.add_subcommand(
      "replay", "a recorded load on a pipeline again: which outputs changed, and from where on");
  AddReplayOptions(*command, *arguments);
  command->footer(kFooter);
  command->callback([arguments, &exit_code] {
    arguments->session.progress = !arguments->quiet && isatty(STDERR_FILENO) != 0;
    auto code = Replay(*arguments);
    exit_code = code.ok() ? *code : Report(code.error());
  });
}

}  // namespace tenon::apps
