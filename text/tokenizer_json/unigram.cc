// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "text/tokenizer_json/model.h"
#include "text/tokenizer_json/prefix_trie.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

constexpr double kUnknownPenalty = 10;  // below the worst piece, as in SentencePiece

// Unigram language model (Kudo, 2018): the pieces whose scores add up to most, by Viterbi's
// algorithm. Characters without a piece count as unk; a run of them is one unk, or its bytes.
class Unigram final : public Model {
 public:
  std::unique_ptr<Run> Start() const override { return std::make_unique<PathRun>(*this); }

  PrefixTrie pieces;
  std::vector<double> scores;     // [vocab_size]
  std::vector<uint32_t> lengths;  // [vocab_size], bytes
  std::vector<int32_t> bytes;     // [256], or empty: no byte fallback
  double unknown_score = 0;
  int32_t unk = -1;

 private:
  class PathRun final : public Run {
   public:
    explicit PathRun(const Unigram& model) : model_(model) {}
    Result<void> Append(std::string_view text, std::vector<int32_t>* ids) override;

   private:
    static constexpr int32_t kNone = -1, kUnknown = -2;

    size_t Extend(std::string_view text, size_t at);
    void Backtrack(std::string_view text, size_t begin, size_t end, std::vector<int32_t>* path);
    Result<void> SpellUnknown(std::string_view text, std::vector<int32_t>* ids);

    const Unigram& model_;
    // Of the best path to each byte since begin_, where all paths meet.
    std::vector<double> scores_;
    std::vector<int32_t> last_;  // its last piece; kUnknown: one character
    std::vector<int32_t> path_;
    size_t begin_ = 0;
    size_t unknown_begin_ = 0, unknown_end_ = 0;  // a run of unknown characters not yet written
  };
};

// Proposes every piece that begins at `at`; the place where the longest of them ends.
size_t Unigram::PathRun::Extend(std::string_view text, size_t at) {
  const size_t character = at + DecodeUtf8(text, at).bytes;
  const double here = scores_[at - begin_];
  bool single = false;
  size_t furthest = character;
  const auto propose = [&](size_t end, double score, int32_t id) {
    const size_t index = end - begin_;
    if (index >= last_.size()) {
      last_.resize(index + 1, kNone);
      scores_.resize(index + 1);
    }
    if (last_[index] != kNone && score <= scores_[index]) return;
    scores_[index] = score;
    last_[index] = id;
  };
  uint32_t node = PrefixTrie::kRoot;
  for (size_t end = at; end < text.size();) {
    node = model_.pieces.Child(node, text[end++]);
    if (node == 0) break;
    const int32_t id = model_.pieces.Id(node);
    if (id < 0) continue;
    propose(end, model_.scores[static_cast<size_t>(id)] + here, id);
    single = single || end == character;
    furthest = std::max(furthest, end);
  }
  if (!single) propose(character, model_.unknown_score + here, kUnknown);
  return furthest;
}

Result<void> Unigram::PathRun::SpellUnknown(std::string_view text, std::vector<int32_t>* ids) {
  if (unknown_begin_ == unknown_end_) return {};
  const std::string_view run = text.substr(unknown_begin_, unknown_end_ - unknown_begin_);
  unknown_begin_ = unknown_end_ = 0;
  uint32_t node = PrefixTrie::kRoot;
  for (size_t i = 0; i < run.size() && (i == 0 || node != 0); ++i) {
    node = model_.pieces.Child(node, run[i]);
  }
  if (node != 0 && model_.pieces.Id(node) >= 0) {
    ids->push_back(model_.pieces.Id(node));
    return {};
  }
  const auto has_byte = [this](char c) { return model_.bytes[static_cast<uint8_t>(c)] >= 0; };
  if (!model_.bytes.empty() && std::all_of(run.begin(), run.end(), has_byte)) {
    for (const char c : run) ids->push_back(model_.bytes[static_cast<uint8_t>(c)]);
    return {};
  }
  if (model_.unk < 0) {
    return Error{Status::kInvalid, "the tokenizer has no piece for \"" +
                                       std::string(run.substr(0, DecodeUtf8(run, 0).bytes)) +
                                       "\" and no unknown token"};
  }
  ids->push_back(model_.unk);
  return {};
}

