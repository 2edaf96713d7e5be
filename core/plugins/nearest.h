// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenon::core {

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`: the optimal string
// alignment distance. Words beyond 64 bytes are compared by their first 64.
int EditDistance(std::string_view a, std::string_view b);

// The candidate that `word` was probably meant to be, or "" where none is near: at most a third of
// the word's letters differ (at least one may), or one begins with the other.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// `; did you mean "tile"?`, or "".
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tenon::core
