// SPDX-License-Identifier: Apache-2.0
// tiny_host PLUGIN.so: loads the template's plugin with the installed SDK alone, checks its
// description, and runs it. Exits 0 if everything is as it should be.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tenon/decoding.h"
#include "tenon/plugin.h"

namespace {

class TinyHost final : public tenon::Host {
 public:
  void Log(tenon::LogLevel, tenon::Str) noexcept override {}
  tenon::Status Fail(tenon::Status status, tenon::Str text) noexcept override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size), text.data);
    return status;
  }
  void* Service(const char*) noexcept override { return nullptr; }
};

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "tiny_host: %s\n", what.c_str());
  std::exit(1);
}

const tenon::PluginInfo& Load(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  Require(library != nullptr, library == nullptr ? dlerror() : "");
  auto entry = reinterpret_cast<tenon::PluginEntry>(dlsym(library, tenon::kEntrySymbol));
  Require(entry != nullptr, "no entry " + std::string(tenon::kEntrySymbol));
  return *entry();
}

void CheckDescription(const tenon::PluginInfo& plugin) {
  Require(plugin.size == sizeof(tenon::PluginInfo), "size of the descriptor");
  Require(plugin.abi == tenon::kAbiVersion, "ABI number");
  Require(std::strcmp(plugin.stamp, tenon::kToolchainStamp) == 0, "toolchain stamp");
  Require(std::strcmp(plugin.id, "acme.decoding.top_a") == 0, "id");
  Require(std::strcmp(plugin.version, "1.0.0") == 0, "version");
  Require(plugin.component_count == 1, "one component");

  const tenon::ComponentInfo& top_a = *plugin.components[0];
  Require(top_a.size == sizeof(tenon::ComponentInfo), "size of the component's descriptor");
  Require(top_a.family == tenon::Family::kDecoding, "family");
  Require(std::strcmp(top_a.name, "acme.top_a") == 0, "name");
  Require(top_a.rank <= 0, "rank of a third party");
  Require(top_a.capabilities.Has(tenon::Capability::kDeviceCpu), "claims the CPU");
  Require(top_a.option_count == 1 && std::strcmp(top_a.options[0].name, "a") == 0, "option a");
}

// p = {0.7, 0.2, 0.08, 0.02} and a = 0.2: the limit is 0.098.
void CheckRun(const tenon::ComponentInfo& info) {
  TinyHost host;
  tenon::OptionValue value;
  value.type = tenon::OptionType::kFloat;
  value.number = 0.2;
  const tenon::CreateArgs args{&host, {{info.options, 1}, {&value, 1}}, nullptr};
  tenon::Component* component = nullptr;
  Require(info.create(&args, &component) == tenon::Status::kOk, "create");
  auto* processor = tenon::QueryFor<tenon::LogitProcessor>(*component);
  Require(processor != nullptr, "offers a logit processor");
  Require(tenon::QueryFor<tenon::Sampler>(*component) == nullptr, "offers no sampler");

  float logits[] = {std::log(0.7f), std::log(0.2f), std::log(0.08f), std::log(0.02f)};
  const float second = logits[1];
  const int32_t prompt[] = {1};
  const tenon::SamplingParams params;
  processor->Apply({{prompt, 1}, 1, &params}, {logits, 4});
  Require(logits[1] == second, "a likely token stays as it was");
  Require(std::isinf(logits[2]) && std::isinf(logits[3]), "unlikely tokens are ruled out");
  info.destroy(component);
}

}  // namespace

int main(int argc, char** argv) {
  Require(argc == 2, "usage: tiny_host PLUGIN.so");
  const tenon::PluginInfo& plugin = Load(argv[1]);
  CheckDescription(plugin);
  CheckRun(*plugin.components[0]);
  std::printf("tiny_host: %s %s runs\n", plugin.id, plugin.version);
  return 0;
}
