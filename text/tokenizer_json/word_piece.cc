// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/model.h"
#include "text/tokenizer_json/prefix_trie.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

// WordPiece (Wu et al., 2016; BERT's greedy form): the longest token that begins the word, then the
// longest "##" token that goes on, and so forth; a word that cannot be written so is unk.
class WordPiece final : public Model {
 public:
  std::unique_ptr<Run> Start() const override { return std::make_unique<WordRun>(*this); }

  PrefixTrie begins;        // of words
  PrefixTrie continues;     // without the prefix
  size_t longest_word = 0;  // characters
  int32_t unk = -1;

 private:
  class WordRun final : public Run {
   public:
    explicit WordRun(const WordPiece& model) : model_(model) {}
    Result<void> Append(std::string_view word, std::vector<int32_t>* ids) override;

   private:
    const WordPiece& model_;
  };
};

Result<void> WordPiece::WordRun::Append(std::string_view word, std::vector<int32_t>* ids) {
  const size_t before = ids->size();
  bool bad = word.size() > model_.longest_word && CountCharacters(word) > model_.longest_word;
  for (size_t at = 0; at < word.size() && !bad;) {
    const PrefixTrie& trie = at == 0 ? model_.begins : model_.continues;
    int32_t best = -1;
    size_t best_end = at;
    uint32_t node = PrefixTrie::kRoot;
    for (size_t end = at; end < word.size(); ++end) {
      node = trie.Child(node, word[end]);
      if (node == 0) break;
      if (trie.Id(node) < 0) continue;
      best = trie.Id(node);
      best_end = end + 1;
    }
    bad = best < 0;
    ids->push_back(best);
    at = best_end;
  }
  if (bad) {
    ids->resize(before);
    ids->push_back(model_.unk);
  }
  return {};
}

}  // namespace

Result<ReadModel> ReadWordPiece(Fields& fields, const std::vector<bool>& special) {
  const std::string unk = fields.TextOr("unk_token", "[UNK]");
  const std::string prefix = fields.TextOr("continuing_subword_prefix", "##");
  const int64_t longest = fields.IntegerOr("max_input_chars_per_word", 100, 0, INT32_MAX);
  const Node vocab = fields.Child("vocab");
  TENON_RETURN_IF_ERROR(fields.Done());
  auto tokens = ReadTokenIds(vocab);
  if (!tokens.ok()) return tokens.error();
  ReadModel out;
  out.vocabulary = *std::move(tokens);
  out.word_pieces = true;
  out.unk = out.vocabulary.Map().Find(unk);
  if (out.unk < 0) return fields.Child("unk_token").Wrong("a token of the vocabulary");
  auto model = std::make_unique<WordPiece>();
  model->unk = out.unk;
  model->longest_word = static_cast<size_t>(longest);
  for (size_t id = 0; id < out.vocabulary.tokens.size(); ++id) {
    const std::string_view token = out.vocabulary.tokens[id];
    if (token.empty() || (id < special.size() && special[id])) continue;
    model->begins.Insert(token, static_cast<int32_t>(id));
    if (token.size() > prefix.size() && token.starts_with(prefix)) {
      model->continues.Insert(token.substr(prefix.size()), static_cast<int32_t>(id));
    }
  }
  out.model = std::move(model);
  return out;
}

}  // namespace tenon::text::tokenizer_json