// The best path from `begin` to `end`, as pieces from the last to the first.
void Unigram::PathRun::Backtrack(std::string_view text, size_t begin, size_t end,
                                 std::vector<int32_t>* path) {
  path->clear();
  while (end > begin) {
    const int32_t id = last_[end - begin];
    path->push_back(id);
    if (id == kUnknown) {
      do --end;
      while ((static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
    } else {
      end -= model_.lengths[static_cast<size_t>(id)];
    }
  }
}

Result<void> Unigram::PathRun::Append(std::string_view text, std::vector<int32_t>* ids) {
  double score = 0;
  size_t furthest = 0;
  for (size_t at = 0; at < text.size();) {
    if (at == furthest) {  // no piece reaches across: every path comes through here
      begin_ = at;
      scores_.assign(1, score);
      last_.assign(1, kNone);
    }
    furthest = std::max(furthest, Extend(text, at));
    at += DecodeUtf8(text, at).bytes;
    if (at < furthest) continue;
    score = scores_[at - begin_];
    Backtrack(text, begin_, at, &path_);
    size_t place = begin_;
    for (size_t i = path_.size(); i-- > 0;) {
      const int32_t id = path_[i];
      if (id == kUnknown) {
        if (unknown_begin_ == unknown_end_) unknown_begin_ = place;
        place += DecodeUtf8(text, place).bytes;
        unknown_end_ = place;
        continue;
      }
      TENON_RETURN_IF_ERROR(SpellUnknown(text, ids));
      ids->push_back(id);
      place += model_.lengths[static_cast<size_t>(id)];
    }
  }
  return SpellUnknown(text, ids);
}

Result<ModelTokens> ReadScored(const Node& vocab, std::vector<double>* scores) {
  ModelTokens out;
  if (!vocab.value->is_array()) return vocab.Wrong("an array of [token, score]");
  TokenMap seen(vocab.value->size());
  for (size_t i = 0; i < vocab.value->size(); ++i) {
    const nlohmann::json& entry = (*vocab.value)[i];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return vocab.At(i).Wrong("[token, score]");
    }
    const auto& token = entry[0].get_ref<const std::string&>();
    const double score = entry[1].get<double>();
    if (!std::isfinite(score) || std::abs(score) > 1e30) {
      return vocab.At(i).Says("the score is not a finite number");
    }
    TENON_RETURN_IF_ERROR(out.Add(vocab, token, static_cast<int64_t>(i)));
    if (const int32_t other = seen.Find(token); other >= 0) {
      return vocab.At(i).Says("\"" + token.substr(0, 64) + "\" is token " + std::to_string(other) +
                              " already");
    }
    seen.Insert(token, static_cast<int32_t>(i));
    scores->push_back(score);
  }
  if (out.tokens.empty()) return vocab.Says("no tokens");
  return out;
}

}  // namespace

Result<ReadModel> ReadUnigram(Fields& fields, const std::vector<bool>& special) {
  const Node vocab = fields.Child("vocab");
  const bool byte_fallback = fields.FlagOr("byte_fallback", false);
  const auto unk = static_cast<int32_t>(fields.IntegerOr("unk_id", -1, 0, INT32_MAX));
  TENON_RETURN_IF_ERROR(fields.Done());
  auto model = std::make_unique<Unigram>();
  auto tokens = ReadScored(vocab, &model->scores);
  if (!tokens.ok()) return tokens.error();
  ReadModel out;
  out.vocabulary = *std::move(tokens);
  const size_t size = out.vocabulary.tokens.size();
  if (unk >= static_cast<int64_t>(size)) {
    return fields.Child("unk_id").Wrong("one of the " + std::to_string(size) + " tokens");
  }
  model->unk = out.unk = unk;
  if (byte_fallback) model->bytes = ByteTokens(out.vocabulary.Map());
  model->unknown_score =
      *std::min_element(model->scores.begin(), model->scores.end()) - kUnknownPenalty;
  for (size_t id = 0; id < size; ++id) {
    const std::string& token = out.vocabulary.tokens[id];
    model->lengths.push_back(static_cast<uint32_t>(token.size()));
    if (token.empty() || (id < special.size() && special[id])) continue;
    model->pieces.Insert(token, static_cast<int32_t>(id));
  }
  out.model = std::move(model);
  return out;
}

}  // namespace tenon::text::tokenizer_json
