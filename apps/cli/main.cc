// SPDX-License-Identifier: Apache-2.0
#include <exception>

#include "apps/cli/command.h"
#include "fmt/format.h"

namespace {

int Main(int argc, char** argv) {
  using namespace tenon::apps;
  CLI::App app("Tenon: an LLM inference engine assembled from plugins by a YAML pipeline.",
               "tenon");
  app.set_version_flag("--version", std::string("tenon ") + TENON_VERSION);
  app.require_subcommand(1);
  int exit_code = kSuccess;
  AddRun(app, exit_code);
  AddBench(app, exit_code);
  AddScore(app, exit_code);
  AddTokenize(app, exit_code);
  AddExplain(app, exit_code);
  AddPlugins(app, exit_code);
  AddDevices(app, exit_code);
  AddPull(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come as errors too, with code 0.
    return app.exit(error) == 0 ? kSuccess : kUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tenon: {}\n", error.what());
    return tenon::apps::kFailure;
  }
}
