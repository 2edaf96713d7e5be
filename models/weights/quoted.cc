// SPDX-License-Identifier: Apache-2.0
#include "models/weights/quoted.h"

#include <cstddef>

namespace tenon::models {

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 64;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (text.size() > kShown) out += "…";
  return out + '"';
}

}  // namespace tenon::models
