// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <algorithm>

#include "text/encoder.h"
#include "text/special_tokens.h"
#include "text/stream_decoder.h"

namespace tenon::text {
namespace {

// How the families write the end of an answer, for files that name only one of several.
constexpr std::string_view kEnds[] = {"<|im_end|>",
                                      "<|endoftext|>",
                                      "<|end_of_text|>",
                                      "<|eot_id|>",
                                      "<|eom_id|>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<end_of_turn>",
                                      "<eos>",
                                      "</s>",
                                      "<|eos|>",
                                      "<EOT>",
                                      "_<EOT>",
                                      "<|END_OF_TURN_TOKEN|>",
                                      "<\uFF5Cend\u2581of\u2581sentence\uFF5C>"};

}  // namespace

struct Tokenizer::State {
  Vocabulary vocabulary;
  std::unique_ptr<Encoder> encoder;                 // of plain text, or
  std::unique_ptr<const TextEncoder> text_encoder;  // of texts with special tokens
  std::unique_ptr<const TokenDecoder> decoder;      // null: tokens are their bytes
  std::unordered_map<int32_t, std::string> decoded_as;
  std::vector<int32_t> before, after;  // what add_special puts around the ids
  SpecialTokens user_defined;          // found in every text
  SpecialTokens all_special;           // found where parse_special is set
  std::string bytes;                   // of all tokens, one behind the other
  std::vector<uint32_t> begins;        // [vocab_size + 1] in `bytes`
  std::vector<int32_t> ends;           // of generation, sorted

  std::string_view DecodedAs(int32_t id) const {
    const auto at = decoded_as.find(id);
    return at == decoded_as.end() ? vocabulary.tokens[static_cast<size_t>(id)] : at->second;
  }
  std::string BytesOf(int32_t id) const {
    if (decoder == nullptr) return encoder->Bytes(vocabulary, id);
    return vocabulary.type(id) == TokenType::kUnused ? std::string()
                                                     : decoder->Bytes(DecodedAs(id), false, false);
  }
  Result<void> Index();
};

Result<void> Tokenizer::State::Index() {
  constexpr size_t kMaxBytes = size_t{256} << 20;
  std::vector<std::pair<std::string, int32_t>> user, all;
  begins.reserve(vocabulary.tokens.size() + 1);
  for (int32_t id = 0; id < static_cast<int32_t>(vocabulary.tokens.size()); ++id) {
    const std::string& token = vocabulary.tokens[static_cast<size_t>(id)];
    const std::string piece = BytesOf(id);
    const TokenType type = vocabulary.type(id);
    if (type == TokenType::kUserDefined) user.emplace_back(piece, id);
    if (type == TokenType::kUserDefined || type == TokenType::kControl ||
        type == TokenType::kUnknown) {
      all.emplace_back(piece, id);
    }
    const bool well_known = std::find(std::begin(kEnds), std::end(kEnds), token) != std::end(kEnds);
    const auto& more = vocabulary.more_eos;
    if (id == vocabulary.eos || id == vocabulary.eot ||
        std::find(more.begin(), more.end(), id) != more.end() ||
        (well_known && type == TokenType::kControl)) {
      ends.push_back(id);
    }
    begins.push_back(static_cast<uint32_t>(bytes.size()));
    bytes += piece;
    if (bytes.size() > kMaxBytes) {
      return Error{Status::kInvalid, "the tokens stand for more than " + std::to_string(kMaxBytes) +
                                         " bytes of text"};
    }
  }
  begins.push_back(static_cast<uint32_t>(bytes.size()));
  user_defined = SpecialTokens(std::move(user));
  all_special = SpecialTokens(std::move(all));
  return {};
}

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::Make(Vocabulary vocabulary) {
  TENON_RETURN_IF_ERROR(Validate(vocabulary));
  if (vocabulary.kind == kTokenizerJson) {
    return Error{Status::kInvalid, "vocabulary: a tokenizer.json is more than its tokens"};
  }
  auto encoder =
      vocabulary.kind == "gpt2" ? MakeByteLevelBpe(vocabulary) : MakeSentencePieceBpe(vocabulary);
  if (!encoder.ok()) return encoder.error();
  auto state = std::make_unique<State>();
  state->vocabulary = std::move(vocabulary);
  std::vector<std::string>().swap(state->vocabulary.merges);
  state->encoder = *std::move(encoder);
  if (state->vocabulary.add_bos) state->before.push_back(state->vocabulary.bos);
  if (state->vocabulary.add_eos) state->after.push_back(state->vocabulary.eos);
  TENON_RETURN_IF_ERROR(state->Index());
  return Tokenizer(std::move(state));
}

Result<Tokenizer> Tokenizer::Make(TokenizerParts parts) {
  TENON_RETURN_IF_ERROR(Validate(parts.vocabulary));
  auto state = std::make_unique<State>();
  state->vocabulary = std::move(parts.vocabulary);
  state->text_encoder = std::move(parts.encoder);
  state->decoder = std::move(parts.decoder);
  state->decoded_as = std::move(parts.decoded_as);
  state->before = std::move(parts.before);
  state->after = std::move(parts.after);
  TENON_RETURN_IF_ERROR(state->Index());
  return Tokenizer(std::move(state));
}

Result<std::vector<int32_t>> Tokenizer::Encode(std::string_view text,
                                               const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes) {
    return Error{Status::kInvalid,
                 "text of " + std::to_string(text.size()) +
                     " bytes is too long to tokenize at once; " + std::to_string(kMaxTextBytes) +
                     " allowed",
                 {}};
  }
  const State& s = *state_;
  const SpecialTokens& special = options.parse_special ? s.all_special : s.user_defined;
  std::vector<int32_t> ids;
  if (s.text_encoder != nullptr) {
    TENON_RETURN_IF_ERROR(s.text_encoder->Encode(text, options.parse_special, &ids));
  }
  bool first = true;
  for (size_t at = s.text_encoder != nullptr ? text.size() : 0; at < text.size();) {
    const SpecialTokens::Match match = special.Find(text, at);
    if (match.begin > at) {
      TENON_RETURN_IF_ERROR(
          state_->encoder->Encode(text.substr(at, match.begin - at), first, &ids));
    }
    if (match.id >= 0) ids.push_back(match.id);
    first = IsSpecial(match.id);
    at = match.begin + match.bytes;
  }
  if (options.add_special) {
    const bool there =
        ids.size() >= s.before.size() && std::equal(s.before.begin(), s.before.end(), ids.begin());
    if (!there) ids.insert(ids.begin(), s.before.begin(), s.before.end());
    ids.insert(ids.end(), s.after.begin(), s.after.end());
  }
  return ids;
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special) const {
  StreamDecoder decoder(*this, {.skip_special = skip_special});
  std::string text;
  for (const int32_t id : ids) text += decoder.Push(id);
  return text += decoder.Flush();
}

