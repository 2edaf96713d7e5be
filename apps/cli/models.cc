// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"
#include "fmt/format.h"
#include "models/architectures.h"
#include "models/weights/gguf.h"
#include "models/weights/safetensors_header.h"
#include "nlohmann/json.hpp"
#include "text/pre_tokenizers.h"
#include "text/tokenizer_kinds.h"

namespace tenon::apps {
namespace {

nlohmann::json Names(std::span<const text::TokenizerKind> kinds) {
  nlohmann::json out = nlohmann::json::array();
  for (const text::TokenizerKind& kind : kinds) out.push_back(kind.name);
  return out;
}

nlohmann::json Document() {
  nlohmann::json architectures = nlohmann::json::array();
  for (const models::Architecture& architecture : models::Architectures()) {
    const auto name = [](const char* text) {
      return text != nullptr ? nlohmann::json(text) : nlohmann::json();
    };
    architectures.push_back({{"title", architecture.title},
                             {"gguf", name(architecture.gguf)},
                             {"config", name(architecture.config)}});
  }
  nlohmann::json pre = nlohmann::json::array();
  for (const text::PreTokenizer& one : text::PreTokenizers()) pre.push_back(one.name);
  return {{"architectures", std::move(architectures)},
          {"gguf_types", models::GgufTypeNames()},
          {"safetensors_types", models::SafetensorsTypeNames()},
          {"gguf_tokenizers", {"gpt2", "llama"}},
          {"gguf_pre_tokenizers", std::move(pre)},
          {"tokenizer_json",
           {{"model", Names(text::kModelKinds)},
            {"normalizer", Names(text::kNormalizerKinds)},
            {"pre_tokenizer", Names(text::kPreTokenizerKinds)},
            {"post_processor", Names(text::kPostProcessorKinds)},
            {"decoder", Names(text::kDecoderKinds)}}},
          {"tokenizer_model", {"BPE", "Unigram"}}};
}

// Words in a row, each in backquotes.
std::string Quoted(const nlohmann::json& words) {
  std::string out;
  for (const auto& word : words) {
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", word.get<std::string>());
  }
  return out;
}

std::string Cell(const nlohmann::json& name) {
  return name.is_null() ? "" : fmt::format("`{}` ", name.get<std::string>());
}

void PrintMarkdown(const nlohmann::json& document) {
  fmt::print(
      "| architecture | from GGUF (versions 2 and 3) | from a Hugging Face folder |\n"
      "| --- | --- | --- |\n");
  for (const auto& one : document["architectures"]) {
    fmt::print("| {} | {}| {}|\n", one["title"].get<std::string>(), Cell(one["gguf"]),
               Cell(one["config"]));
  }
  fmt::print("\n| format | what is read |\n| --- | --- |\n");
  fmt::print("| GGUF, whole or split | {} |\n", Quoted(document["gguf_types"]));
  fmt::print("| safetensors, whole or in shards | {} |\n", Quoted(document["safetensors_types"]));
  fmt::print("\n| tokenizer | what is read |\n| --- | --- |\n");
  fmt::print("| GGUF, `tokenizer.ggml.model` | {} |\n", Quoted(document["gguf_tokenizers"]));
  fmt::print("| GGUF, `tokenizer.ggml.pre` | {} |\n", Quoted(document["gguf_pre_tokenizers"]));
  for (const auto& [part, kinds] : document["tokenizer_json"].items()) {
    fmt::print("| `tokenizer.json`, {} | {} |\n", part, Quoted(kinds));
  }
  fmt::print("| SentencePiece `tokenizer.model` | {} |\n", Quoted(document["tokenizer_model"]));
}

// The same without the marks of Markdown.
void PrintText(const nlohmann::json& document) {
  fmt::print("{:<44}{:<16}{}\n", "architecture", "GGUF", "config.json");
  for (const auto& one : document["architectures"]) {
    const auto name = [](const nlohmann::json& n) {
      return n.is_null() ? "" : n.get<std::string>();
    };
    fmt::print("{:<44}{:<16}{}\n", one["title"].get<std::string>(), name(one["gguf"]),
               name(one["config"]));
  }
  const auto list = [](const char* title, const nlohmann::json& words) {
    fmt::print("\n{}:", title);
    for (const auto& word : words) fmt::print(" {}", word.get<std::string>());
    fmt::print("\n");
  };
  list("stored types, GGUF", document["gguf_types"]);
  list("stored types, safetensors", document["safetensors_types"]);
  list("GGUF tokenizers", document["gguf_tokenizers"]);
  list("GGUF pre-tokenizers", document["gguf_pre_tokenizers"]);
  for (const auto& [part, kinds] : document["tokenizer_json"].items()) {
    list(("tokenizer.json, " + part).c_str(), kinds);
  }
  list("SentencePiece tokenizer.model", document["tokenizer_model"]);
}

}  // namespace

void AddModels(CLI::App& app, int& exit_code) {
  struct Arguments {
    bool json = false, markdown = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("models", "architectures, formats and tokenizers that can be read");
  auto* json = command->add_flag("--json", arguments->json, "one JSON document");
  command->add_flag("--markdown", arguments->markdown, "as tables")->excludes(json);
  command->callback([arguments, &exit_code] {
    const nlohmann::json document = Document();
    if (arguments->json) {
      fmt::print("{}\n", document.dump());
    } else if (arguments->markdown) {
      PrintMarkdown(document);
    } else {
      PrintText(document);
    }
    exit_code = kSuccess;
  });
}

}  // namespace tenon::apps
