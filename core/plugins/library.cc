// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/library.h"

#include <dlfcn.h>

#include <boost/dll/shared_library.hpp>
#include <filesystem>
#include <mutex>
#include <vector>

#include "core/plugins/elf_file.h"
#include "core/plugins/host.h"
#include "core/plugins/plugin_note.h"

namespace tenon::core {
namespace {

namespace dll = boost::dll;

// Keeps `library` open, and reachable for leak checkers.
void KeepOpen(const dll::shared_library& library) {
  static std::mutex& mutex = *new std::mutex;
  static auto& kept = *new std::vector<dll::shared_library>;
  const std::lock_guard lock(mutex);
  kept.push_back(library);
}

}  // namespace

Refusal ExplainLoadFailure(const std::string& file, const std::string& dlerror_text) {
  const std::string name = FileName(file);
  // The loader says "<library>: cannot open shared object file: …" of what is missing, and
  // "<file>: <what>" of the file itself.
  const size_t missing = dlerror_text.find(": cannot open shared object file");
  if (missing != std::string::npos) {
    const std::string library = dlerror_text.substr(0, missing);
    if (FileName(library) != name) {
      return {"TN101", file, "", name + ": not loaded: " + library + " not found",
              "Install it, or add its folder to LD_LIBRARY_PATH"};
    }
    return {"TN101", file, "", name + ": not loaded: " + dlerror_text.substr(missing + 2),
            "Check the path and its permissions"};
  }
  std::string what = dlerror_text;
  if (what.starts_with(file + ": ")) what.erase(0, file.size() + 2);
  const std::string cause = name + ": not loaded: " + (what.empty() ? "no reason given" : what);
  if (what.find("undefined symbol") != std::string::npos) {
    return {"TN101", file, "", cause, "Link the library that has it, with -Wl,--no-undefined"};
  }
  return {"TN101", file, "", cause, "Rebuild it as a shared object for this machine"};
}

std::variant<PluginEntry, Refusal> OpenLibrary(const std::string& file) {
  const std::string name = FileName(file);
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) {
    return Refusal{"TN101", file, "", name + ": not loaded: there is no such file",
                   "Check the path " + file};
  }
  const std::string damage = CheckElfFile(file);
  if (!damage.empty()) {
    return Refusal{"TN101", file, "", name + ": not loaded: " + damage,
                   "Rebuild it as a shared object for this machine"};
  }
  // Opening runs its static initialisers.
  if (auto refusal = CheckPluginNote(file)) return *std::move(refusal);
  dll::fs::error_code problem;
  dll::shared_library library;
  library.load(dll::fs::path(file), problem, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  if (problem || !library.is_loaded()) {
    const char* text = dlerror();
    return ExplainLoadFailure(file, OneLine(text == nullptr ? problem.message() : text));
  }
  KeepOpen(library);
  void* symbol = dlsym(library.native(), kEntrySymbol);
  if (symbol == nullptr) {
    return Refusal{"TN102", file, "", name + ": exports no " + kEntrySymbol,
                   "If it is a plugin, describe it with TENON_PLUGIN"};
  }
  return reinterpret_cast<PluginEntry>(symbol);
}

}  // namespace tenon::core
