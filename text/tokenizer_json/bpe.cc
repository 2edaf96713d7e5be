// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "text/pair_merger.h"
#include "text/tokenizer_json/model.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace tenon::text::tokenizer_json {
namespace {

// Which characters stand side by side where some merge joins two tokens. Between others a piece may
// be cut: no merge reaches across. A Bloom filter with one hash: a false "yes" only leaves a piece
// uncut.
class Seams {
 public:
  Seams() : bits_(size_t{1} << 16) {}
  void Add(char32_t left, char32_t right) {
    const uint64_t bit = Bit(left, right);
    bits_[bit / 64] |= uint64_t{1} << bit % 64;
  }
  bool Has(char32_t left, char32_t right) const {
    const uint64_t bit = Bit(left, right);
    return bits_[bit / 64] >> bit % 64 & 1;
  }

 private:
  uint64_t Bit(char32_t left, char32_t right) const {
    if ((left | right) < 128) return left << 7 | right;
    return ((uint64_t{left} << 21 | right) * 0x9E3779B97F4A7C15u) >> 42;
  }
  std::vector<uint64_t> bits_;  // 2^22 bits
};

char32_t FirstCharacter(std::string_view text) { return DecodeUtf8(text, 0).character; }

char32_t LastCharacter(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return DecodeUtf8(text, at).character;
}

// Byte-pair encoding (Sennrich et al., 2016) as Hugging Face's "BPE" has it.
class Bpe final : public Model {
 public:
  std::unique_ptr<Run> Start() const override;
  Result<void> ReadMerges(const Node& node, const ModelTokens& tokens);
  void IndexCharacters();

  TokenMap ids;
  MergeMap merges;
  std::vector<bool> special;
  std::vector<int32_t> bytes;  // [256], or empty: no byte fallback
  std::string prefix, suffix;
  int32_t unk = -1;
  bool fuse_unk = false;
  bool ignore_merges = false;

 private:
  class MergeRun;
  Result<void> AddMerge(const Node& node, std::string_view left, std::string_view right,
                        size_t rank);
  bool MayNotCut(int32_t id) const;
  int32_t Find(char32_t c, std::string_view utf8) const {
    return c < first_.size() ? first_[c] : ids.Find(utf8);
  }

  Seams seams_;
  bool may_cut_ = true;
  std::vector<int32_t> sorted_bytes_;  // of bytes
  std::array<int32_t, 1024> first_;    // ids of the first characters of Unicode
};

class Bpe::MergeRun final : public Model::Run {
 public:
  explicit MergeRun(const Bpe& model) : model_(model) {}
  Result<void> Append(std::string_view piece, std::vector<int32_t>* out) override;

 private:
  void Add(int32_t id) { symbols_.push_back({static_cast<uint32_t>(symbols_.size()), id}); }
  void AddCharacter(std::string_view piece, size_t begin, size_t end, char32_t c);
  bool AddBytes(std::string_view letter);
  void Flush(std::vector<int32_t>* out);

