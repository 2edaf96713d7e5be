// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace tenon::core {

// A folder where plugins are looked for.
struct SearchFolder {
  std::string path;
  std::string source;     // "--plugin-dir", "TENON_PLUGIN_PATH", "installed"
  bool required = false;  // that it is missing is worth a remark
};

// Where plugins are looked for, first to last: `plugin_dirs` (of --plugin-dir), the folders of
// TENON_PLUGIN_PATH (separated by ':'), and lib/tenon/plugins beside the folder of the executable.
// What a pipeline's `plugins:` names comes before all of them.
std::vector<SearchFolder> SearchFolders(const std::vector<std::string>& plugin_dirs);

}  // namespace tenon::core
