// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "text/tokenizer_json/normalizers.h"
#include "text/tokenizer_json/unicode.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

constexpr size_t kMaxMapBytes = size_t{8} << 20;

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// False where `text` is not Base64 (RFC 4648).
bool DecodeBase64(std::string_view text, std::string* out) {
  while (text.ends_with('=')) text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return false;
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xFFFFFF;
    if ((count += 6) >= 8) out->push_back(static_cast<char>(bits >> (count -= 8) & 0xFF));
  }
  return true;
}

uint32_t LittleEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << 8 * i;
  }
  return value;
}

// The map is a double-array trie (Darts-clone's units: label in bits 0-7 and 31, "has leaf" in 8,
// offset in 9-30) from what is replaced to where the replacement, ended by NUL, begins.
class Precompiled final : public Normalizer {
 public:
  Precompiled(std::vector<uint32_t> units, std::string texts)
      : units_(std::move(units)), texts_(std::move(texts)) {}

  Result<void> Run(std::string* text) const override {
    std::string out;
    out.reserve(text->size());
    for (size_t at = 0; at < text->size();) {
      const std::string_view cluster = std::string_view(*text).substr(at, GraphemeBytes(*text, at));
      at += cluster.size();
      if (cluster.size() >= 6 || !Replace(cluster, &out)) ByCharacter(cluster, &out);
      if (out.size() > kMaxNormalBytes) return NormalTextTooLong();
    }
    text->swap(out);
    return {};
  }

 private:
  void ByCharacter(std::string_view text, std::string* out) const {
    for (size_t at = 0; at < text.size() && out->size() <= kMaxNormalBytes;) {
      const std::string_view one = text.substr(at, DecodeUtf8(text, at).bytes);
      if (!Replace(one, out)) out->append(one);
      at += one.size();
    }
  }

  // The whole of `part` becomes what its shortest prefix in the trie stands for.
  bool Replace(std::string_view part, std::string* out) const {
    size_t node = Offset(units_[0]);
    for (const char c : part) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte == 0) return false;
      node ^= byte;
      if (node >= units_.size()) return false;
      const uint32_t unit = units_[node];
      if ((unit & 0x800000FFu) != byte) return false;
      node ^= Offset(unit);
      if ((unit >> 8 & 1) == 0) continue;
      if (node >= units_.size()) return false;
      const size_t begin = units_[node] & 0x7FFFFFFFu;
      if (begin >= texts_.size() || (static_cast<uint8_t>(texts_[begin]) & 0xC0) == 0x80) {
        return false;
      }
      out->append(texts_.c_str() + begin);
      return true;
    }
    return false;
  }

  static size_t Offset(uint32_t unit) { return size_t{unit >> 10} << ((unit & 1u << 9) >> 6); }

  std::vector<uint32_t> units_;
  std::string texts_;  // ends with NUL
};

}  // namespace

Result<std::unique_ptr<Normalizer>> ReadPrecompiled(Fields& fields) {
  const std::string encoded = fields.Text("precompiled_charsmap");
  TENON_RETURN_IF_ERROR(fields.Done());
  const Node node = fields.Child("precompiled_charsmap");
  std::string map;
  if (encoded.size() > kMaxMapBytes || !DecodeBase64(encoded, &map)) {
    return node.Wrong("Base64 of at most " + std::to_string(kMaxMapBytes) + " bytes");
  }
  const size_t trie = map.size() < 4 ? 0 : LittleEndian(map, 0);
  if (trie < 4 || trie % 4 != 0 || trie > map.size() - 4) {
    return node.Says("the character map of " + std::to_string(map.size()) +
                     " bytes does not hold its trie of " + std::to_string(trie));
  }
  std::vector<uint32_t> units;
  for (size_t at = 4; at < 4 + trie; at += 4) units.push_back(LittleEndian(map, at));
  std::string texts = map.substr(4 + trie);
  if (!texts.empty() && texts.back() != '\0') return node.Says("the last replacement has no end");
  for (size_t at = 0; at < texts.size(); at += std::string_view(texts.c_str() + at).size() + 1) {
    const std::string_view one = texts.c_str() + at;
    if (ValidUtf8Prefix(one) != one.size()) {
      return node.Says("a replacement is not UTF-8, at byte " + std::to_string(at));
    }
    if (one.size() > 256) return node.Says("a replacement has more than 256 bytes");
  }
  return std::unique_ptr<Normalizer>(
      std::make_unique<Precompiled>(std::move(units), std::move(texts)));
}

}  // namespace tenon::text::tokenizer_json