  const Bpe& model_;
  std::vector<Symbol> symbols_;
  PairMerger merger_;
  std::string letter_;
  int32_t unknown_ = -1;  // an unk that waits, since the next may join it
};

std::unique_ptr<Model::Run> Bpe::Start() const { return std::make_unique<MergeRun>(*this); }

void Bpe::MergeRun::Flush(std::vector<int32_t>* out) {
  const auto end = static_cast<uint32_t>(symbols_.size());
  merger_.Run(&symbols_, end, [this](const Pair& pair) -> Merge {
    const MergeMap::Entry* merge = model_.merges.Find(pair.left, pair.right);
    return merge == nullptr ? Merge{} : Merge{merge->rank, merge->merged};
  });
  for (const Symbol& symbol : symbols_) out->push_back(symbol.id);
  symbols_.clear();
}

bool Bpe::MergeRun::AddBytes(std::string_view letter) {
  const auto has_byte = [this](char c) { return model_.bytes[static_cast<uint8_t>(c)] >= 0; };
  if (model_.bytes.empty() || !std::all_of(letter.begin(), letter.end(), has_byte)) return false;
  for (const char c : letter) Add(model_.bytes[static_cast<uint8_t>(c)]);
  return true;
}

void Bpe::MergeRun::AddCharacter(std::string_view piece, size_t begin, size_t end, char32_t c) {
  std::string_view letter = piece.substr(begin, end - begin);
  int32_t id;
  if (model_.prefix.empty() && model_.suffix.empty()) {
    id = model_.Find(c, letter);
  } else {
    letter_.assign(begin > 0 ? model_.prefix : std::string());
    letter_.append(letter).append(end == piece.size() ? model_.suffix : std::string());
    letter = letter_;
    id = model_.ids.Find(letter);
  }
  if (id >= 0) {
    if (unknown_ >= 0) Add(unknown_);
    unknown_ = -1;
    Add(id);
  } else if (!AddBytes(letter) && model_.unk >= 0) {
    if (unknown_ >= 0 && !model_.fuse_unk) Add(unknown_);
    unknown_ = model_.unk;
  }
}

Result<void> Bpe::MergeRun::Append(std::string_view piece, std::vector<int32_t>* out) {
  if (model_.ignore_merges) {
    const int32_t id = model_.ids.Find(piece);
    const auto index = static_cast<size_t>(id);
    if (id >= 0 && (index >= model_.special.size() || !model_.special[index])) {
      out->push_back(id);
      return {};
    }
  }
  char32_t last = 0;
  for (size_t at = 0; at < piece.size();) {
    const Utf8Step step = DecodeUtf8(piece, at);
    size_t before = symbols_.size();
    const int32_t waiting = unknown_;
    if (model_.may_cut_ && before > 0 && !model_.seams_.Has(last, step.character)) {
      // What is not in the vocabulary and has no unk leaves no trace: its neighbours may merge.
      if (model_.unk >= 0 || !model_.bytes.empty() ||
          model_.Find(step.character, piece.substr(at, step.bytes)) >= 0) {
        Flush(out);
        before = 0;
      }
    }
    AddCharacter(piece, at, at + step.bytes, step.character);
    if (symbols_.size() != before || unknown_ != waiting) last = step.character;
    at += step.bytes;
  }
  if (unknown_ >= 0) Add(unknown_);
  unknown_ = -1;
  Flush(out);
  return {};
}

// Merges of what does not stand for its own characters know no characters to cut between.
bool Bpe::MayNotCut(int32_t id) const {
  return id == unk || std::binary_search(sorted_bytes_.begin(), sorted_bytes_.end(), id);
}

Result<void> Bpe::AddMerge(const Node& node, std::string_view left, std::string_view right,
                           size_t rank) {
  const int32_t left_id = ids.Find(left), right_id = ids.Find(right);
  int32_t merged = -1;
  if (right.size() >= prefix.size()) {
    merged = ids.Find(std::string(left).append(right.substr(prefix.size())));
  }
  if (left.empty() || right.empty() || left_id < 0 || right_id < 0 || merged < 0) {
    return node.Says("merge " + std::to_string(rank) + ", \"" + std::string(left.substr(0, 64)) +
                     "\" and \"" + std::string(right.substr(0, 64)) +
                     "\", names a token that is not in the vocabulary");
  }
  merges.Insert(left_id, right_id, static_cast<uint32_t>(rank), merged);
  may_cut_ = may_cut_ && !MayNotCut(left_id) && !MayNotCut(right_id);
  seams_.Add(LastCharacter(left), FirstCharacter(right));
  return {};
}

Result<void> Bpe::ReadMerges(const Node& node, const ModelTokens& tokens) {
  if (!node.value->is_array()) return node.Wrong("an array of merges");
  const size_t count = node.value->size();
  if (count > 2 * kMaxTokens) {
    return node.Says(std::to_string(count) + " merges for " + std::to_string(tokens.tokens.size()) +
                     " tokens");
  }
  const bool drops_some =
      unk < 0 && !bytes.empty() && *std::min_element(bytes.begin(), bytes.end()) < 0;
  may_cut_ = prefix.empty() && suffix.empty() && !drops_some;
  merges = MergeMap(count);
  sorted_bytes_ = bytes;
  std::sort(sorted_bytes_.begin(), sorted_bytes_.end());
  // From the last to the first: of two for one pair the last counts, and the map keeps what came
  // first.
  for (size_t rank = count; rank-- > 0;) {
    const nlohmann::json& merge = (*node.value)[rank];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      TENON_RETURN_IF_ERROR(AddMerge(node, merge[0].get_ref<const std::string&>(),
                                     merge[1].get_ref<const std::string&>(), rank));
      continue;
    }
    if (!merge.is_string()) return node.At(rank).Wrong("\"left right\" or [left, right]");
    const std::string_view both = merge.get_ref<const std::string&>();
    if (both.starts_with("#version")) continue;
    const size_t space = both.find(' ');
    if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
      return node.At(rank).Wrong("two tokens with one space between");
    }
    TENON_RETURN_IF_ERROR(AddMerge(node, both.substr(0, space), both.substr(space + 1), rank));
  }
  return {};
}

void Bpe::IndexCharacters() {
  for (char32_t c = 0; c < first_.size(); ++c) {
    std::string utf8;
    AppendUtf8(c, &utf8);
    first_[c] = ids.Find(utf8);
  }
}

}  // namespace

Result<ReadModel> ReadBpe(Fields& fields, const std::vector<bool>& special) {
  auto model = std::make_unique<Bpe>();
  const std::string unk = fields.TextOr("unk_token", "");
  model->prefix = fields.TextOr("continuing_subword_prefix", "");
  model->suffix = fields.TextOr("end_of_word_suffix", "");
  model->fuse_unk = fields.FlagOr("fuse_unk", false);
  model->ignore_merges = fields.FlagOr("ignore_merges", false);
  const bool byte_fallback = fields.FlagOr("byte_fallback", false);
  const Node dropout = fields.Child("dropout"), vocab = fields.Child("vocab"),
             merges = fields.Child("merges");
  if (!dropout.value->is_null() && *dropout.value != 0.0) {
    return dropout.Unsupported("merges left out at random are not supported; null or 0 are");
  }
  TENON_RETURN_IF_ERROR(fields.Done());
  auto tokens = ReadTokenIds(vocab);
  if (!tokens.ok()) return tokens.error();
  ReadModel out;
  out.vocabulary = *std::move(tokens);
  model->ids = out.vocabulary.Map();
  if (fields.Has("unk_token")) {
    model->unk = model->ids.Find(unk);
    if (model->unk < 0) return fields.Child("unk_token").Wrong("a token of the vocabulary");
  }
  out.unk = model->unk;
  if (byte_fallback) model->bytes = ByteTokens(model->ids);
  model->special = special;
  model->IndexCharacters();
  TENON_RETURN_IF_ERROR(model->ReadMerges(merges, out.vocabulary));
  out.model = std::move(model);
  return out;
}

}  // namespace tenon::text::tokenizer_json