std::string_view Tokenizer::Bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  const uint32_t begin = state_->begins[static_cast<size_t>(id)];
  return std::string_view(state_->bytes)
      .substr(begin, state_->begins[static_cast<size_t>(id) + 1] - begin);
}

std::string_view Tokenizer::TokenText(int32_t id) const {
  return id < 0 || id >= vocab_size() ? std::string_view()
                                      : state_->vocabulary.tokens[static_cast<size_t>(id)];
}

const TokenDecoder* Tokenizer::decoder() const { return state_->decoder.get(); }

std::string_view Tokenizer::DecodedAs(int32_t id) const {
  return id < 0 || id >= vocab_size() ? std::string_view() : state_->DecodedAs(id);
}

bool Tokenizer::IsEndOfGeneration(int32_t id) const {
  return std::binary_search(state_->ends.begin(), state_->ends.end(), id);
}

std::span<const int32_t> Tokenizer::EndOfGeneration() const { return state_->ends; }

bool Tokenizer::IsSpecial(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return false;
  const TokenType type = state_->vocabulary.type(id);
  return type == TokenType::kControl || type == TokenType::kUnknown;
}

int32_t Tokenizer::Find(std::string_view token) const {
  const auto& tokens = state_->vocabulary.tokens;
  const auto at = std::find(tokens.begin(), tokens.end(), token);
  return at == tokens.end() ? -1 : static_cast<int32_t>(at - tokens.begin());
}

int32_t Tokenizer::vocab_size() const {
  return static_cast<int32_t>(state_->vocabulary.tokens.size());
}

const Vocabulary& Tokenizer::vocabulary() const { return state_->vocabulary; }

}  // namespace tenon::text
