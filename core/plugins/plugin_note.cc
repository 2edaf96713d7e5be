// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/plugin_note.h"

#include <fmt/format.h>

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

std::string TextOf(const std::string& note) {
  NoteHead head = {};
  if (note.size() >= sizeof(head)) std::memcpy(&head, note.data(), sizeof(head));
  return note.size() < sizeof(head) ? "" : note.substr(sizeof(head), head.text_bytes);
}

}  // namespace

std::optional<std::string> ReadPluginId(const std::string& file) {
  if (!CheckElfFile(file).empty()) return std::nullopt;
  const auto note = ReadElfNote(file, kNoteOwner, kNoteType);
  if (!note) return std::nullopt;
  return ValueOf(TextOf(*note), "id");
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
