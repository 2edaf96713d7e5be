// SPDX-License-Identifier: Apache-2.0
#include "apps/check/check.h"

#include "apps/check/child.h"
#include "apps/cli/command.h"
#include "apps/cli/machine_limits.h"
#include "fmt/format.h"
#include "tenon/types.h"

namespace tenon::apps {
namespace {

struct CheckArguments {
  CheckOptions options;
  bool json = false;
  std::string child, subject, device, yardstick;  // set by the command itself
};

int Check(const CheckArguments& arguments) {
  if (!arguments.child.empty()) {
    ComponentPlace subject = ComponentPlace::Parse(arguments.subject);
    subject.file = arguments.options.plugin;
    return RunCheckChild({arguments.child, subject, ComponentPlace::Parse(arguments.device),
                          ComponentPlace::Parse(arguments.yardstick),
                          arguments.options.plugin_dirs});
  }
  const InterruptGuard guard;
  CheckOptions options = arguments.options;
  options.interrupted = [&] { return guard.Interrupted(); };
  options.limits = [] {
    const MachineLimits limits = MeasureMachine(cpu::ActiveIsa(), 1);
    return ThreadLimits{limits.ops_per_s, limits.read_bytes_per_s};
  };
  const auto result = CheckPlugin(options);
  if (!result.ok()) return Report(result.error());
  if (!Show(arguments.json ? CheckJson(*result) : CheckText(*result))) return kFailure;
  return result->passed() ? kSuccess : kFailure;
}

}  // namespace

void AddCheck(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  CheckOptions& options = arguments->options;
  CLI::App* command = app.add_subcommand(
      "check",
      "the conformance tests, on a plugin; measured rates stand beside what one thread of this "
      "machine can do");
  command->add_option("PLUGIN", options.plugin, "the plugin's file, such as build/acme_top_a.so")
      ->required();
  command->add_option("--family", options.family, "only components of this family")
      ->check(CLI::IsMember(
          std::vector<std::string>(std::begin(kFamilyNames), std::end(kFamilyNames))));
  command->add_option("--component", options.component, "only the component of this name");
  command->add_option("--only", options.only,
                      "only tests whose names begin so, e.g. attention.numbers");
  command->add_flag("--strict", options.strict, "a warning counts as a failure");
  command->add_option("--timeout", options.timeout_seconds, "seconds that a test may take")
      ->check(Between(0.1f, 86400));
  command
      ->add_option("--plugin-dir", options.plugin_dirs, "look for the device's plugin here as well")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "one JSON document");
  // How the command runs itself, once a test.
  command->add_option("--child", arguments->child)->group("");
  command->add_option("--subject", arguments->subject)->group("");
  command->add_option("--device", arguments->device)->group("");
  command->add_option("--yardstick", arguments->yardstick)->group("");
  command->callback([arguments, &exit_code] { exit_code = Check(*arguments); });
}

}  // namespace tenon::apps
