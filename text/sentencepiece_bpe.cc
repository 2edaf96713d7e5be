// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "text/byte_token.h"
#include "text/encoder.h"
#include "text/pair_merger.h"
#include "text/token_map.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string WithMarks(std::string_view text) {
  std::string marked;
  marked.reserve(text.size() + text.size() / 2);
  for (const char c : text) c == ' ' ? (void)marked.append(kSpaceMark) : marked.push_back(c);
  return marked;
}

std::string WithSpaces(std::string_view text) {
  std::string spaced;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at, kSpaceMark.size()) == kSpaceMark) {
      spaced.push_back(' ');
      at += kSpaceMark.size();
    } else {
      spaced.push_back(text[at++]);
    }
  }
  return spaced;
}

// One character, or one byte of what is not UTF-8, in a key that tells them apart.
struct Letter {
  uint32_t key;
  uint32_t bytes;
};

Letter LetterAt(std::string_view text, size_t at) {
  const Utf8Step step = DecodeUtf8(text, at);
  if (step.kind == Utf8Step::kCharacter) return {step.character, step.bytes};
  return {0x110000u + static_cast<uint8_t>(text[at]), 1};
}

// Which letters stand side by side inside some token. Text may be cut wherever two do not: no merge
// reaches across. A Bloom filter with one hash: a false "yes" only leaves a piece uncut.
class Neighbours {
 public:
  explicit Neighbours(size_t pairs) : bits_(std::bit_ceil(pairs * 16 + 64) / 64) {}
  void Add(uint32_t left, uint32_t right) {
    const uint64_t bit = Bit(left, right);
    bits_[bit / 64] |= uint64_t{1} << bit % 64;
  }
  bool Has(uint32_t left, uint32_t right) const {
    const uint64_t bit = Bit(left, right);
    return bits_[bit / 64] >> bit % 64 & 1;
  }

 private:
  uint64_t Bit(uint32_t left, uint32_t right) const {
    const uint64_t key = (uint64_t{left} << 21 | right) * 0x9E3779B97F4A7C15u;
    return (key ^ key >> 29) * 0xBF58476D1CE4E5B9u >> 20 & (bits_.size() * 64 - 1);
  }
  std::vector<uint64_t> bits_;
};

class SentencePieceBpe final : public Encoder {
 public:
  explicit SentencePieceBpe(const Vocabulary& vocabulary);

  Result<void> Encode(std::string_view text, bool first, std::vector<int32_t>* ids) const override;
  std::string Bytes(const Vocabulary& vocabulary, int32_t id) const override;

 private:
  void Spell(std::string_view text, const std::vector<Symbol>& symbols,
             std::vector<int32_t>* ids) const;

  TokenMap ids_;                       // of the tokens that merging may make
  std::vector<uint32_t> priorities_;   // [vocab_size], from the scores; equal where those are
  std::array<int32_t, 256> byte_ids_;  // -1: none
  Neighbours neighbours_;
  size_t longest_ = 0;  // bytes of the longest token in ids_
  int32_t unk_;
  bool add_space_prefix_;
};

// Only these are made by merging; user-defined ones were found before, the others never come from
// text.
bool CanMerge(TokenType type) { return type == TokenType::kNormal || type == TokenType::kUnused; }

size_t CountBytes(const Vocabulary& v) {
  return std::accumulate(v.tokens.begin(), v.tokens.end(), size_t{0},
                         [](size_t sum, const std::string& token) { return sum + token.size(); });
}

