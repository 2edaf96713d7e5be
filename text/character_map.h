// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::text {

// What is wrong with a "precompiled_charsmap" of SentencePiece; empty where nothing is. The map is
// the length of a trie in bytes (little-endian, 32 bits), the trie (a double array of Darts-clone's
// units: label in bits 0 to 7 and 31, "has leaf" in 8, offset in 9 to 30), and texts ended by NUL
// that its leaves point into. Checked is that no key leads outside. O(256 n).
std::string CheckCharacterMap(std::string_view map);

}  // namespace tenon::text
