// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tenon/result.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// A text cut into pieces, none of them empty, in order. What lies between them is dropped.
struct Pieces {
  struct Range {
    uint32_t begin, end;  // bytes of text
  };

  std::string text;
  std::vector<Range> list;
  bool starts_text = true;  // the first piece begins where the whole text began

  void Reset(std::string&& whole, bool starts);
  std::string_view At(size_t i) const {
    return std::string_view(text).substr(list[i].begin, list[i].end - list[i].begin);
  }
};

// Cuts pieces into smaller ones, and may rewrite them. Immutable; O(n).
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // kInvalid where a pattern exceeds its match limit. REQUIRES: well-formed UTF-8
  virtual Result<void> Run(Pieces* pieces) const = 0;
};

// "pre_tokenizer" of a tokenizer.json; kPreTokenizerKinds lists what can be read.
Result<std::unique_ptr<PreTokenizer>> ReadPreTokenizer(const Node& node);

// Those that rewrite the pieces; the others only cut.
Result<std::unique_ptr<PreTokenizer>> ReadByteLevelSplit(Fields& fields);
Result<std::unique_ptr<PreTokenizer>> ReadMetaspace(Fields& fields);

// How a Metaspace puts its mark in front.
enum class PrependScheme { kAlways, kFirst, kNever };
PrependScheme ReadPrependScheme(Fields& fields);

}  // namespace tenon::text::tokenizer_json
