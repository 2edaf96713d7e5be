// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/pipeline/component_choice.h"
#include "core/pipeline/document.h"
#include "core/pipeline/overrides.h"
#include "core/plugins/nearest.h"
#include "core/plugins/option_text.h"

namespace tenon::core {
namespace {

constexpr OptionInfo kMemoryOptions[] = {
    {"context_tokens", OptionType::kInt, "0",
     "Most tokens a sequence may have; 0 or auto: what "
     "the model allows.",
     0, 1 << 24, "", "tokens"},
    {"kv_tokens", OptionType::kInt, "0",
     "KV slots of all sequences together; 0 or auto: what "
     "memory allows.",
     0, 1LL << 32, "", "tokens"},
    {"prefix_cache", OptionType::kBool, "true",
     "Keep full KV blocks for requests that begin with the same tokens, where attention can share "
     "pages.",
     0, 0, "", ""},
    {"offload", OptionType::kString, "none",
     "Where kept blocks go that there is no room for, to come back instead of being computed anew: "
     "none, auto, or a folder.",
     0, 0, "", ""},
    {"offload_tokens", OptionType::kInt, "0",
     "Most tokens in that folder; 0 or auto: four times the KV slots, and no more than half of the "
     "space left.",
     0, 1LL << 40, "", "tokens"},
};

constexpr OptionInfo kServeOptions[] = {
    {"workers", OptionType::kInt, "1",
     "Engines that `tenon serve` runs side by side, each a process with the whole model; requests "
     "go to one of them by load and by the beginnings of prompts.",
     1, 64},
};

// From the tree to the Pipeline; goes on after an error, to find them all.
class Reader {
 public:
  Reader(const Source& source, Registry& registry, Sources& sources, Diagnostics& diagnostics)
      : whole_{&source}, registry_(registry), sources_(sources), diagnostics_(diagnostics) {
    out_.file = source.name;
  }

  Pipeline Read(YamlNode root, const std::vector<std::string>& overrides) {
    LoadPlugins(root.Get("plugins"));
    FillDecoding(root);
    ApplyOverrides(overrides, root, sources_, diagnostics_);
    CheckKeys(root);
    ReadModel(root.Get("model"));
    ReadAdapters(root.Get("adapters"));
    ReadMemory(root.Get("memory"));
    ReadServe(root.Get("serve"));
    for (uint32_t i = 0; i < kFamilyCount; ++i) {
      const auto family = static_cast<Family>(i);
      if (family != Family::kDecoding) ReadFamily(family, root.Get(tenon::Name(family)));
    }
    ReadDecoding(root.Get(tenon::Name(Family::kDecoding)));
    return std::move(out_);
  }

 private:
  void Wrong(const char* code, const Mark& mark, const std::string& text) {
    diagnostics_.Add(code, mark, text);
  }

  // Loads what `plugins:` names, so that the components can be chosen from.
  void LoadPlugins(const YamlNode* list) {
    if (list == nullptr || list->IsNull()) return;
    if (!list->IsList()) {
      return Wrong("TN202", list->mark,
                   fmt::format("plugins is {}; a list of paths allowed", Name(list->kind)));
    }
    for (const YamlNode& item : list->items) LoadPlugin(item);
  }

  void LoadPlugin(const YamlNode& item) {
    const YamlNode* path = item.IsMap() ? item.Get("path") : &item;
    const YamlNode* as = item.IsMap() ? item.Get("as") : nullptr;
    for (const YamlNode::Entry& entry : item.entries) {
      if (entry.key == "path" || entry.key == "as") continue;
      Wrong(
          "TN201", entry.mark,
          fmt::format("unknown key \"{}\" of a plugin; path, as allowed", OneLine(entry.key, 80)));
    }
    if (path == nullptr || !path->IsScalar() || path->text.empty()) {
      return Wrong("TN202", item.mark, "a plugin is a path, or {path: FILE.so, as: NAME}");
    }
    if (as != nullptr && (!as->IsScalar() || !IsName(as->text.c_str(), true))) {
      return Wrong("TN202", as->mark, "as: takes a lower_case name");
    }
    PluginPath plugin{ResolvePath(path->mark.source->folder, path->text),
                      as == nullptr ? "" : as->text};
    const auto added = registry_.AddFile(plugin.path, plugin.as);
    if (!added.ok()) return Wrong(added.error().code.c_str(), path->mark, added.error().message);
    out_.plugins.push_back(std::move(plugin));
  }

