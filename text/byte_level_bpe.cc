// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "text/encoder.h"
#include "text/pair_merger.h"
#include "text/pre_tokenizers.h"
#include "text/token_map.h"
#include "text/utf8.h"
#include "text/word_splitter.h"

namespace tenon::text {
namespace {

// GPT-2's alphabet: every byte as a visible character. Printable ones of Latin-1 stand for
// themselves, the others for U+0100 and up, in order.
bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> character;
  std::array<int16_t, 512> byte;  // of a character; -1: none

  Alphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      character[b] = StandsForItself(b) ? static_cast<char32_t>(b) : next++;
      byte[character[b]] = static_cast<int16_t>(b);
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

class ByteLevelBpe final : public Encoder {
 public:
  ByteLevelBpe(WordSplitter splitter, const Vocabulary& vocabulary)
      : splitter_(std::move(splitter)), merges_(vocabulary.merges.size()) {
    const PreTokenizer* rule = FindPreTokenizer(vocabulary.pre);
    ignore_merges_ = rule != nullptr && rule->ignore_merges;
  }

  Result<void> ReadTokens(const Vocabulary& vocabulary);
  Result<void> Encode(std::string_view text, bool first, std::vector<int32_t>* ids) const override;
  std::string Bytes(const Vocabulary& vocabulary, int32_t id) const override;

 private:
  void ReadWords(const Vocabulary& vocabulary);

  WordSplitter splitter_;
  MergeMap merges_;
  bool ignore_merges_ = false;
  TokenMap words_;                     // of whole words, where they go before the merges
  std::array<int32_t, 256> byte_ids_;  // -1: the vocabulary cannot spell this byte
};

Result<void> ByteLevelBpe::ReadTokens(const Vocabulary& v) {
  TokenMap ids(v.tokens.size());
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    ids.Insert(v.tokens[id], static_cast<int32_t>(id));
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    std::string letter;
    AppendUtf8(TheAlphabet().character[byte], &letter);
    byte_ids_[byte] = ids.Find(letter);
  }
  if (ignore_merges_) ReadWords(v);
  for (size_t rank = 0; rank < v.merges.size(); ++rank) {
    const std::string& merge = v.merges[rank];
    const size_t space = merge.find(' ', 1);
    std::string_view left = merge, right;
    if (space != std::string::npos) {
      left = std::string_view(merge).substr(0, space);
      right = std::string_view(merge).substr(space + 1);
    }
    const int32_t left_id = ids.Find(left), right_id = ids.Find(right);
    const int32_t merged = ids.Find(std::string(left).append(right));
    if (right.empty() || left_id < 0 || right_id < 0 || merged < 0) {
      return Error{Status::kInvalid,
                   "vocabulary: merge " + std::to_string(rank) + ", \"" + merge.substr(0, 64) +
                       "\", names a token that is not there; the model file is damaged",
                   {}};
    }
    merges_.Insert(left_id, right_id, static_cast<uint32_t>(rank), merged);
  }
  return {};
}

// Not those of special tokens, which text must not forge.
void ByteLevelBpe::ReadWords(const Vocabulary& v) {
  words_ = TokenMap(v.tokens.size());
  for (int32_t id = 0; id < static_cast<int32_t>(v.tokens.size()); ++id) {
    if (v.type(id) == TokenType::kNormal) words_.Insert(Bytes(v, id), id);
  }
}

Result<void> ByteLevelBpe::Encode(std::string_view text, bool, std::vector<int32_t>* ids) const {
  const auto rules = [this](const Pair& pair) -> Merge {
    const MergeMap::Entry* merge = merges_.Find(pair.left, pair.right);
    return merge == nullptr ? Merge{} : Merge{merge->rank, merge->merged};
  };
  WordSplitter::Walk words(splitter_, text);
  std::vector<Symbol> symbols;
  PairMerger merger;
  while (true) {
    const auto next = words.Next();
    if (!next.ok()) return next.error();
    const std::string_view word = *next;
    if (word.empty()) return {};
    if (const int32_t id = ignore_merges_ ? words_.Find(word) : -1; id >= 0) {
      ids->push_back(id);
      continue;
    }
    symbols.resize(word.size());
    for (size_t i = 0; i < word.size(); ++i) {
      symbols[i] = {static_cast<uint32_t>(i), byte_ids_[static_cast<uint8_t>(word[i])]};
    }
    merger.Run(&symbols, static_cast<uint32_t>(word.size()), rules);
    for (const Symbol& symbol : symbols) {
      if (symbol.id >= 0) ids->push_back(symbol.id);
    }
  }
}

std::string ByteLevelBpe::Bytes(const Vocabulary& v, int32_t id) const {
  const std::string& token = v.tokens[static_cast<size_t>(id)];
  const TokenType type = v.type(id);
  if (type == TokenType::kControl || type == TokenType::kUserDefined) return token;
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const Utf8Step step = DecodeUtf8(token, at);
    const bool letter = step.kind == Utf8Step::kCharacter && step.character < 512 &&
                        TheAlphabet().byte[step.character] >= 0;
    if (!letter) return token;  // not in the alphabet: the token was added as it is
    bytes.push_back(static_cast<char>(TheAlphabet().byte[step.character]));
    at += step.bytes;
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Encoder>> MakeByteLevelBpe(const Vocabulary& vocabulary) {
  auto splitter = WordSplitter::ForName(vocabulary.pre);
  if (!splitter.ok()) return splitter.error();
  auto encoder = std::make_unique<ByteLevelBpe>(*std::move(splitter), vocabulary);
  TENON_RETURN_IF_ERROR(encoder->ReadTokens(vocabulary));
  return std::unique_ptr<Encoder>(std::move(encoder));
}

}  // namespace tenon::text
