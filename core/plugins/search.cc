// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/search.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace tenon::core {

std::vector<SearchFolder> SearchFolders(const std::vector<std::string>& plugin_dirs) {
  std::vector<SearchFolder> folders;
  for (const std::string& dir : plugin_dirs) folders.push_back({dir, "--plugin-dir", true});
  const char* variable = std::getenv("TENON_PLUGIN_PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) {
      folders.push_back({std::string(rest.substr(0, colon)), "TENON_PLUGIN_PATH", true});
    }
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  std::error_code problem;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (!problem) {
    const auto installed = executable.parent_path().parent_path() / "lib/tenon/plugins";
    folders.push_back({installed.string(), "installed", false});
  }
  return folders;
}

}  // namespace tenon::core
