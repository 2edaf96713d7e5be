// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace tenon::apps {

// One file of a family's new plugin. Path and text hold placeholders: see sdk/template/files.cmake.
struct TemplateFile {
  std::string_view family;
  std::string_view path;
  std::string_view text;
};

// The files of all families, put into the binary when it is built. Any thread.
std::span<const TemplateFile> TemplateFiles();

}  // namespace tenon::apps