  // A chain that is left out is written into the tree, so that --set can change it.
  void FillDecoding(YamlNode& root) {
    const char* key = tenon::Name(Family::kDecoding);
    YamlNode* decoding = root.Get(key);
    if (decoding != nullptr && !decoding->IsNull()) return;
    YamlNode list = ListNode(whole_);
    for (const RegisteredComponent* component : registry_.DefaultChain(Family::kDecoding)) {
      YamlNode item = MapNode(whole_);
      item.Set("use", whole_, ScalarNode(whole_, component->name));
      list.items.push_back(std::move(item));
    }
    root.Set(key, whole_, std::move(list));
  }

  void CheckKeys(const YamlNode& root) {
    const auto& keys = PipelineKeys();
    for (const YamlNode::Entry& entry : root.entries) {
      if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) continue;
      std::string text = fmt::format("unknown key \"{}\"", OneLine(entry.key, 80));
      const std::string near = DidYouMean(entry.key, keys);
      text += near.empty() ? fmt::format("; {} allowed", fmt::join(keys, ", ")) : near;
      Wrong("TN201", entry.mark, text);
    }
  }

  void ReadModel(const YamlNode* model) {
    if (model == nullptr || model->IsNull() || (model->IsScalar() && model->text.empty())) {
      return Wrong("TN205", model == nullptr ? whole_ : model->mark,
                   "there is no model; add model: with a name that `tenon pull` knows, a .gguf "
                   "file or a Hugging Face folder");
    }
    if (!model->IsScalar()) {
      return Wrong("TN202", model->mark,
                   fmt::format("model is {}; a name or a path allowed", Name(model->kind)));
    }
    out_.model = IsModelPath(model->text) ? ResolvePath(model->mark.source->folder, model->text)
                                          : model->text;
    out_.model_where = Where(model->mark);
  }

  void ReadAdapters(const YamlNode* adapters) {
    if (adapters == nullptr || adapters->IsNull()) return;
    if (!adapters->IsMap()) {
      return Wrong("TN202", adapters->mark,
                   fmt::format("adapters is {}; a mapping of names to folders allowed",
                               Name(adapters->kind)));
    }
    for (const YamlNode::Entry& entry : adapters->entries) {
      if (!entry.value.IsScalar() || entry.value.text.empty() || entry.key.empty()) {
        Wrong("TN202", entry.mark,
              fmt::format("adapter \"{}\" is {}; the path of a folder allowed",
                          OneLine(entry.key, 80),
                          entry.value.IsScalar() ? "empty" : Name(entry.value.kind)));
        continue;
      }
      out_.adapters[entry.key] = ResolvePath(entry.value.mark.source->folder, entry.value.text);
    }
  }

  // The options of a section that belongs to no component; none where it is left out or wrong.
  std::optional<OptionSet> ReadSection(const char* name, Span<const OptionInfo> infos,
                                       const YamlNode* section) {
    if (section == nullptr || section->IsNull()) return std::nullopt;
    if (!section->IsMap()) {
      Wrong("TN202", section->mark,
            fmt::format("{} is {}; a mapping allowed", name, Name(section->kind)));
      return std::nullopt;
    }
    std::vector<std::string> none;
    return ReadOptions(infos, name, section, "", &none, diagnostics_);
  }

