// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugins/host.h"
#include "core/plugins/refusal.h"
#include "core/plugins/search.h"
#include "tenon/plugin.h"
#include "tenon/result.h"

namespace tenon::core {

// Whether a component can be chosen.
enum class Standing : uint8_t {
  kUsable,    // yes
  kSkipped,   // not on this machine (TN105)
  kConflict,  // another one of its family has its name (TN106)
  kShadowed,  // another copy of its plugin comes first
};

// A technique that some plugin offers. Owned by the Registry, at a fixed place.
struct RegisteredComponent {
  const ComponentInfo* info = nullptr;
  const PluginInfo* plugin = nullptr;
  std::string name;  // as in YAML: info->name, unless `as:` renamed it
  std::string file;  // absolute; "built in" where it is linked in
  // What the default is chosen by: info->rank for plugins whose id begins with "tenon.", else at
  // most 0, so that a third party's technique runs only where it is asked for by name.
  int32_t rank = 0;
  PluginHost* host = nullptr;  // for CreateArgs

  Family family() const { return info->family; }
};

// Every component that this process can choose from, and every refusal. Components stay valid as
// long as the Registry, which outlives what they make. Of a plugin nothing runs but its entry, and
// its components' probes when they are first asked about. Thread: one at a time.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Loads the *.so files of the folders, first to last and by name. Of files with the same name, or
  // plugins with the same id, the one in the earlier folder counts; later ones are shadowed. Never
  // fails as a whole: see Refusals.
  void AddFolders(const std::vector<SearchFolder>& folders);

  // Loads one file, whose components win over those of the same name from folders. With `as`, its
  // component gets that name (several components: as.<name>) and wins over nothing.
  Result<void> AddFile(const std::string& path, const std::string& as = "");

  // Takes a plugin that is linked into this program; treated as the last folder would be.
  void AddBuiltIn(PluginEntry entry);

  // The component of that family and name. Errors: TN203 unknown, TN107 of another family, TN105
  // skipped, TN106 two of that name; the message names those that would do, without the code.
  Result<const RegisteredComponent*> Find(Family family, std::string_view name);

  // The usable component of the highest rank above 0 (of equal ranks the first by name), which a
  // pipeline gets that leaves the family out; null where there is none.
  const RegisteredComponent* Default(Family family);

  // For decoding, a chain: all usable components with a rank above 0, the highest first.
  std::vector<const RegisteredComponent*> DefaultChain(Family family);

  // Usable components by name.
  std::vector<const RegisteredComponent*> Usable(Family family);

  // All components with their standing and, unless usable, the reason; by family, name and file.
  struct Listed {
    const RegisteredComponent* component;
    Standing standing;
    Refusal why;
  };
  std::vector<Listed> List();

  // Files that are no part of the above, and remarks; in the order in which they were met.
  const std::vector<Refusal>& Refusals() const { return refusals_; }

 private:
  enum class Probed : uint8_t { kNotYet, kFits, kSkipped };
  struct Slot {
    RegisteredComponent component;
    PluginHost host{""};
    int32_t level = 0;  // 0: named by a path; 1 …: by folder; kBuiltInLevel
    bool renamed = false;
    Probed probed = Probed::kNotYet;
    std::string probe_reason;
  };
  using SlotPtr = std::unique_ptr<Slot>;

  void AddFolder(const SearchFolder& folder);
  std::unique_ptr<Refusal> AddLibrary(const std::string& file, const std::string& as,
                                      int32_t level);
  void AddComponents(const PluginInfo& info, const std::string& file, const std::string& as,
                     int32_t level);
  bool Fits(Slot& slot);                           // probes it once
  std::vector<Slot*> Ranked(Family family) const;  // above 0, the highest first; not probed
  Standing StandingOf(Slot& slot);
  Refusal WhyNot(Slot& slot);
  const Slot* ShadowOf(const Slot& slot) const;  // the copy that comes first, or null
  const Slot* RivalOf(const Slot& slot) const;   // another one with its name, or null
  Error Unknown(Family family, std::string_view name);
  std::string Choices(Family family);  // " Attention: flash, paged"

  std::vector<SlotPtr> slots_;
  std::vector<Refusal> refusals_;
  std::vector<std::pair<std::string, std::string>> seen_files_;  // file name and path, of folders
  std::set<std::string> seen_folders_;
  int32_t next_level_ = 1;
};

// "an attention component", "a decoding component".
std::string AComponentOf(Family family);

}  // namespace tenon::core
