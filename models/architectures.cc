// SPDX-License-Identifier: Apache-2.0
#include "models/architectures.h"

#include "models/bert.h"

namespace tenon::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"Llama, SmolLM2; in GGUF also Mistral, Mixtral", "llama", "llama", OpenLlama},
    {"Mistral", nullptr, "mistral", OpenLlama},
    {"Mixtral", nullptr, "mixtral", OpenMixtral},
    {"Qwen 2", "qwen2", "qwen2", OpenQwen2},
    {"Qwen 2 MoE", "qwen2moe", "qwen2_moe", OpenQwen2Moe},
    {"Qwen 3", "qwen3", "qwen3", OpenQwen3},
    {"Qwen 3 MoE", "qwen3moe", "qwen3_moe", OpenQwen3Moe},
    {"Phi 3, Phi 4", "phi3", "phi3", OpenPhi3},
    {"Gemma 2", "gemma2", "gemma2", OpenGemma2},
    {"Gemma 3, text only", "gemma3", "gemma3_text", OpenGemma3},
    {"DeepSeek V2; in GGUF also V3", "deepseek2", "deepseek_v2", OpenDeepseek},
    {"DeepSeek V3", nullptr, "deepseek_v3", OpenDeepseek},
    {"gpt-oss", "gpt-oss", "gpt_oss", OpenGptOss},
    {"BERT, an encoder (tenon embed)", "bert", "bert", OpenBert},
    {"RoBERTa, an encoder", nullptr, "roberta", OpenRoberta},
    {"XLM-R, an encoder", nullptr, "xlm-roberta", OpenRoberta},
    {"DistilBERT, an encoder", nullptr, "distilbert", OpenDistilBert},
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
