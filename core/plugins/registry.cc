// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "core/plugins/descriptor.h"
#include "core/plugins/library.h"
#include "core/plugins/nearest.h"
#include "core/plugins/plugin_note.h"

namespace tenon::core {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kBuiltInLevel = 1 << 30;
constexpr const char* kBuiltIn = "built in";

std::string Absolute(const std::string& path) {
  std::error_code problem;
  const fs::path absolute = fs::absolute(path, problem);
  return problem ? path : absolute.lexically_normal().string();
}

// The shared objects of a folder, by name.
std::vector<std::string> SharedObjects(const std::string& folder, std::error_code* problem) {
  std::vector<std::string> files;
  fs::directory_iterator it(folder, *problem);
  for (; !*problem && it != fs::directory_iterator(); it.increment(*problem)) {
    const fs::path& path = it->path();
    if (path.extension() == ".so" && path.filename().string()[0] != '.') {
      files.push_back(path.string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A plugin that is not this project's is not chosen unless it is named.
int32_t EffectiveRank(const PluginInfo& plugin, const ComponentInfo& component) {
  const bool ours = std::string_view(plugin.id).starts_with("tenon.");
  return ours ? component.rank : std::min(component.rank, 0);
}

std::string Capitalised(Family family) {
  std::string name = tenon::Name(family);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

Refusal Shadowed(const std::string& what, const std::string& file, const std::string& by) {
  return {"", file, "", what + ": not used: " + by + " comes first", ""};
}

}  // namespace

std::string AComponentOf(Family family) {
  const std::string name = tenon::Name(family);
  return (name[0] == 'a' ? "an " : "a ") + name + " component";
}

void Registry::AddFolders(const std::vector<SearchFolder>& folders) {
  for (const SearchFolder& folder : folders) AddFolder(folder);
}

void Registry::AddFolder(const SearchFolder& folder) {
  std::error_code problem;
  const std::string path = Absolute(folder.path);
  const fs::path canonical = fs::weakly_canonical(path, problem);
  if (!seen_folders_.insert(problem ? path : canonical.string()).second) return;
  problem.clear();
  const std::vector<std::string> files = SharedObjects(path, &problem);
  if (problem && folder.required) {
    refusals_.push_back({"", path, "",
                         fmt::format("{}: no plugins from here: {}", path, problem.message()),
                         "Check " + folder.source});
  }
  const int32_t level = next_level_++;
  const size_t seen_before = seen_files_.size();
  for (const std::string& file : files) {
    const std::string name = FileName(file);
    const auto end = seen_files_.begin() + static_cast<int64_t>(seen_before);
    const auto first = std::find_if(seen_files_.begin(), end,
                                    [&](const auto& seen) { return seen.first == name; });
    if (first != end) {
      refusals_.push_back(Shadowed(name, file, first->second));
      continue;
    }
    seen_files_.emplace_back(name, file);
    if (const auto refusal = AddLibrary(file, "", level)) refusals_.push_back(*refusal);
  }
}

Result<void> Registry::AddFile(const std::string& path, const std::string& as) {
  const std::string file = Absolute(path);
  for (const SlotPtr& slot : slots_) {
    const bool same_as = slot->renamed ? slot->component.name == as : as.empty();
    if (slot->level == 0 && slot->component.file == file && same_as) return {};
  }
  if (const auto refusal = AddLibrary(file, as, 0)) {
    refusals_.push_back(*refusal);
    return refusal->ToError();
  }
  return {};
}

void Registry::AddBuiltIn(PluginEntry entry) {
  const PluginInfo* info = entry();
  if (const auto refusal = CheckDescriptor(info, kBuiltIn)) {
    refusals_.push_back(*refusal);
    return;
  }
  AddComponents(*info, kBuiltIn, "", kBuiltInLevel);
}

std::unique_ptr<Refusal> Registry::AddLibrary(const std::string& file, const std::string& as,
                                              int32_t level) {
  // Here and not in OpenLibrary: `tenon check` looks at plugins that this machine cannot use.
  if (const auto refusal = CheckPluginCuda(file, &CudaDriverMajor)) {
    return std::make_unique<Refusal>(*refusal);
  }
  const auto opened = OpenLibrary(file);
  if (const auto* refusal = std::get_if<Refusal>(&opened)) {
    return std::make_unique<Refusal>(*refusal);
  }
  const PluginInfo* info = std::get<PluginEntry>(opened)();
  if (const auto refusal = CheckDescriptor(info, file)) return std::make_unique<Refusal>(*refusal);
  AddComponents(*info, file, as, level);
  return nullptr;
}

void Registry::AddComponents(const PluginInfo& info, const std::string& file, const std::string& as,
                             int32_t level) {
  for (uint32_t i = 0; i < info.component_count; ++i) {
    const ComponentInfo& component = *info.components[i];
    std::string name = component.name;
    if (!as.empty()) name = info.component_count == 1 ? as : as + "." + name;
    auto slot = std::make_unique<Slot>();
    slot->host = PluginHost(name);
    slot->component = {
        &component, &info, name, file, as.empty() ? EffectiveRank(info, component) : 0, nullptr};
    slot->component.host = &slot->host;
    slot->level = level;
    slot->renamed = !as.empty();
    slots_.push_back(std::move(slot));
  }
}

bool Registry::Fits(Slot& slot) {
  if (slot.probed == Probed::kNotYet) {
    const ComponentInfo& info = *slot.component.info;
    ForgetFailure();
    const bool fits = info.probe == nullptr || info.probe(&slot.host) == Status::kOk;
    slot.probed = fits ? Probed::kFits : Probed::kSkipped;
    if (!fits) slot.probe_reason = TakeFailure();
  }
  return slot.probed == Probed::kFits;
}

const Registry::Slot* Registry::ShadowOf(const Slot& slot) const {
  const RegisteredComponent& mine = slot.component;
  for (const SlotPtr& other : slots_) {
    const RegisteredComponent& theirs = other->component;
    if (other->renamed || slot.renamed || other->level >= slot.level) continue;
    if (theirs.family() != mine.family() || theirs.name != mine.name) continue;
    const bool same_plugin = std::string_view(theirs.plugin->id) == mine.plugin->id;
    if (same_plugin || other->level == 0) return other.get();
  }
  return nullptr;
}

const Registry::Slot* Registry::RivalOf(const Slot& slot) const {
  for (const SlotPtr& other : slots_) {
    if (other.get() == &slot || other->component.family() != slot.component.family() ||
        other->component.name != slot.component.name || ShadowOf(*other) != nullptr) {
      continue;
    }
    return other.get();
  }
  return nullptr;
}

Standing Registry::StandingOf(Slot& slot) {
  if (ShadowOf(slot) != nullptr) return Standing::kShadowed;
  if (RivalOf(slot) != nullptr) return Standing::kConflict;
  return Fits(slot) ? Standing::kUsable : Standing::kSkipped;
}

Refusal Registry::WhyNot(Slot& slot) {
  const RegisteredComponent& mine = slot.component;
  switch (StandingOf(slot)) {
    case Standing::kUsable:
      return {};
    case Standing::kSkipped:
      return {"TN105", mine.file, mine.name, mine.name + ": skipped: " + slot.probe_reason, ""};
    case Standing::kConflict: {
      // Both sides tell the same story.
      std::string a = mine.file;
      std::string b = RivalOf(slot)->component.file;
      if (b < a) std::swap(a, b);
      return {"TN106", mine.file, mine.name,
              fmt::format("{} \"{}\" comes from {} and {}; pin a path or rename one with as:",
                          tenon::Name(mine.family()), mine.name, a, b),
              ""};
    }
    case Standing::kShadowed:
      break;
  }
  return Shadowed(
      fmt::format("{} \"{}\" of {}", tenon::Name(mine.family()), mine.name, FileName(mine.file)),
      mine.file, ShadowOf(slot)->component.file);
}

std::vector<const RegisteredComponent*> Registry::Usable(Family family) {
  std::vector<const RegisteredComponent*> usable;
  for (const SlotPtr& slot : slots_) {
    if (slot->component.family() == family && StandingOf(*slot) == Standing::kUsable) {
      usable.push_back(&slot->component);
    }
  }
  std::sort(usable.begin(), usable.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  return usable;
}

std::vector<Registry::Slot*> Registry::Ranked(Family family) const {
  std::vector<Slot*> ranked;
  for (const SlotPtr& slot : slots_) {
    if (slot->component.family() == family && slot->component.rank > 0 &&
        ShadowOf(*slot) == nullptr && RivalOf(*slot) == nullptr) {
      ranked.push_back(slot.get());
    }
  }
  std::sort(ranked.begin(), ranked.end(), [](const Slot* a, const Slot* b) {
    const RegisteredComponent& x = a->component;
    const RegisteredComponent& y = b->component;
    return x.rank != y.rank ? x.rank > y.rank : x.name < y.name;
  });
  return ranked;
}

const RegisteredComponent* Registry::Default(Family family) {
  // A probe may cost much (it starts a driver): what ranks below the choice is not asked.
  for (Slot* slot : Ranked(family)) {
    if (Fits(*slot)) return &slot->component;
  }
  return nullptr;
}

std::vector<const RegisteredComponent*> Registry::DefaultChain(Family family) {
  std::vector<const RegisteredComponent*> chain;
  for (Slot* slot : Ranked(family)) {
    if (Fits(*slot)) chain.push_back(&slot->component);
  }
  return chain;
}

std::string Registry::Choices(Family family) {
  std::vector<std::string> names;
  for (const RegisteredComponent* component : Usable(family)) names.push_back(component->name);
  if (names.empty()) return fmt::format("There is no usable {} component", tenon::Name(family));
  return fmt::format("{}: {}", Capitalised(family), fmt::join(names, ", "));
}

Error Registry::Unknown(Family family, std::string_view name) {
  for (const SlotPtr& slot : slots_) {
    if (slot->component.name != name) continue;
    return {
        Status::kInvalid,
        fmt::format("\"{}\" is {}; {} expected. {}", name, AComponentOf(slot->component.family()),
                    tenon::Name(family), Choices(family)),
        "TN107"};
  }
  std::vector<std::string> names;
  for (const RegisteredComponent* component : Usable(family)) names.push_back(component->name);
  const std::string near = Nearest(name, names);
  std::string text =
      fmt::format("there is no {} component \"{}\"", tenon::Name(family), OneLine(name, 80));
  text += near.empty() ? ". " : "; did you mean \"" + near + "\"? ";
  text += Choices(family);
  const auto refused = std::count_if(refusals_.begin(), refusals_.end(),
                                     [](const Refusal& r) { return !r.code.empty(); });
  if (refused > 0) {
    text += fmt::format(". Plugin files refused: {}; see `tenon plugins --why`", refused);
  }
  return {Status::kNotFound, std::move(text), "TN203"};
}

Result<const RegisteredComponent*> Registry::Find(Family family, std::string_view name) {
  Slot* unusable = nullptr;
  for (const SlotPtr& slot : slots_) {
    if (slot->component.family() != family || slot->component.name != name) continue;
    const Standing standing = StandingOf(*slot);
    if (standing == Standing::kUsable) return &slot->component;
    if (standing != Standing::kShadowed) unusable = slot.get();
  }
  if (unusable == nullptr) return Unknown(family, name);
  const Refusal why = WhyNot(*unusable);
  std::string text = why.cause;
  if (why.code == "TN105") text += ". " + Choices(family);
  return Error{Status::kUnsupported, std::move(text), why.code};
}

std::vector<Registry::Listed> Registry::List() {
  std::vector<Listed> list;
  for (const SlotPtr& slot : slots_) {
    list.push_back({&slot->component, StandingOf(*slot), WhyNot(*slot)});
  }
  std::sort(list.begin(), list.end(), [](const Listed& a, const Listed& b) {
    const auto key = [](const Listed& l) {
      return std::tie(l.component->info->family, l.component->name, l.component->file);
    };
    return key(a) < key(b);
  });
  return list;
}

}  // namespace tenon::core
