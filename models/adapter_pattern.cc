// SPDX-License-Identifier: Apache-2.0
#include "models/adapter_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr size_t kMostBytes = 256;
constexpr size_t kWorkspace = 4096;  // of states; the pattern's bytes many times

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

// The longest match from the start must be all of the name.
bool MatchesWhole(const void* expression, std::string_view name) {
  thread_local const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  std::array<int, kWorkspace> workspace;
  const int found = pcre2_dfa_match(static_cast<const pcre2_code*>(expression),
                                    reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0,
                                    match.get(), nullptr, workspace.data(), workspace.size());
  // 0: there are shorter matches besides, for which no room was made.
  return found >= 0 && pcre2_get_ovector_pointer(match.get())[1] == name.size();
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
  const std::string whole =
      covers == Covers::kEnd ? fmt::format("(?:.*\\.)?(?:{})", text) : std::string(text);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(),
                                   PCRE2_ANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
                                   &error, &offset, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return Error{Status::kInvalid, fmt::format("is no regular expression: {}",
                                               reinterpret_cast<const char*>(message.data()))};
  }
  out.expression_ = std::shared_ptr<const void>(
      code, [](const void* c) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(c))); });
  uint32_t back_references = 0;
  pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &back_references);
  if (back_references > 0) {
    return Error{Status::kUnsupported, "refers back to one of its groups, which is not known"};
  }
  return out;
}

bool ModulePattern::Matches(std::string_view module) const {
  if (expression_ != nullptr) return MatchesWhole(expression_.get(), module);
  if (SameButDots(text_, module)) return true;
  if (covers_ == Covers::kWhole || module.size() <= text_.size()) return false;
  const size_t at = module.size() - text_.size();
  return module[at - 1] == '.' && SameButDots(text_, module.substr(at));
}

}  // namespace tenon::models
