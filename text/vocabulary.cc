// SPDX-License-Identifier: Apache-2.0
#include "text/vocabulary.h"

#include <cmath>

#include "text/token_map.h"

namespace tenon::text {
namespace {

Error Invalid(std::string what) {
  return {Status::kInvalid, "vocabulary: " + std::move(what) + "; the model file is damaged", {}};
}

Result<void> ValidateSizes(const Vocabulary& v) {
  const size_t size = v.tokens.size();
  const std::string count = std::to_string(size);
  if (size == 0) return Invalid("no tokens");
  if (size > kMaxTokens) {
    return Invalid(count + " tokens, at most " + std::to_string(kMaxTokens) + " allowed");
  }
  if (!v.types.empty() && v.types.size() != size) {
    return Invalid(std::to_string(v.types.size()) + " token types for " + count + " tokens");
  }
  if (v.kind == "llama" ? v.scores.size() != size : !v.scores.empty() && v.scores.size() != size) {
    return Invalid(std::to_string(v.scores.size()) + " scores for " + count + " tokens");
  }
  if (v.kind == "gpt2" && v.merges.empty()) return Invalid("byte-level BPE without merges");
  if (v.merges.size() > 2 * kMaxTokens) {
    return Invalid(std::to_string(v.merges.size()) + " merges for " + count + " tokens");
  }
  return {};
}

Result<void> ValidateTokens(const Vocabulary& v) {
  TokenMap seen(v.tokens.size());
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const std::string& token = v.tokens[id];
    if (token.empty() && v.kind == kTokenizerJson &&
        v.type(static_cast<int32_t>(id)) == TokenType::kUnused) {
      continue;  // a number between others that no token has
    }
    if (token.empty() || token.size() > kMaxTokenBytes) {
      return Invalid("token " + std::to_string(id) + " has " + std::to_string(token.size()) +
                     " bytes, 1 to " + std::to_string(kMaxTokenBytes) + " allowed");
    }
    if (const int32_t other = seen.Find(token); other >= 0) {
      return Invalid("tokens " + std::to_string(other) + " and " + std::to_string(id) +
                     " are both \"" + token.substr(0, 64) + "\"");
    }
    seen.Insert(token, static_cast<int32_t>(id));
    const auto type = static_cast<int32_t>(v.type(static_cast<int32_t>(id)));
    if (type < 1 || type > 6) {
      return Invalid("token " + std::to_string(id) + " has type " + std::to_string(type) +
                     ", 1 to 6 allowed");
    }
    if (!v.scores.empty() && !std::isfinite(v.scores[id])) {
      return Invalid("the score of token " + std::to_string(id) + " is not a finite number");
    }
  }
  return {};
}

}  // namespace

Result<void> Validate(const Vocabulary& v) {
  if (v.kind != "gpt2" && v.kind != "llama" && v.kind != kTokenizerJson) {
    return Error{Status::kUnsupported,
                 "vocabulary: tokenizer kind \"" + v.kind.substr(0, 64) +
                     "\" is not supported; gpt2 and llama are",
                 {}};
  }
  TENON_RETURN_IF_ERROR(ValidateSizes(v));
  const struct {
    const char* name;
    int32_t id;
  } ids[] = {{"bos", v.bos}, {"eos", v.eos}, {"eot", v.eot}, {"unk", v.unk}, {"pad", v.pad}};
  for (const auto& [name, id] : ids) {
    if (id < -1 || id >= static_cast<int64_t>(v.tokens.size())) {
      return Invalid(std::string(name) + " is token " + std::to_string(id) + " of " +
                     std::to_string(v.tokens.size()));
    }
  }
  for (const int32_t id : v.more_eos) {
    if (id < 0 || id >= static_cast<int64_t>(v.tokens.size())) {
      return Invalid("an end-of-text token is " + std::to_string(id) + " of " +
                     std::to_string(v.tokens.size()));
    }
  }
  if (v.add_bos && v.bos < 0) return Invalid("add_bos is set, but there is no bos token");
  if (v.add_eos && v.eos < 0) return Invalid("add_eos is set, but there is no eos token");
  return ValidateTokens(v);
}

}  // namespace tenon::text
