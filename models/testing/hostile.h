// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tenon::models::testing {

// Calls visit(bytes, what) with an exact-sized heap copy of each proper prefix of `seed`, so that a
// sanitizer sees any read past its end.
template <typename Visit>
void EachPrefix(const std::string& seed, Visit visit) {
  for (size_t size = 0; size < seed.size(); ++size) {
    const std::vector<char> copy(seed.begin(), seed.begin() + static_cast<ptrdiff_t>(size));
    visit(std::as_bytes(std::span(copy)), "prefix of " + std::to_string(size));
  }
}

// Calls visit(bytes, what) with `seed` where one of the first `count` bytes has another value.
template <typename Visit>
void EachByteChanged(const std::string& seed, size_t count, Visit visit) {
  std::vector<char> copy(seed.begin(), seed.end());
  const auto bytes = std::as_bytes(std::span(copy));
  for (size_t i = 0; i < count; ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      if (copy[i] == static_cast<char>(value)) continue;
      copy[i] = static_cast<char>(value);
      visit(bytes, "byte " + std::to_string(i) + " = " + std::to_string(value));
    }
    copy[i] = seed[i];
  }
}

}  // namespace tenon::models::testing
