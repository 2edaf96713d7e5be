// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/token_map.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

inline constexpr size_t kMaxVocabularyBytes = size_t{16} << 20;

// The tokens of a model, by id; "" where an id stands for none.
struct ModelTokens {
  std::vector<std::string> tokens;
  std::vector<bool> used;

  // kInvalid where the id or the text is out of bounds or the id has a token already.
  Result<void> Add(const Node& where, const std::string& token, int64_t id);
  TokenMap Map() const;  // token -> id

 private:
  size_t bytes_ = 0;
};

// Turns one piece of normalised text into ids. Immutable; each run is for one thread.
class Model {
 public:
  class Run {
   public:
    virtual ~Run() = default;
    // kInvalid where the model has no way to write the piece. REQUIRES: well-formed UTF-8
    virtual Result<void> Append(std::string_view piece, std::vector<int32_t>* ids) = 0;
  };

  virtual ~Model() = default;
  virtual std::unique_ptr<Run> Start() const = 0;  // must not outlive the model
};

struct ReadModel {
  std::unique_ptr<Model> model;
  ModelTokens vocabulary;
  int32_t unk = -1;
  bool word_pieces = false;  // WordPiece
};

// "model" of a tokenizer.json; kModelKinds lists what can be read. Of BPE with ignore_merges,
// Unigram and WordPiece, ids for which `special` is set are never made of text.
Result<ReadModel> ReadTheModel(const Node& node, const std::vector<bool>& special);

Result<ReadModel> ReadBpe(Fields& fields, const std::vector<bool>& special);
Result<ReadModel> ReadUnigram(Fields& fields, const std::vector<bool>& special);
Result<ReadModel> ReadWordPiece(Fields& fields, const std::vector<bool>& special);

// "vocab" as an object of ids.
Result<ModelTokens> ReadTokenIds(const Node& node);

// The ids of "<0x00>" to "<0xFF>"; -1 where there is none. [256]
std::vector<int32_t> ByteTokens(const TokenMap& ids);

}  // namespace tenon::text::tokenizer_json
