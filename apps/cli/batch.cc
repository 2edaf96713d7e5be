// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/batch.h"

#include <unistd.h>

#include "apps/batch/local_model.h"
#include "apps/cli/command.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

struct BatchArguments {
  SessionOptions session;
  batch::BatchOptions batch;
  bool json = false;
};

// A batch tells its lines' lengths and times in their answers; fields that nothing knows here.
class UnknownFields : public openai::CallObserver {
 public:
  void OnFirstToken(const std::string&, double) override {}
  void OnTokens(const std::string&, int32_t, double) override {}
  void OnDone(const openai::CallRecord&) override {}
  void OnUnknownField(std::string_view field) override {
    fmt::print(stderr, "tenon batch: field \"{}\" is not known and ignored\n", field);
  }
};

int Finish(const BatchArguments& arguments, const batch::BatchSummary& summary) {
  if (arguments.json) {
    const nlohmann::json json = {{"lines", summary.lines},         {"skipped", summary.skipped},
                                 {"succeeded", summary.succeeded}, {"failed", summary.failed},
                                 {"seconds", summary.seconds},     {"stopped", summary.stopped}};
    fmt::print("{}\n", json.dump());
  }
  fmt::print(stderr,
             "tenon batch: {} lines: {} answered, {} failed, {} answered before; {:.1f} s\n",
             summary.lines, summary.succeeded, summary.failed, summary.skipped, summary.seconds);
  if (summary.failed > 0) {
    fmt::print(stderr, "tenon batch: {} says why lines failed\n", arguments.batch.output);
  }
  if (!summary.stopped) return kSuccess;
  fmt::print(stderr, "tenon batch: stopped; the same command goes on from here\n");
  return kInterrupted;
}

int Batch(BatchArguments& arguments) {
  auto model = batch::LocalModel::Open(arguments.session);
  if (!model.ok()) return Report(model.error());
  const EngineFacts& facts = (*model)->Models().front()->facts;
  // Enough that the engine never waits for the next line.
  arguments.batch.in_flight = std::max<int64_t>(64, int64_t{2} * facts.max_sequences);
  UnknownFields observer;
  const openai::AdmissionLimits limits{.waiting_requests = INT64_MAX, .waiting_tokens = INT64_MAX};
  const auto api = openai::MakeApi(**model, observer, limits, {});
  const InterruptGuard interrupt;
  arguments.batch.stop = interrupt.Flag();
  const auto summary = batch::RunBatch(*api, arguments.batch);
  if (!summary.ok()) return Report(summary.error());
  return Finish(arguments, *summary);
}

}  // namespace

void AddBatch(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<BatchArguments>();
  CLI::App* command = app.add_subcommand(
      "batch",
      "answer a file of requests (OpenAI batch lines) into another; goes on where it was "
      "interrupted");
  AddPipelineArguments(*command, arguments->session);
  command->add_option("IN", arguments->batch.input, "request lines (.jsonl)")->required();
  command
      ->add_option("OUT", arguments->batch.output,
                   "answer lines are appended as they come; those there already are kept")
      ->required();
  command->add_flag("--json", arguments->json, "a summary as one JSON document");
  command->callback([arguments, &exit_code] {
    arguments->session.progress = arguments->batch.progress = isatty(STDERR_FILENO) != 0;
    exit_code = Batch(*arguments);
  });
}

}  // namespace tenon::apps
