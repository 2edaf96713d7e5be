// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What an engine was made of, so that it can be told from another and made again.
namespace tenon::apps {

class Session;

// A component of a pipeline, and the file that it came from.
struct ComponentIdentity {
  std::string family;
  std::string use;      // its name, as in YAML
  std::string plugin;   // the plugin's id
  std::string version;  // the plugin's
  std::string file;     // absolute; "built in" where it is linked into the program
  std::string sha256;   // of the file when the engine was made; empty where it cannot be read
};

struct EngineIdentity {
  std::string resolved;  // the pipeline as canonical YAML that means the same from any folder
  std::string sha256;    // of the program's own file
  std::string isa;       // the device's instruction set: "avx512"
  int32_t threads = 0;   // that walk a Program
  std::vector<ComponentIdentity>
      components;  // the families in their order, then the decoding chain
};

// Reads the files that it hashes, each once.
EngineIdentity IdentityOf(Session& session);

}  // namespace tenon::apps
