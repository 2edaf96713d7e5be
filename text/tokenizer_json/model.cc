// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/model.h"

#include <iterator>

#include "text/vocabulary.h"

namespace tenon::text::tokenizer_json {
namespace {

// In the order of kModelKinds.
constexpr Result<ReadModel> (*kReaders[])(Fields&, const std::vector<bool>&) = {
    ReadBpe, ReadUnigram, ReadWordPiece};
static_assert(std::size(kReaders) == std::size(kModelKinds));

// Files of before "type" was written: each kind has keys of its own.
std::string GuessType(const Node& node) {
  if (node.value->contains("merges")) return "BPE";
  if (node.value->contains("unk_id")) return "Unigram";
  return node.value->contains("max_input_chars_per_word") ? "WordPiece" : "";
}

}  // namespace

Result<void> ModelTokens::Add(const Node& where, const std::string& token, int64_t id) {
  const std::string shown = "\"" + token.substr(0, 64) + "\"";
  if (id < 0 || id >= static_cast<int64_t>(kMaxTokens)) {
    return where.Says("token " + shown + " has id " + std::to_string(id) + "; 0 to " +
                      std::to_string(kMaxTokens - 1) + " allowed");
  }
  if (token.size() > kMaxTokenBytes) {
    return where.Says("token " + std::to_string(id) + " has " + std::to_string(token.size()) +
                      " bytes; at most " + std::to_string(kMaxTokenBytes) + " allowed");
  }
  bytes_ += token.size();
  if (bytes_ > kMaxVocabularyBytes) {
    return where.Says("tokens of more than " + std::to_string(kMaxVocabularyBytes) + " bytes");
  }
  const auto index = static_cast<size_t>(id);
  if (index >= tokens.size()) {
    tokens.resize(index + 1);
    used.resize(index + 1);
  }
  if (used[index]) {
    return where.Says("tokens \"" + tokens[index].substr(0, 64) + "\" and " + shown +
                      " both have id " + std::to_string(id));
  }
  tokens[index] = token;
  used[index] = true;
  return {};
}

TokenMap ModelTokens::Map() const {
  TokenMap map(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (used[id]) map.Insert(tokens[id], static_cast<int32_t>(id));
  }
  return map;
}

Result<ModelTokens> ReadTokenIds(const Node& node) {
  ModelTokens out;
  if (!node.value->is_object()) return node.Wrong("an object of tokens and their ids");
  for (const auto& item : node.value->items()) {
    const nlohmann::json& id = item.value();
    const bool fits = id.is_number_unsigned() && id.get<uint64_t>() < kMaxTokens;
    TENON_RETURN_IF_ERROR(out.Add(node, item.key(), fits ? id.get<int64_t>() : -1));
  }
  if (out.tokens.empty()) return node.Says("no tokens");
  return out;
}

std::vector<int32_t> ByteTokens(const TokenMap& ids) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::vector<int32_t> bytes(256);
  for (size_t byte = 0; byte < 256; ++byte) {
    bytes[byte] = ids.Find(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
  }
  return bytes;
}

Result<ReadModel> ReadTheModel(const Node& node, const std::vector<bool>& special) {
  if (!node.value->is_object()) return node.Wrong("an object");
  std::string type = GuessType(node);
  if (type.empty() || node.value->contains("type")) {
    const auto written = TypeOf(node);
    if (!written.ok()) return written.error();
    type = *written;
  }
  const auto kind = KindOf(node, type, kModelKinds);
  if (!kind.ok()) return kind.error();
  Fields fields(node);
  fields.Ignore("type");
  return kReaders[*kind](fields, special);
}

}  // namespace tenon::text::tokenizer_json
