// SPDX-License-Identifier: Apache-2.0
#include "models/architectures.h"

namespace tenon::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"llama", "llama", OpenLlama},
    {nullptr, "mistral", OpenLlama},
    {"qwen2", "qwen2", OpenQwen2},
    {"qwen3", "qwen3", OpenQwen3},
    {"phi3", "phi3", OpenPhi3},
    {"gemma2", "gemma2", OpenGemma2},
    {"gemma3", "gemma3_text", OpenGemma3},
};

const char* NameOf(const Architecture& architecture, bool gguf) {
  return gguf ? architecture.gguf : architecture.config;
}

}  // namespace

std::span<const Architecture> Architectures() { return kArchitectures; }

const Architecture* FindArchitecture(std::string_view name, bool gguf) {
  for (const Architecture& architecture : kArchitectures) {
    const char* own = NameOf(architecture, gguf);
    if (own != nullptr && name == own) return &architecture;
  }
  return nullptr;
}

std::string ArchitectureNames(bool gguf) {
  std::string out;
  for (const Architecture& architecture : kArchitectures) {
    const char* own = NameOf(architecture, gguf);
    if (own != nullptr) out += (out.empty() ? "" : ", ") + std::string(own);
  }
  return out;
}

}  // namespace tenon::models
