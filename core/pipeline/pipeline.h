// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/plugins/registry.h"
#include "tenon/option.h"
#include "tenon/result.h"

namespace tenon::core {

// A component's options, all of them: those given and the defaults. Copies share what they hold.
class OptionSet {
 public:
  OptionSet() = default;
  // REQUIRES: texts[i] was taken by ReadOption(infos[i]).
  OptionSet(Span<const OptionInfo> infos, std::vector<std::string> texts);

  // For CreateArgs; valid while this set or a copy of it lives.
  Options View() const;
  // As they stand in YAML: texts()[i] belongs to View().infos[i].
  const std::vector<std::string>& texts() const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

// A component that a pipeline uses.
struct ComponentChoice {
  const RegisteredComponent* component = nullptr;  // the registry's
  OptionSet options;
  std::string where;        // "p.yaml:14:11", or the file alone where nothing was written
  bool is_default = false;  // the pipeline did not name it
};

// What core itself is told about memory. Numbers: 0 is auto.
struct MemoryChoice {
  int64_t context_tokens = 0;    // most tokens a sequence may have
  int64_t kv_tokens = 0;         // KV slots of all sequences together
  bool prefix_cache = true;      // requests that begin alike share what was computed
  std::string offload = "none";  // where blocks go without room: "none", "auto", or a folder as
                                 // seen from the current one
  int64_t offload_tokens = 0;    // most tokens there
};

// What a server does with the pipeline.
struct ServeChoice {
  int64_t workers = 1;  // engines side by side, each a process
};

// One of `plugins:`.
struct PluginPath {
  std::string path;
  std::string as;  // empty: its components keep their names
};

// The YAML, parsed and checked against what the plugins say of themselves. Plain data; the registry
// that it was loaded with outlives it.
struct Pipeline {
  std::string file;         // as given
  std::string model;        // a name, or a path: then as seen from the current folder
  std::string model_where;  // "p.yaml:3:8"
  // By Family; kDecoding is empty, see `decoding`.
  std::array<ComponentChoice, kFamilyCount> families;
  std::vector<ComponentChoice> decoding;        // in order, at least one
  std::map<std::string, std::string> adapters;  // name to folder
  MemoryChoice memory;
  ServeChoice serve;
  std::vector<PluginPath> plugins;  // that its `plugins:` named, loaded
  std::vector<std::string> notes;   // what was dropped or kept where a component was swapped
  std::string text;                 // complete and canonical YAML: every component and option

  const ComponentChoice& Of(Family family) const { return families[static_cast<uint32_t>(family)]; }
};

// Reads, merges and checks a pipeline file; loads the plugins that it names into `registry`.
// `overrides` are the command line's --set texts. A family left out gets Registry::Default, a
// chain left out Registry::DefaultChain. All errors are in one Error, each a line
// `TN201 p.yaml:16:7: unknown option "tiles" of paged; did you mean "tile"?` with its code, place,
// source line and caret; Error::code is the first one's, and the message already has the codes.
Result<Pipeline> LoadPipeline(const std::string& path, const std::vector<std::string>& overrides,
                              Registry& registry);

// The same of a text; `name` stands in messages, relative paths start from `folder`.
Result<Pipeline> LoadPipelineText(const std::string& text, const std::string& name,
                                  const std::string& folder,
                                  const std::vector<std::string>& overrides, Registry& registry);

// Whether a model is meant as a path, not as a known name: it holds a '/', is "." or "..", or
// ends in ".gguf".
bool IsModelPath(const std::string& model);

// The options of `memory:`, in the order of MemoryChoice.
Span<const OptionInfo> MemoryOptions();

// The options of `serve:`, in the order of ServeChoice.
Span<const OptionInfo> ServeOptions();

// The pipeline as canonical YAML, without notes. Loading it from the current folder (relative paths
// are as seen from there) gives the same pipeline.
std::string Dump(const Pipeline& pipeline);

}  // namespace tenon::core
