// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "text/tokenizer_json/normalizers.h"
#include "text/utf8.h"

// GPT-2's alphabet: every byte as a visible character. Printable ones of Latin-1 stand for
// themselves, the others for U+0100 and up, in order.
namespace tenon::text::tokenizer_json {
namespace {

struct Alphabet {
  struct Letter {
    std::array<char, 2> utf8 = {};
    uint8_t bytes = 0;
  };
  std::array<Letter, 256> letters;
  std::array<int16_t, 512> byte_of;

  Alphabet() {
    byte_of.fill(-1);
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool itself =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const char32_t letter = itself ? byte : next++;
      byte_of[letter] = static_cast<int16_t>(byte);
      std::string utf8;
      AppendUtf8(letter, &utf8);
      letters[byte].bytes = static_cast<uint8_t>(utf8.size());
      for (size_t i = 0; i < utf8.size(); ++i) letters[byte].utf8[i] = utf8[i];
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

}  // namespace

void AppendByteLetters(std::string_view bytes, std::string* out) {
  const auto& letters = TheAlphabet().letters;
  const size_t begin = out->size();
  out->resize(begin + 2 * bytes.size());
  char* to = out->data() + begin;
  for (const char c : bytes) {
    const Alphabet::Letter& letter = letters[static_cast<uint8_t>(c)];
    to[0] = letter.utf8[0];
    to[1] = letter.utf8[1];
    to += letter.bytes;
  }
  out->resize(static_cast<size_t>(to - out->data()));
}

int ByteOfLetter(char32_t letter) {
  const auto& byte_of = TheAlphabet().byte_of;
  return letter < byte_of.size() ? byte_of[letter] : -1;
}

}  // namespace tenon::text::tokenizer_json
