// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/plugins/host.h"
#include "core/plugins/nearest.h"

namespace tenon::core {
namespace {

constexpr size_t kLongest = 4096;

// One --set: `top.rest=value`.
struct Override {
  Mark mark;
  std::string top;
  std::string rest;  // may be empty
  YamlNode value;
};

std::optional<Override> Split(const std::string& text, Sources& sources, Diagnostics& diagnostics) {
  const Source& source = sources.Add(
      {"--set " + OneLine(text, 200), "", text, true, static_cast<int32_t>(sources.size())});
  const Mark mark{&source};
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || text.size() > kLongest) {
    diagnostics.Add("TN208", mark, "family.key=value allowed, e.g. attention.use=flash");
    return std::nullopt;
  }
  if (!IsText(text)) {
    diagnostics.Add("TN208", mark, fmt::format("this is {}", kNotText));
    return std::nullopt;
  }
  const std::string path = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const size_t dot = std::min(path.find('.'), path.size());
  Override out{mark, path.substr(0, dot), path.substr(std::min(dot + 1, path.size())), {}};
  if (value.empty() || (value[0] != '[' && value[0] != '{')) {
    out.value = ScalarNode(mark, value);
    return out;
  }
  const Source& yaml = sources.Add({source.name, "", value, true, source.order});
  auto parsed = ParseYaml(yaml, diagnostics);
  if (!parsed) return std::nullopt;
  out.value = std::move(*parsed);
  return out;
}

// Sets an option of one component, or which component it is.
void SetOption(const Override& set, const std::string& key, YamlNode& component) {
  const YamlNode* use = component.Get("use");
  if (key == "use" && (use == nullptr || use->text != set.value.text)) {
    for (YamlNode::Entry& entry : component.entries) {
      const Source* source = entry.mark.source;
      const bool from_set = source != nullptr && source->command_line;
      if (entry.key != "use" && !from_set) entry.inherited = true;
    }
  }
  component.Set(key, set.mark, set.value);
}

bool ReadIndex(std::string_view text, size_t* index) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *index);
  return problem == std::errc() && end == text.data() + text.size();
}

// The item of the decoding chain that `selector` (a number or a name) means, or null.
YamlNode* FindItem(YamlNode& list, const std::string& selector) {
  size_t index = 0;
  if (ReadIndex(selector, &index)) return index < list.items.size() ? &list.items[index] : nullptr;
  for (YamlNode& item : list.items) {
    const YamlNode* use = item.Get("use");
    if (use != nullptr && use->text == selector) return &item;
  }
  return nullptr;
}

void ApplyToList(const Override& set, YamlNode& list, Diagnostics& diagnostics) {
  const size_t dot = set.rest.rfind('.');
  const std::string selector = set.rest.substr(0, dot);
  YamlNode* item = FindItem(list, selector);
  if (dot != std::string::npos && item != nullptr && item->IsMap()) {
    SetOption(set, set.rest.substr(dot + 1), *item);
    return;
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < list.items.size(); ++i) {
    const YamlNode* use = list.items[i].Get("use");
    names.push_back(fmt::format("{} ({})", i, use == nullptr ? "" : OneLine(use->text, 80)));
  }
  const std::string what =
      dot == std::string::npos
          ? fmt::format("{} is a list; {}.0.{}=… or {}.NAME.{}=… allowed", set.top, set.top,
                        OneLine(set.rest, 80), set.top, OneLine(set.rest, 80))
          : fmt::format("there is no {} \"{}\"", set.top, OneLine(selector, 80));
  diagnostics.Add("TN208", set.mark, fmt::format("{}; there are {}", what, fmt::join(names, ", ")));
}

void Apply(const Override& set, YamlNode& root, Diagnostics& diagnostics) {
  const auto& keys = PipelineKeys();
  if (std::find(keys.begin(), keys.end(), set.top) == keys.end()) {
    diagnostics.Add(
        "TN201", set.mark,
        fmt::format("unknown key \"{}\"{}", OneLine(set.top, 80), DidYouMean(set.top, keys)));
    return;
  }
  if (set.top == "plugins" || set.top == "extends") {
    diagnostics.Add("TN208", set.mark, set.top + " is for files; --plugin-dir loads more plugins");
    return;
  }
  YamlNode* there = root.Get(set.top);
  if (set.rest.empty()) {
    if (IsFamily(set.top) && set.value.IsScalar() && there != nullptr && there->IsMap()) {
      SetOption(set, "use", *there);
      return;
    }
    YamlNode value = set.value;
    NormaliseFamily(set.top, value);
    root.Set(set.top, set.mark, std::move(value));
    return;
  }
  if (set.top == "model") {
    diagnostics.Add("TN208", set.mark, "model has no keys; model=NAME allowed");
    return;
  }
  if (there == nullptr || there->IsNull()) {
    root.Set(set.top, set.mark, MapNode(set.mark));
    there = root.Get(set.top);
  }
  if (there->IsList()) {
    ApplyToList(set, *there, diagnostics);
  } else if (there->IsMap()) {
    SetOption(set, set.rest, *there);
  }
}

}  // namespace

void ApplyOverrides(const std::vector<std::string>& overrides, YamlNode& root, Sources& sources,
                    Diagnostics& diagnostics) {
  for (const std::string& text : overrides) {
    if (const auto set = Split(text, sources, diagnostics)) Apply(*set, root, diagnostics);
  }
}

}  // namespace tenon::core
