// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/yaml_tree.h"

// Pipelines as trees, before anything is known of components: files and what they extend.
namespace tenon::core {

// Texts that were read, at fixed places.
class Sources {
 public:
  const Source& Add(Source source);
  size_t size() const { return sources_.size(); }

 private:
  std::deque<Source> sources_;
};

// The keys that a pipeline may have.
const std::vector<std::string>& PipelineKeys();

// Whether the key is a family's.
bool IsFamily(std::string_view key);

// The text of a file; TN207 where it cannot be read, is a folder, or is beyond 1 MiB.
Result<std::string> ReadPipelineFile(const std::string& path);

// Parses the source, expands the environment, lays it over what it extends (paths start from its
// folder), and brings families into one shape: `attention: paged` is {use: paged}, an empty family
// has no entries, decoding is a list of mappings. Nothing where a file cannot be read or parsed.
std::optional<YamlNode> LoadDocument(const Source& source, Sources& sources,
                                     Diagnostics& diagnostics);

// Lays `over` over `base`: maps merge, all else is replaced. Where the `use` of a family changes,
// the options that stay are marked as inherited.
void Overlay(YamlNode& base, const YamlNode& over);

// Marks all entries but `use` as inherited.
void MarkInherited(YamlNode& family);

// Brings the value of a family key into the shape that LoadDocument gives it.
void NormaliseFamily(const std::string& key, YamlNode& value);

// `path` as seen from `folder`; "~/" is the home folder.
std::string ResolvePath(const std::string& folder, const std::string& path);

}  // namespace tenon::core
