// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "apps/scaffold/plugin_name.h"
#include "tenon/result.h"

namespace tenon::apps {

// One file of a project, ready to be written.
struct ProjectFile {
  std::string path;  // in the project's folder
  std::string text;
};

// The families that a project can be made for, in the order of their numbers.
std::vector<std::string> ScaffoldFamilies();

// A plugin project for one component that works. REQUIRES: family is one of ScaffoldFamilies.
std::vector<ProjectFile> MakeProject(std::string_view family, const PluginName& name);

// Writes the files into `folder`, made where it is missing. All or nothing: kInvalid where one of
// them is there already, kIo where the operating system refuses; what was made is removed again.
Result<void> WriteProject(const std::vector<ProjectFile>& files,
                          const std::filesystem::path& folder);

}  // namespace tenon::apps
