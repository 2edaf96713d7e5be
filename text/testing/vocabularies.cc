// SPDX-License-Identifier: Apache-2.0
#include "text/testing/vocabularies.h"

#include <pthread.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace tenon::text::testing {
namespace {

std::vector<Extract::Case> CasesOf(const nlohmann::json& document) {
  std::vector<Extract::Case> cases;
  for (const auto& item : document["cases"]) {
    cases.push_back({item["text"].get<std::string>(), item["ids"].get<std::vector<int32_t>>(),
                     item["decoded"].get<std::string>()});
  }
  return cases;
}

void Add(Vocabulary* v, std::string token, TokenType type, float score = 0) {
  v->tokens.push_back(std::move(token));
  v->types.push_back(type);
  v->scores.push_back(score);
}

}  // namespace

std::string Gpt2Letters(std::string_view bytes) {
  std::string letters;
  for (const char c : bytes) {
    const int byte = static_cast<uint8_t>(c);
    int letter = byte;
    if (byte <= 0x20) {
      letter = 0x100 + byte;
    } else if (byte >= 0x7F && byte <= 0xA0) {
      letter = 0x121 + byte - 0x7F;
    } else if (byte == 0xAD) {
      letter = 0x143;
    }
    if (letter < 0x80) {
      letters.push_back(static_cast<char>(letter));
    } else {
      letters.push_back(static_cast<char>(0xC0 | letter >> 6));
      letters.push_back(static_cast<char>(0x80 | (letter & 0x3F)));
    }
  }
  return letters;
}

Vocabulary ByteVocabulary(const std::vector<std::pair<std::string, std::string>>& merges) {
  Vocabulary v;
  v.kind = "gpt2";
  v.pre = "smollm";
  for (int byte = 0; byte < 256; ++byte) {
    Add(&v, Gpt2Letters(std::string(1, static_cast<char>(byte))), TokenType::kNormal);
  }
  for (const auto& [left, right] : merges) {
    Add(&v, Gpt2Letters(left + right), TokenType::kNormal);
    v.merges.push_back(Gpt2Letters(left) + " " + Gpt2Letters(right));
  }
  Add(&v, "<|end|>", TokenType::kControl);
  Add(&v, "<|im_end|>", TokenType::kControl);
  Add(&v, "<tag>", TokenType::kUserDefined);
  return v;
}

Vocabulary PieceVocabulary(const std::vector<std::string>& pieces) {
  Vocabulary v;
  v.kind = "llama";
  v.pre = "default";
  Add(&v, "<unk>", TokenType::kUnknown);
  Add(&v, "<s>", TokenType::kControl);
  Add(&v, "</s>", TokenType::kControl);
  for (int byte = 0; byte < 256; ++byte) {
    char token[8];
    std::snprintf(token, sizeof(token), "<0x%02X>", static_cast<unsigned>(byte));
    Add(&v, token, TokenType::kByte);
  }
  Add(&v, "\n\n", TokenType::kUserDefined);
  Add(&v, "  ", TokenType::kUserDefined);
  float score = 0;
  for (const std::string& piece : pieces) Add(&v, piece, TokenType::kNormal, score--);
  v.unk = 0;
  v.bos = 1;
  v.eos = 2;
  return v;
}

Extract ReadExtract(const std::string& name) {
  const auto document = nlohmann::json::parse(
      ReadFile(std::string(TENON_SOURCE_DIR) + "/tests/data/text/" + name + ".json"));
  Extract extract;
  Vocabulary& v = extract.vocabulary;
  v.kind = document["kind"];
  v.pre = document["pre"];
  for (const auto& token : document["tokens"]) {
    extract.original.push_back(token[0]);
    Add(&v, token[1], static_cast<TokenType>(token[2].get<int>()),
        token.size() > 3 ? token[3].get<float>() : 0);
  }
  v.merges = document["merges"].get<std::vector<std::string>>();
  extract.cases = CasesOf(document);
  return extract;
}

std::vector<Extract::Case> ReadSharedCases(const std::string& name) {
  const std::string text = ReadFile(std::string(TENON_SHARED_DIR) + "/reference/" + name + ".json");
  return text.empty() ? std::vector<Extract::Case>() : CasesOf(nlohmann::json::parse(text));
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

uint64_t Random::Next() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

std::string Random::Text(size_t bytes, std::string_view letters) {
  std::string text;
  while (text.size() < bytes) text.push_back(letters[Below(letters.size())]);
  return text;
}

void OnSmallStack(void (*call)(void*), void* argument) {
  struct Work {
    void (*call)(void*);
    void* argument;
  } work{call, argument};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t kStackBytes = size_t{2} << 20;
#else
  constexpr size_t kStackBytes = size_t{256} << 10;
#endif
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread;
  const auto run = [](void* given) -> void* {
    const auto* work_item = static_cast<Work*>(given);
    work_item->call(work_item->argument);
    return nullptr;
  };
  if (pthread_create(&thread, &attributes, run, &work) != 0) std::abort();
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace tenon::text::testing