SentencePieceBpe::SentencePieceBpe(const Vocabulary& v)
    : ids_(v.tokens.size()),
      priorities_(v.tokens.size()),
      neighbours_(std::min(CountBytes(v), size_t{1} << 22)),
      unk_(v.unk),
      add_space_prefix_(v.add_space_prefix) {
  std::vector<int32_t> order(v.tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return v.scores[a] > v.scores[b]; });
  uint32_t priority = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && v.scores[order[i]] != v.scores[order[i - 1]]) ++priority;
    priorities_[order[i]] = priority;
  }
  byte_ids_.fill(-1);
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    const std::string& token = v.tokens[id];
    const TokenType type = v.type(static_cast<int32_t>(id));
    if (type == TokenType::kByte) {
      if (const int byte = ByteOfToken(token); byte >= 0)
        byte_ids_[byte] = static_cast<int32_t>(id);
    } else if (CanMerge(type)) {
      ids_.Insert(token, static_cast<int32_t>(id));
      longest_ = std::max(longest_, token.size());
      Letter left = LetterAt(token, 0);
      for (size_t at = left.bytes; at < token.size();) {
        const Letter right = LetterAt(token, at);
        neighbours_.Add(left.key, right.key);
        at += right.bytes;
        left = right;
      }
    }
  }
}

// `text` ends where the last symbol does.
void SentencePieceBpe::Spell(std::string_view text, const std::vector<Symbol>& symbols,
                             std::vector<int32_t>* ids) const {
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i].id >= 0) {
      ids->push_back(symbols[i].id);
      continue;
    }
    const size_t begin = symbols[i].begin;
    const size_t end = i + 1 < symbols.size() ? symbols[i + 1].begin : text.size();
    const std::string_view bytes = text.substr(begin, end - begin);
    const bool spelled = std::all_of(bytes.begin(), bytes.end(), [this](char c) {
      return byte_ids_[static_cast<uint8_t>(c)] >= 0;
    });
    if (spelled) {
      for (const char c : bytes) ids->push_back(byte_ids_[static_cast<uint8_t>(c)]);
    } else if (unk_ >= 0) {
      ids->push_back(unk_);
    }
  }
}

Result<void> SentencePieceBpe::Encode(std::string_view plain, bool first,
                                      std::vector<int32_t>* ids) const {
  if (plain.empty()) return {};
  std::string text = add_space_prefix_ && first ? std::string(kSpaceMark) : std::string();
  text += WithMarks(plain);
  const auto rules = [&](const Pair& pair) -> Merge {
    const size_t bytes = pair.end - pair.begin;
    if (bytes > longest_) return {};
    const int32_t id = ids_.Find(std::string_view(text).substr(pair.begin, bytes));
    return id < 0 ? Merge{} : Merge{priorities_[static_cast<size_t>(id)], id};
  };
  // Address space rather than memory: what is not written to costs nothing, but growing would.
  std::vector<Symbol> symbols;
  symbols.reserve(std::min(text.size(), size_t{1} << 21));
  PairMerger merger;
  const auto finish = [&](size_t end) {
    merger.Run(&symbols, static_cast<uint32_t>(end), rules);
    Spell(std::string_view(text).substr(0, end), symbols, ids);
    symbols.clear();
  };
  uint32_t previous = 0;
  for (size_t at = 0; at < text.size();) {
    const Letter letter = LetterAt(text, at);
    if (!symbols.empty() && !neighbours_.Has(previous, letter.key)) finish(at);
    const int32_t id = ids_.Find(std::string_view(text).substr(at, letter.bytes));
    symbols.push_back({static_cast<uint32_t>(at), id});
    previous = letter.key;
    at += letter.bytes;
  }
  finish(text.size());
  return {};
}

std::string SentencePieceBpe::Bytes(const Vocabulary& v, int32_t id) const {
  const std::string& token = v.tokens[static_cast<size_t>(id)];
  switch (v.type(id)) {
    case TokenType::kByte: {
      const int byte = ByteOfToken(token);
      return byte < 0 ? token : std::string(1, static_cast<char>(byte));
    }
    case TokenType::kControl:
    case TokenType::kUnknown:
      return token;
    default:
      return WithSpaces(token);
  }
}

}  // namespace

Result<std::unique_ptr<Encoder>> MakeSentencePieceBpe(const Vocabulary& vocabulary) {
  return std::unique_ptr<Encoder>(std::make_unique<SentencePieceBpe>(vocabulary));
}

}  // namespace tenon::text
