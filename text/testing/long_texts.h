// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Long texts of one kind of character each, which is where tokenisers grow slow.
namespace tenon::text::testing {

struct LongText {
  std::string_view name;
  std::string_view unit;  // repeated; empty: random ones of `letters`
  std::string_view letters;
};

std::span<const LongText> LongTexts();

// `bytes` bytes of it, the same at every call.
std::string Make(const LongText& kind, size_t bytes);

}  // namespace tenon::text::testing
