// SPDX-License-Identifier: Apache-2.0
// g++ 12 with sanitizers warns about members inside its own std::regex.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "models/adapter_pattern.h"

#include <algorithm>
#include <exception>

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kMostBytes = 256;

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

// A "." of an expression stands for any character.
bool SameButDots(std::string_view pattern, std::string_view text) {
  return pattern.size() == text.size() &&
         std::equal(pattern.begin(), pattern.end(), text.begin(),
                    [](char p, char t) { return p == '.' || p == t; });
}

}  // namespace

Result<ModulePattern> ModulePattern::Parse(std::string_view text, Covers covers) {
  ModulePattern out;
  out.text_ = text;
  out.covers_ = covers;
  if (text.empty() || text.size() > kMostBytes) {
    return Error{Status::kInvalid,
                 fmt::format("has {} bytes; 1 to {} allowed", text.size(), kMostBytes)};
  }
  if (std::all_of(text.begin(), text.end(), IsPlain)) return out;
  // Repetition by count multiplies an expression's states, and with them the matcher's stack.
  if (text.find('{') != std::string_view::npos) {
    return Error{Status::kUnsupported, "repeats by a count in {}, which is not known"};
  }
  try {
    const std::string whole =
        covers == Covers::kEnd ? fmt::format("(.*\\.)?({})", text) : std::string(text);
    // The polynomial matcher walks all states at once instead of trying one path after the other.
    out.expression_ = std::make_shared<const std::regex>(
        whole, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::exception& error) {
    return Error{Status::kInvalid, fmt::format("is no regular expression: {}", error.what())};
  }
  return out;
}

bool ModulePattern::Matches(std::string_view module) const {
  if (expression_ != nullptr) {
    return std::regex_match(module.begin(), module.end(), *expression_);
  }
  if (SameButDots(text_, module)) return true;
  if (covers_ == Covers::kWhole || module.size() <= text_.size()) return false;
  const size_t at = module.size() - text_.size();
  return module[at - 1] == '.' && SameButDots(text_, module.substr(at));
}

}  // namespace tenon::models
