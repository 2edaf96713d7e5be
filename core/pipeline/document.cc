// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/pipeline/environment.h"
#include "core/plugins/host.h"
#include "tenon/types.h"

namespace tenon::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFiles = 16;

std::string Canonical(const std::string& path) {
  std::error_code problem;
  const fs::path canonical = fs::weakly_canonical(path, problem);
  return problem ? path : canonical.string();
}

std::string UseOf(const YamlNode& family) {
  const YamlNode* use = family.Get("use");
  return use == nullptr ? "" : use->text;
}

// Lays one family of the overlay over the base's.
void OverlayFamily(YamlNode& base, const YamlNode& over) {
  if (over.Get("use") != nullptr && UseOf(over) != UseOf(base)) MarkInherited(base);
  for (const YamlNode::Entry& entry : over.entries) base.Set(entry.key, entry.mark, entry.value);
}

class Loader {
 public:
  Loader(Sources& sources, Diagnostics& diagnostics)
      : sources_(sources), diagnostics_(diagnostics) {}

  std::optional<YamlNode> Load(const Source& source) {
    auto root = ParseYaml(source, diagnostics_);
    if (!root) return std::nullopt;
    if (!root->IsMap()) {
      diagnostics_.Add(
          "TN202", root->mark,
          fmt::format("a pipeline is a mapping of keys; this is {}", Name(root->kind)));
      return std::nullopt;
    }
    ExpandEnvironment(*root, diagnostics_);
    for (YamlNode::Entry& entry : root->entries) NormaliseFamily(entry.key, entry.value);
    chain_.push_back(Canonical(source.name));
    const YamlNode* extends = root->Get("extends");
    if (extends == nullptr) return root;
    auto base = LoadBase(*extends, source);
    if (!base) return std::nullopt;
    root->Erase("extends");
    Overlay(*base, *root);
    base->mark = root->mark;
    return base;
  }

 private:
  std::optional<YamlNode> LoadBase(const YamlNode& extends, const Source& source) {
    if (!extends.IsScalar() || extends.text.empty()) {
      diagnostics_.Add(
          "TN202", extends.mark,
          fmt::format("extends is {}; the path of one file allowed", Name(extends.kind)));
      return std::nullopt;
    }
    const std::string path = ResolvePath(source.folder, extends.text);
    const bool again = std::find(chain_.begin(), chain_.end(), Canonical(path)) != chain_.end();
    if (again || chain_.size() >= kMostFiles) {
      diagnostics_.Add("TN207", extends.mark,
                       again ? "extends a file that extends this one"
                             : fmt::format("extends more than {} files in a row", kMostFiles));
      return std::nullopt;
    }
    auto text = ReadPipelineFile(path);
    if (!text.ok()) {
      diagnostics_.Add(text.error().code, extends.mark, text.error().message);
      return std::nullopt;
    }
    Source base{path, fs::path(path).parent_path().string(), std::move(*text), false,
                static_cast<int32_t>(sources_.size())};
    return Load(sources_.Add(std::move(base)));
  }

  Sources& sources_;
  Diagnostics& diagnostics_;
  std::vector<std::string> chain_;  // files on the way here
};

}  // namespace

bool IsFamily(std::string_view key) {
  const auto* end = kFamilyNames + kFamilyCount;
  return std::find(kFamilyNames, end, key) != end;
}

const Source& Sources::Add(Source source) { return sources_.emplace_back(std::move(source)); }

const std::vector<std::string>& PipelineKeys() {
  static const auto& keys = *new std::vector<std::string>{
      "model", "extends",   "plugins",  "adapters", "device", "attention",
      "quant", "scheduler", "parallel", "decoding", "memory", "serve"};
  return keys;
}

Result<std::string> ReadPipelineFile(const std::string& path) {
  std::error_code problem;
  if (fs::is_directory(path, problem)) {
    return Error{Status::kIo, fmt::format("{} is a folder; the path of a YAML file allowed", path),
                 "TN207"};
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const bool there = fs::exists(path, problem);
    return Error{there ? Status::kIo : Status::kNotFound,
                 fmt::format("{}: {}", path, there ? "cannot be read" : "there is no such file"),
                 "TN207"};
  }
  std::string text(kMostYamlBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMostYamlBytes) {
    return Error{Status::kInvalid,
                 fmt::format("{}: more than {} bytes; a pipeline has fewer", path, kMostYamlBytes),
                 "TN207"};
  }
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return text;
}

std::string ResolvePath(const std::string& folder, const std::string& path) {
  const char* home = std::getenv("HOME");
  if (path.starts_with("~/") && home != nullptr) return home + path.substr(1);
  if (folder.empty() || path.starts_with('/')) return path;
  return (fs::path(folder) / path).lexically_normal().string();
}

void MarkInherited(YamlNode& family) {
  for (YamlNode::Entry& entry : family.entries) entry.inherited = entry.key != "use";
}

void NormaliseFamily(const std::string& key, YamlNode& value) {
  if (!IsFamily(key)) return;
  const auto as_map = [](YamlNode& node) {
    if (!node.IsScalar() && !node.IsNull()) return;
    YamlNode map = MapNode(node.mark);
    if (node.IsScalar()) map.Set("use", node.mark, node);
    node = std::move(map);
  };
  if (key != kFamilyNames[static_cast<uint32_t>(Family::kDecoding)]) {
    as_map(value);
    return;
  }
  if (value.IsScalar() || value.IsMap()) {
    YamlNode list = ListNode(value.mark);
    list.items.push_back(std::move(value));
    value = std::move(list);
  }
  for (YamlNode& item : value.items) as_map(item);
}

void Overlay(YamlNode& base, const YamlNode& over) {
  for (const YamlNode::Entry& entry : over.entries) {
    YamlNode* there = base.Get(entry.key);
    if (there == nullptr || !there->IsMap() || !entry.value.IsMap()) {
      base.Set(entry.key, entry.mark, entry.value);
    } else if (IsFamily(entry.key)) {
      OverlayFamily(*there, entry.value);
    } else {
      Overlay(*there, entry.value);
    }
  }
}

std::optional<YamlNode> LoadDocument(const Source& source, Sources& sources,
                                     Diagnostics& diagnostics) {
  return Loader(sources, diagnostics).Load(source);
}

}  // namespace tenon::core
