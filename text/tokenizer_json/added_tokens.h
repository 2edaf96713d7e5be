// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/special_tokens.h"
#include "text/tokenizer_json/json.h"
#include "text/tokenizer_json/normalizers.h"

namespace tenon::text::tokenizer_json {

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool single_word = false;  // not within a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;   // found in normalised text, as it reads there
  bool special = false;
};

// "added_tokens" of a tokenizer.json. An id or a text twice is kInvalid.
Result<std::vector<AddedToken>> ReadAddedTokens(const Node& list);

// One of them: the fields besides "id".
AddedToken ReadAddedToken(Fields& fields);

// Finds added tokens written in text: leftmost first, then longest. Built once, then read by any
// thread.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  // Those whose `normalized` is as given, and that are special only where `with_special`; `texts`
  // are what is looked for, in their order.
  AddedTokenFinder(const std::vector<AddedToken>& tokens, const std::vector<std::string>& texts,
                   bool normalized, bool with_special);

  struct Part {
    uint32_t begin, end;
    int32_t id;  // -1: text between tokens
  };
  // All of `text` in order, tokens with the white space they take. Parts of text are not empty.
  void Cut(std::string_view text, std::vector<Part>* parts) const;

  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    int32_t id;
    bool single_word, lstrip, rstrip;
  };
  SpecialTokens tokens_;  // whose ids are indices of rules_
  std::vector<Rule> rules_;
};

}  // namespace tenon::text::tokenizer_json
