// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/plugin_note.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "core/plugins/elf_file.h"
#include "core/plugins/host.h"
#include "tenon/plugin.h"
#include "tenon/plugin_note.h"

namespace tenon::core {
namespace {

std::string ValueOf(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
  }
  return "";
}

// What the first processor can do, as the kernel calls it; "flags" on x86-64, "Features" on
// AArch64.
std::set<std::string> ProcessorFlags() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

// The instruction sets of the list that this processor lacks; none where it does not say.
std::string Missing(const std::string& wanted) {
  if (wanted.empty()) return "";
  const std::set<std::string> flags = ProcessorFlags();
  std::istringstream words(wanted);
  std::string missing;
  for (std::string word; !flags.empty() && words >> word;) {
    if (flags.count(word) == 0) missing += (missing.empty() ? "" : ", ") + word;
  }
  return missing;
}

// "" where the file has no note, or one that is cut off.
std::string TextOf(const std::string& note) {
  NoteHead head = {};
  if (note.size() < sizeof(head)) return "";
  std::memcpy(&head, note.data(), sizeof(head));
  if (head.text_bytes > note.size() - sizeof(head)) return "";
  return note.substr(sizeof(head), head.text_bytes);
}

int32_t AskCudaDriver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return 0;
  const auto ask = reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDriverGetVersion"));
  int version = 0;  // 12040 is 12.4
  return ask != nullptr && ask(&version) == 0 ? version / 1000 : 0;
}

}  // namespace

std::optional<std::string> ReadPluginId(const std::string& file) {
  if (!CheckElfFile(file).empty()) return std::nullopt;
  const auto note = ReadElfNote(file, kNoteOwner, kNoteType);
  if (!note) return std::nullopt;
  return ValueOf(TextOf(*note), "id");
}

int32_t CudaDriverMajor() {
  static const int32_t major = AskCudaDriver();
  return major;
}

std::optional<Refusal> CheckPluginCuda(const std::string& file, int32_t (*driver)()) {
  const auto note = ReadElfNote(file, kNoteOwner, kNoteType);
  const std::string wanted = note ? ValueOf(TextOf(*note), "cuda") : "";
  if (wanted.empty()) return std::nullopt;
  int32_t major = 0;
  const auto [end, problem] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), major);
  const std::string name = FileName(file);
  if (problem != std::errc() || end != wanted.data() + wanted.size()) {
    return Refusal{"TN110", file, "",
                   fmt::format("{}: malformed description: its note asks for CUDA \"{}\"; a whole "
                               "number allowed",
                               name, OneLine(wanted, 20)),
                   "Rebuild it with this SDK"};
  }
  const int32_t there = driver();
  if (there >= major) return std::nullopt;
  return Refusal{"TN105", file, "",
                 fmt::format("{}: not opened: needs CUDA {}, and this machine {}", name, major,
                             there == 0 ? "has no CUDA driver"
                                        : fmt::format("has a driver for CUDA {}", there)),
                 "Install a driver for it, or a build of the plugin for this machine"};
}

std::optional<Refusal> CheckPluginNote(const std::string& file) {
  const auto note = ReadElfNote(file, kNoteOwner, kNoteType);
  if (!note) return std::nullopt;
  const std::string name = FileName(file);
  NoteHead head = {};
  if (note->size() >= sizeof(head)) std::memcpy(&head, note->data(), sizeof(head));
  if (note->size() < sizeof(head) || head.text_bytes > note->size() - sizeof(head)) {
    return Refusal{"TN110", file, "", name + ": malformed description: its note is cut off",
                   "Rebuild it with this SDK"};
  }
  if (head.abi != kAbiVersion) {
    return Refusal{
        "TN103", file, "",
        fmt::format("{}: needs host ABI {}; this host offers {}", name, head.abi, kAbiVersion),
        "Rebuild it with this SDK"};
  }
  const std::string missing = Missing(ValueOf(TextOf(*note), "isa"));
  if (missing.empty()) return std::nullopt;
  return Refusal{
      "TN105", file, "",
      fmt::format("{}: not opened: needs {}, which this processor lacks", name, OneLine(missing)),
      "Build it for this processor"};
}

}  // namespace tenon::core