  void ReadMemory(const YamlNode* section) {
    const auto options = ReadSection("memory", MemoryOptions(), section);
    if (!options) return;
    const Options view = options->View();
    out_.memory = {view.Int("context_tokens"), view.Int("kv_tokens"), view.Bool("prefix_cache"),
                   std::string(std::string_view(view.Text("offload"))), view.Int("offload_tokens")};
    const YamlNode* folder = section->Get("offload");
    if (out_.memory.offload.empty()) {
      return Wrong("TN202", folder->mark, "offload is empty; none, auto or a folder allowed");
    }
    if (out_.memory.offload != "none" && out_.memory.offload != "auto") {
      out_.memory.offload = ResolvePath(folder->mark.source->folder, out_.memory.offload);
    }
  }

  void ReadServe(const YamlNode* section) {
    const auto options = ReadSection("serve", ServeOptions(), section);
    if (options) out_.serve = {options->View().Int("workers")};
  }

  void ReadFamily(Family family, const YamlNode* map) {
    ComponentChoice& choice = out_.families[static_cast<uint32_t>(family)];
    if (map != nullptr) {
      auto chosen = ChooseComponent(family, *map, registry_, &out_.notes, diagnostics_);
      if (chosen) choice = std::move(*chosen);
      return;
    }
    const RegisteredComponent* component = registry_.Default(family);
    if (component == nullptr) return Wrong("TN203", whole_, NoDefault(family));
    choice = DefaultChoice(*component, out_.file);
  }

  void ReadDecoding(const YamlNode* list) {
    if (!list->IsList()) {
      return Wrong("TN202", list->mark,
                   fmt::format("decoding is {}; a list allowed", Name(list->kind)));
    }
    if (list->items.empty()) {
      const bool left_out = list->mark.line == 0;
      return Wrong(left_out ? "TN203" : "TN202", list->mark,
                   left_out ? NoDefault(Family::kDecoding)
                            : "decoding is an empty list; at least a sampler is needed");
    }
    for (const YamlNode& item : list->items) {
      auto chosen = ChooseComponent(Family::kDecoding, item, registry_, &out_.notes, diagnostics_);
      if (!chosen) continue;
      chosen->is_default = item.mark.line == 0 && !item.mark.source->command_line;
      out_.decoding.push_back(std::move(*chosen));
    }
  }

  Mark whole_;
  Registry& registry_;
  Sources& sources_;
  Diagnostics& diagnostics_;
  Pipeline out_;
};

}  // namespace

Span<const OptionInfo> MemoryOptions() { return {kMemoryOptions, std::size(kMemoryOptions)}; }

Span<const OptionInfo> ServeOptions() { return {kServeOptions, std::size(kServeOptions)}; }

bool IsModelPath(const std::string& model) {
  return model.find('/') != std::string::npos || model == "." || model == ".." ||
         model.ends_with(".gguf");
}

Result<Pipeline> LoadPipelineText(const std::string& text, const std::string& name,
                                  const std::string& folder,
                                  const std::vector<std::string>& overrides, Registry& registry) {
  Sources sources;
  Diagnostics diagnostics;
  const Source& source = sources.Add({name, folder, text});
  auto root = LoadDocument(source, sources, diagnostics);
  if (!root) return diagnostics.Join();
  Pipeline pipeline =
      Reader(source, registry, sources, diagnostics).Read(std::move(*root), overrides);
  if (!diagnostics.empty()) return diagnostics.Join();
  pipeline.text = Dump(pipeline);
  return pipeline;
}

Result<Pipeline> LoadPipeline(const std::string& path, const std::vector<std::string>& overrides,
                              Registry& registry) {
  auto text = ReadPipelineFile(path);
  if (!text.ok()) {
    return Error{text.error().status, text.error().code + " " + text.error().message,
                 text.error().code};
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return LoadPipelineText(*text, path, folder, overrides, registry);
}

}  // namespace tenon::core
