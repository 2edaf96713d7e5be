// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/pipeline/pipeline.h"

namespace tenon::core {
namespace {

bool IsPlain(const std::string& text) {
  for (const char* null : {"", "~", "null", "Null", "NULL"}) {
    if (text == null) return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
    const bool digit = c >= '0' && c <= '9';
    const bool minus = c == '-' && (i > 0 || (text.size() > 1 && text[1] != '-'));
    if (!letter && !digit && !minus && c != '.') return false;
  }
  return text != "..." && text != "---";
}

// A scalar that loads as the same text: quoted where plain YAML would read it otherwise.
std::string Scalar(const std::string& text) {
  if (IsPlain(text)) return text;
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      if (text.compare(i, 2, "${") == 0) out += '$';
      out += text[i];
    }
  }
  return out + "\"";
}

std::string Flow(const ComponentChoice& choice) {
  std::string out = "{use: " + Scalar(choice.component->name);
  const Options options = choice.options.View();
  for (uint64_t i = 0; i < options.infos.size; ++i) {
    out += fmt::format(", {}: {}", options.infos[i].name, Scalar(choice.options.texts()[i]));
  }
  return out + "}";
}

std::string AutoOr(int64_t value) { return value == 0 ? "auto" : fmt::format("{}", value); }

}  // namespace

std::string Dump(const Pipeline& pipeline) {
  std::string out = "model: " + Scalar(pipeline.model) + "\n";
  if (!pipeline.plugins.empty()) out += "plugins:\n";
  for (const PluginPath& plugin : pipeline.plugins) {
    const std::string path = Scalar(plugin.path);
    out += plugin.as.empty() ? fmt::format("  - {}\n", path)
                             : fmt::format("  - {{path: {}, as: {}}}\n", path, Scalar(plugin.as));
  }
  if (!pipeline.adapters.empty()) out += "adapters:\n";
  for (const auto& [name, folder] : pipeline.adapters) {
    out += fmt::format("  {}: {}\n", Scalar(name), Scalar(folder));
  }
  for (uint32_t i = 0; i < kFamilyCount; ++i) {
    const ComponentChoice& choice = pipeline.families[i];
    if (choice.component != nullptr) {
      out += fmt::format("{}: {}\n", kFamilyNames[i], Flow(choice));
    }
  }
  out += "decoding:\n";
  for (const ComponentChoice& choice : pipeline.decoding) out += "  - " + Flow(choice) + "\n";
  const MemoryChoice& memory = pipeline.memory;
  out += fmt::format(
      "memory: {{context_tokens: {}, kv_tokens: {}, prefix_cache: {}, offload: {}, "
      "offload_tokens: {}}}\n",
      AutoOr(memory.context_tokens), AutoOr(memory.kv_tokens), memory.prefix_cache,
      Scalar(memory.offload), AutoOr(memory.offload_tokens));
  out += fmt::format("serve: {{workers: {}}}\n", pipeline.serve.workers);
  return out;
}

}  // namespace tenon::core
