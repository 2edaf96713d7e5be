// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/added_tokens.h"

#include <algorithm>
#include <unordered_set>

#include "text/tokenizer_json/unicode.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace tenon::text::tokenizer_json {
namespace {

constexpr size_t kMaxAddedTokens = size_t{1} << 18;

// Where the character before text[end] begins. REQUIRES: end > 0
size_t Before(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool IsWordBefore(std::string_view text, size_t at) {
  return at > 0 && IsWordCharacter(DecodeUtf8(text, Before(text, at)).character);
}

bool IsWordAt(std::string_view text, size_t at) {
  return at < text.size() && IsWordCharacter(DecodeUtf8(text, at).character);
}

}  // namespace

AddedToken ReadAddedToken(Fields& fields) {
  AddedToken token;
  token.content = fields.Text("content");
  token.single_word = fields.FlagOr("single_word", false);
  token.lstrip = fields.FlagOr("lstrip", false);
  token.rstrip = fields.FlagOr("rstrip", false);
  token.special = fields.FlagOr("special", false);
  token.normalized = fields.FlagOr("normalized", !token.special);
  if (token.content.empty() || token.content.size() > kMaxTokenBytes) {
    fields.Fail(fields.Child("content").Wrong("1 to " + std::to_string(kMaxTokenBytes) + " bytes"));
  }
  return token;
}

Result<std::vector<AddedToken>> ReadAddedTokens(const Node& list) {
  std::vector<AddedToken> out;
  if (list.value->is_null()) return out;
  if (!list.value->is_array()) return list.Wrong("an array");
  if (list.value->size() > kMaxAddedTokens) {
    return list.Says(std::to_string(list.value->size()) + " tokens; at most " +
                     std::to_string(kMaxAddedTokens) + " allowed");
  }
  std::unordered_set<int32_t> ids;
  std::unordered_set<std::string> texts;
  for (size_t i = 0; i < list.value->size(); ++i) {
    Fields fields(list.At(i));
    const auto id =
        static_cast<int32_t>(fields.Integer("id", 0, static_cast<int64_t>(kMaxTokens) - 1));
    AddedToken token = ReadAddedToken(fields);
    TENON_RETURN_IF_ERROR(fields.Done());
    token.id = id;
    if (!ids.insert(id).second) {
      return fields.node().Says("id " + std::to_string(id) + " is there twice");
    }
    if (!texts.insert(token.content).second) {
      return fields.node().Says("\"" + token.content.substr(0, 64) + "\" is there twice");
    }
    out.push_back(std::move(token));
  }
  return out;
}

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens,
                                   const std::vector<std::string>& texts, bool normalized,
                                   bool with_special) {
  std::vector<std::pair<std::string, int32_t>> wanted;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const AddedToken& token = tokens[i];
    if (token.normalized != normalized || (token.special && !with_special)) continue;
    wanted.emplace_back(texts[i], static_cast<int32_t>(rules_.size()));
    rules_.push_back({token.id, token.single_word, token.lstrip, token.rstrip});
  }
  tokens_ = SpecialTokens(std::move(wanted));
}

void AddedTokenFinder::Cut(std::string_view text, std::vector<Part>* parts) const {
  size_t done = 0;
  size_t spaces_end = 0;  // of the run of white space looked at last, so that none is walked twice
  for (size_t from = 0; !rules_.empty() && from < text.size();) {
    const SpecialTokens::Match match = tokens_.Find(text, from);
    if (match.id < 0) break;
    const Rule& rule = rules_[static_cast<size_t>(match.id)];
    size_t begin = match.begin, end = match.begin + match.bytes;
    from = end;
    if (rule.single_word && (IsWordBefore(text, begin) || IsWordAt(text, end))) continue;
    while (rule.lstrip && begin > done) {
      const size_t before = Before(text, begin);
      if (before < done || !IsWhiteSpace(DecodeUtf8(text, before).character)) break;
      begin = before;
    }
    if (rule.rstrip) {
      end = std::max(end, spaces_end);
      while (end < text.size() && IsWhiteSpace(DecodeUtf8(text, end).character)) {
        end += DecodeUtf8(text, end).bytes;
      }
      spaces_end = end;
    }
    if (done < begin) parts->push_back({uint32_t(done), uint32_t(begin), -1});
    parts->push_back({uint32_t(begin), uint32_t(end), rule.id});
    done = end;
  }
  if (done < text.size()) parts->push_back({uint32_t(done), uint32_t(text.size()), -1});
}

}  // namespace tenon::text::tokenizer_json
