// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/pull.h"

#include <unistd.h>

#include <thread>

#include "apps/cli/command.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

struct PullArguments {
  std::string name;
  bool json = false;
};

void ShowProgress(const PullProgress& progress) {
  std::string line = std::string(progress.phase);
  if (progress.total_bytes > 0) {
    line += fmt::format(" {:>3}%  {:.1f} of {:.1f} MB",
                        100 * progress.done_bytes / progress.total_bytes,
                        static_cast<double>(progress.done_bytes) * 1e-6,
                        static_cast<double>(progress.total_bytes) * 1e-6);
  } else if (progress.done_bytes > 0) {
    line += fmt::format(" {:.1f} MB", static_cast<double>(progress.done_bytes) * 1e-6);
  }
  fmt::print(stderr, "\r{:<60}", line);
}

int PullCommand(const PullArguments& arguments) {
  const InterruptGuard interrupt;
  std::atomic<bool> cancel{false};
  const bool terminal = isatty(STDERR_FILENO) != 0;
  PullOptions options;
  options.cancel = &cancel;
  options.progress = [&](const PullProgress& progress) {
    if (interrupt.Interrupted()) cancel = true;
    if (terminal) ShowProgress(progress);
  };
  auto path = Pull(arguments.name, options);
  if (terminal) fmt::print(stderr, "\r{:<60}\r", "");
  if (!path.ok()) return Report(path.error());
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"name", arguments.name}, {"path", path->string()}}.dump());
  } else {
    fmt::print("{}\n", path->string());
  }
  return kSuccess;
}

}  // namespace

void AddPull(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<PullArguments>();
  CLI::App* command =
      app.add_subcommand("pull", "fetch a known model, check it and store it; prints where");
  std::string known;
  for (const std::string& name : KnownModelNames()) known += (known.empty() ? "" : ", ") + name;
  command->add_option("NAME", arguments->name, "one of " + known)->required();
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, &exit_code] { exit_code = PullCommand(*arguments); });
}

}  // namespace tenon::apps
