// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "apps/cli/command.h"
#include "apps/scaffold/project.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string family;
  std::string name;
  std::string folder;
};

// Where find_package finds this Tenon, or words to put there.
std::string InstallPrefix() {
  std::error_code problem;
  const fs::path binary = fs::read_symlink("/proc/self/exe", problem);
  const fs::path prefix = binary.parent_path().parent_path();
  if (!problem && fs::exists(prefix / "lib/cmake/Tenon/TenonConfig.cmake", problem)) {
    return prefix.string();
  }
  return "/path/where/tenon/is/installed";
}

std::string Quoted(const std::string& text) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

CLI::Validator IsPluginName() {
  return CLI::Validator(
      [](std::string& text) {
        const auto name = ParsePluginName(text);
        return name.ok() ? std::string() : name.error().message;
      },
      "");
}

CLI::Validator IsScaffoldFamily() {
  return CLI::Validator(
      [](std::string& text) {
        const std::vector<std::string> families = ScaffoldFamilies();
        if (std::find(families.begin(), families.end(), text) != families.end())
          return std::string();
        return fmt::format("\"{}\"; {} allowed", text.substr(0, 80), fmt::join(families, ", "));
      },
      "");
}

int New(const NewArguments& arguments) {
  const auto name = ParsePluginName(arguments.name);
  if (!name.ok()) return Report(name.error());
  const std::string folder = arguments.folder.empty() ? name->Target() : arguments.folder;
  const auto files = MakeProject(arguments.family, *name);
  if (const auto written = WriteProject(files, folder); !written.ok()) {
    return Report(written.error());
  }
  fmt::print(
      "{}: {} files, a plugin of the family {} that works. Next:\n"
      "  cd {}\n"
      "  ./ci.sh {}\n"
      "  tenon run pipeline.yaml --prompt \"Name three colours.\"\n",
      folder, files.size(), arguments.family, Quoted(folder), Quoted(InstallPrefix()));
  return kSuccess;
}

}  // namespace

void AddNew(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<NewArguments>();
  CLI::App* command =
      app.add_subcommand("new", "a plugin project of your own: builds, passes its test and runs");
  command
      ->add_option("FAMILY", arguments->family,
                   fmt::format("{}", fmt::join(ScaffoldFamilies(), ", ")))
      ->required()
      ->check(IsScaffoldFamily());
  command->add_option("NAME", arguments->name, "your name and the technique's, e.g. acme.fast_path")
      ->required()
      ->check(IsPluginName());
  command->add_option("--dir", arguments->folder,
                      "the project's folder (default: acme_fast_path, say)");
  command->callback([arguments, &exit_code] { exit_code = New(*arguments); });
}

}  // namespace tenon::apps
