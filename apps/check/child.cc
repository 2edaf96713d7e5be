// SPDX-License-Identifier: Apache-2.0
#include "apps/check/child.h"

#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/plugins/descriptor.h"
#include "core/plugins/library.h"
#include "core/plugins/registry.h"
#include "tenon/testing/elf_symbols.h"
#include "tenon/testing/verdict.h"

namespace tenon::apps {
namespace {

using testing::Outcome;
using testing::Subject;
using testing::Test;
using testing::Verdict;

constexpr char kSeparator = '\t';

// What times are compared with, where it is installed.
constexpr struct {
  Family family;
  const char* name;
} kYardsticks[] = {{Family::kAttention, "reference"}, {Family::kQuant, "dequant"}};
constexpr const char* kDevice = "cpu";

int Answer(const nlohmann::json& result) {
  const std::string line = result.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::printf("\n%s%s\n", kResultMark, line.c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int Answer(const Verdict& verdict) {
  const char* const names[] = {"passed", "warned", "failed", "skipped"};
  nlohmann::json rates = nlohmann::json::array();
  for (const testing::Rate& rate : verdict.rates) {
    rates.push_back({{"what", rate.what}, {"per_second", rate.per_second}, {"bytes", rate.bytes}});
  }
  return Answer(nlohmann::json{{"outcome", names[static_cast<size_t>(verdict.outcome)]},
                               {"message", verdict.message},
                               {"rates", rates}});
}

// The file's description, or why there is none.
Result<const PluginInfo*> Load(const std::string& file) {
  const auto opened = core::OpenLibrary(std::filesystem::absolute(file).lexically_normal());
  if (const auto* refusal = std::get_if<core::Refusal>(&opened)) return refusal->ToError();
  const PluginInfo* info = std::get<PluginEntry>(opened)();
  if (const auto refusal = core::CheckDescriptor(info, file)) return refusal->ToError();
  return info;
}

const ComponentInfo* Find(const ComponentPlace& place) {
  if (place.file.empty()) return nullptr;
  const auto info = Load(place.file);
  for (uint32_t i = 0; info.ok() && i < (*info)->component_count; ++i) {
    const ComponentInfo* component = (*info)->components[i];
    if (place.name == component->name && place.family == Name(component->family)) return component;
  }
  return nullptr;
}

std::string PlaceOf(core::Registry& registry, Family family, const char* name) {
  const auto found = registry.Find(family, name);
  return found.ok() ? ComponentPlace{(*found)->file, Name(family), name}.Text() : "";
}

std::string WhySkipped(const ComponentInfo& component) {
  core::PluginHost host(component.name);
  core::ForgetFailure();
  if (component.probe == nullptr || component.probe(&host) == Status::kOk) return "";
  return core::TakeFailure();
}

int List(const ChildArguments& arguments) {
  const auto info = Load(arguments.subject.file);
  if (!info.ok()) return Answer(nlohmann::json{{"error", info.error().message}});
  nlohmann::json components = nlohmann::json::array();
  for (uint32_t i = 0; i < (*info)->component_count; ++i) {
    const ComponentInfo& component = *(*info)->components[i];
    std::vector<std::string> tests;
    for (const Test& test : testing::TestsOf(component)) tests.push_back(test.name);
    components.push_back({{"name", component.name},
                          {"family", Name(component.family)},
                          {"why", WhySkipped(component)},
                          {"tests", tests}});
  }
  core::Registry registry;
  registry.AddFolders(core::SearchFolders(arguments.plugin_dirs));
  nlohmann::json yardsticks = nlohmann::json::object();
  for (const auto& [family, name] : kYardsticks) {
    yardsticks[Name(family)] = PlaceOf(registry, family, name);
  }
  return Answer(nlohmann::json{{"components", components},
                               {"device", PlaceOf(registry, Family::kDevice, kDevice)},
                               {"yardsticks", yardsticks}});
}

Verdict RunFileTest(const std::string& name, const std::string& file) {
  if (name == "plugin.static.exports") return testing::CheckExports(file);
  if (name == "plugin.static.undefined") return testing::CheckUndefined(file);
  if (name == "plugin.static.unique") return testing::CheckUnique(file);
  const auto info = Load(file);
  if (!info.ok()) return testing::Failed(info.error().message);
  if (name == "plugin.static.load") return testing::Passed();
  return testing::CheckDescription(**info);
}

Verdict RunTest(const ChildArguments& arguments) {
  for (const std::string& name : FileTests()) {
    if (name == arguments.test) return RunFileTest(name, arguments.subject.file);
  }
  Subject subject;
  subject.component = Find(arguments.subject);
  if (subject.component == nullptr) return testing::Failed("the component is no longer there");
  subject.device = Find(arguments.device);
  subject.yardstick = Find(arguments.yardstick);
  for (const Test& test : testing::TestsOf(*subject.component)) {
    if (test.name == arguments.test) return test.run(subject);
  }
  return testing::Failed("there is no test of that name");
}

}  // namespace

std::string ComponentPlace::Text() const { return family + kSeparator + name + kSeparator + file; }

ComponentPlace ComponentPlace::Parse(const std::string& text) {
  const size_t first = text.find(kSeparator);
  if (first == std::string::npos) return {};
  const size_t second = text.find(kSeparator, first + 1);
  if (second == std::string::npos) return {};
  return {text.substr(second + 1), text.substr(0, first),
          text.substr(first + 1, second - first - 1)};
}

std::vector<std::string> FileTests() {
  return {"plugin.static.exports", "plugin.static.undefined", "plugin.static.unique",
          "plugin.static.load", "plugin.static.description"};
}

int RunCheckChild(const ChildArguments& arguments) {
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  return arguments.test == kListTests ? List(arguments) : Answer(RunTest(arguments));
}

}  // namespace tenon::apps
