// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/component_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/plugins/nearest.h"
#include "core/plugins/option_text.h"

namespace tenon::core {
namespace {

Span<const OptionInfo> OptionsOf(const RegisteredComponent& component) {
  return {component.info->options, component.info->option_count};
}

std::vector<std::string> DefaultTexts(Span<const OptionInfo> infos) {
  std::vector<std::string> texts;
  for (const OptionInfo& info : infos) texts.emplace_back(info.default_text);
  return texts;
}

// The index of the option of that name; infos.size where there is none.
uint64_t IndexOf(Span<const OptionInfo> infos, std::string_view name) {
  uint64_t i = 0;
  while (i < infos.size && infos[i].name != name) ++i;
  return i;
}

std::string UnknownOption(Span<const OptionInfo> infos, const std::string& owner,
                          const std::string& name) {
  std::vector<std::string> names;
  for (const OptionInfo& info : infos) names.emplace_back(info.name);
  const std::string near = DidYouMean(name, names);
  std::string text = fmt::format("unknown option \"{}\" of {}{}", OneLine(name, 80), owner, near);
  if (!near.empty()) return text;
  return text +
         (names.empty() ? "; it has none" : fmt::format("; it has {}", fmt::join(names, ", ")));
}

// What inherited options came to, in one sentence.
void Note(Family family, const YamlNode& map, const std::string& name,
          const std::vector<std::string>& dropped, std::vector<std::string>* notes) {
  std::vector<std::string> kept;
  for (const YamlNode::Entry& entry : map.entries) {
    const bool gone = std::find(dropped.begin(), dropped.end(), entry.key) != dropped.end();
    if (entry.inherited && !gone) kept.push_back(entry.key);
  }
  if (kept.empty() && dropped.empty()) return;
  std::string text = fmt::format("{}: now {}", tenon::Name(family), name);
  if (!kept.empty()) text += fmt::format("; kept {}", fmt::join(kept, ", "));
  if (!dropped.empty()) {
    text += fmt::format("; dropped {}, which {} does not have", fmt::join(dropped, ", "), name);
  }
  notes->push_back(std::move(text));
}

const RegisteredComponent* FindComponent(Family family, const YamlNode& map, const YamlNode* use,
                                         Registry& registry, Diagnostics& diagnostics) {
  if (use == nullptr) {
    if (family == Family::kDecoding) {
      diagnostics.Add("TN202", map.mark, "an item of decoding without use:, which names it");
      return nullptr;
    }
    const RegisteredComponent* found = registry.Default(family);
    if (found == nullptr) diagnostics.Add("TN203", map.mark, NoDefault(family));
    return found;
  }
  if (!use->IsScalar() || use->text.empty()) {
    diagnostics.Add("TN202", use->mark,
                    fmt::format("use is {}; the name of {} allowed",
                                use->IsScalar() ? "empty" : Name(use->kind), AComponentOf(family)));
    return nullptr;
  }
  const auto found = registry.Find(family, use->text);
  if (found.ok()) return *found;
  diagnostics.Add(found.error().code, use->mark, found.error().message);
  return nullptr;
}

}  // namespace

struct OptionSet::Storage {
  Span<const OptionInfo> infos;
  std::vector<std::string> texts;
  std::vector<OptionValue> values;  // view `texts`
};

OptionSet::OptionSet(Span<const OptionInfo> infos, std::vector<std::string> texts) {
  auto storage = std::make_shared<Storage>();
  storage->infos = infos;
  storage->texts = std::move(texts);
  for (uint64_t i = 0; i < infos.size; ++i) {
    auto value = ReadOption(infos[i], storage->texts[i]);
    TENON_CHECK(value.ok());
    storage->values.push_back(*value);
  }
  storage_ = std::move(storage);
}

Options OptionSet::View() const {
  if (storage_ == nullptr) return {};
  return {storage_->infos, {storage_->values.data(), storage_->values.size()}};
}

const std::vector<std::string>& OptionSet::texts() const {
  static const auto& none = *new std::vector<std::string>;
  return storage_ == nullptr ? none : storage_->texts;
}

std::string NoDefault(Family family) {
  return fmt::format(
      "there is no usable {} component to default to; name one with use:, or load one with "
      "plugins:, --plugin-dir or TENON_PLUGIN_PATH (`tenon plugins --why` says what was refused)",
      tenon::Name(family));
}

ComponentChoice DefaultChoice(const RegisteredComponent& component, const std::string& where) {
  const auto infos = OptionsOf(component);
  return {&component, OptionSet(infos, DefaultTexts(infos)), where, true};
}

std::optional<OptionSet> ReadOptions(Span<const OptionInfo> infos, const std::string& owner,
                                     const YamlNode* map, const std::string& skip,
                                     std::vector<std::string>* dropped, Diagnostics& diagnostics) {
  std::vector<std::string> texts = DefaultTexts(infos);
  bool sound = true;
  const auto wrong = [&](const char* code, const Mark& mark, const std::string& text) {
    diagnostics.Add(code, mark, text);
    sound = false;
  };
  const std::vector<YamlNode::Entry> none;
  for (const YamlNode::Entry& entry : map == nullptr ? none : map->entries) {
    if (entry.key == skip) continue;
    const uint64_t i = IndexOf(infos, entry.key);
    if (i == infos.size && entry.inherited) {
      dropped->push_back(entry.key);
    } else if (i == infos.size) {
      wrong("TN201", entry.mark, UnknownOption(infos, owner, entry.key));
    } else if (!entry.value.IsScalar()) {
      wrong("TN202", entry.value.IsNull() ? entry.mark : entry.value.mark,
            fmt::format("{} is {}; {} allowed", entry.key, Name(entry.value.kind),
                        Allowed(infos[i])));
    } else if (const auto value = ReadOption(infos[i], entry.value.text); !value.ok()) {
      wrong("TN202", entry.value.mark, value.error().message);
    } else {
      const bool is_default = infos[i].type != OptionType::kString && entry.value.text == "auto";
      if (!is_default) texts[i] = entry.value.text;
    }
  }
  if (!sound) return std::nullopt;
  return OptionSet(infos, std::move(texts));
}

std::optional<ComponentChoice> ChooseComponent(Family family, const YamlNode& map,
                                               Registry& registry, std::vector<std::string>* notes,
                                               Diagnostics& diagnostics) {
  if (!map.IsMap()) {
    diagnostics.Add("TN202", map.mark,
                    fmt::format("{} is {}; a mapping with use: and options allowed",
                                tenon::Name(family), Name(map.kind)));
    return std::nullopt;
  }
  const YamlNode* use = map.Get("use");
  const RegisteredComponent* component = FindComponent(family, map, use, registry, diagnostics);
  if (component == nullptr) return std::nullopt;
  std::vector<std::string> dropped;
  auto options =
      ReadOptions(OptionsOf(*component), component->name, &map, "use", &dropped, diagnostics);
  if (!options) return std::nullopt;
  Note(family, map, component->name, dropped, notes);
  return ComponentChoice{component, std::move(*options),
                         Where(use == nullptr ? map.mark : use->mark), use == nullptr};
}

}  // namespace tenon::core
