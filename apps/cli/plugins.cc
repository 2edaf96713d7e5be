// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"
#include "core/pipeline/schema.h"
#include "core/plugins/report.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

struct PluginsArguments {
  std::vector<std::string> plugin_dirs;
  std::string describe;
  bool why = false;
  bool schema = false;
  bool json = false;
};

int Plugins(const PluginsArguments& arguments) {
  core::Registry registry;
  FillRegistry(registry, arguments.plugin_dirs);
  if (arguments.schema) {
    fmt::print("{}\n", core::PipelineSchema(registry));
    return kSuccess;
  }
  if (arguments.describe.empty()) {
    fmt::print("{}", arguments.json ? core::PluginsJson(registry)
                                    : core::PluginsText(registry, arguments.why));
    return kSuccess;
  }
  auto text = arguments.json ? core::DescribeJson(registry, arguments.describe)
                             : core::DescribeText(registry, arguments.describe);
  if (!text.ok()) return Report(text.error());
  fmt::print("{}", *text);
  return kSuccess;
}

}  // namespace

void AddPlugins(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<PluginsArguments>();
  CLI::App* command =
      app.add_subcommand("plugins", "the techniques that were found, and those refused");
  command->add_option("--plugin-dir", arguments->plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
  command->add_flag("--why", arguments->why, "the reason for each refusal");
  command->add_option("--describe", arguments->describe,
                      "one component: its options and capabilities");
  command->add_flag("--schema", arguments->schema, "the JSON Schema of pipelines, for editors");
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, &exit_code] { exit_code = Plugins(*arguments); });
}

}  // namespace tenon::apps
