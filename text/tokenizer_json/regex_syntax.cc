// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/regex_syntax.h"

#include <vector>

#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

// Members of classes. PCRE2's \s has U+180E besides, and its \w neither marks nor circled letters.
constexpr std::string_view kSpace =
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"
    "\\x{3000}";
constexpr std::string_view kWord =
    "\\p{L}\\p{M}\\p{N}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}"
    "\\x{1F170}-\\x{1F189}";
constexpr std::string_view kHex = "0-9A-Fa-f";

constexpr std::string_view kGroups[] = {"(?:", "(?=",  "(?!",  "(?<=",  "(?<!",
                                        "(?>", "(?i:", "(?i)", "(?-i:", "(?-i)"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> Run() {
    while (at_ < in_.size() && problem_.empty()) Step();
    if (!problem_.empty()) {
      return Error{Status::kUnsupported, "pattern, at byte " + std::to_string(at_) + ": " +
                                             problem_ + " is not supported"};
    }
    return std::move(out_);
  }

 private:
  char Peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  void Refuse(std::string_view what) {
    if (problem_.empty()) problem_ = "\"" + std::string(what) + "\"";
  }
  void Atom() { atom_ = out_.size(); }
  void Class(std::string_view members, bool negated = false) {
    out_.append(negated ? "[^" : "[").append(members).push_back(']');
  }

  void Step();
  void Group();
  void CloseGroup();
  void Bracket();
  void Braces();
  void Escape();
  void EscapeInClass();
  bool SharedEscape(char c);
  void HexEscape(size_t digits);

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  std::vector<size_t> groups_;  // where the open ones begin in out_
  size_t atom_ = 0;             // where what a quantifier would repeat begins in out_
  std::string problem_;
};

void Translator::Step() {
  switch (Peek()) {
    case '\\':
      Atom();
      return Escape();
    case '(':
      return Group();
    case ')':
      return CloseGroup();
    case '[':
      Atom();
      return Bracket();
    case '{':
      return Braces();
    case '*':
    case '+':
    case '?':
    case '|':
      out_.push_back(in_[at_++]);
      return;
    default:
      break;
  }
  Atom();
  const size_t bytes = DecodeUtf8(in_, at_).bytes;
  out_.append(in_.substr(at_, bytes));
  at_ += bytes;
}

void Translator::Group() {
  std::string_view opening = "(";
  if (Peek(1) == '*') return Refuse("(*");
  if (Peek(1) == '?') {
    opening = {};
    for (const std::string_view known : kGroups) {
      if (in_.substr(at_).starts_with(known)) opening = known;
    }
    if (opening.empty()) return Refuse(in_.substr(at_, 4));
  }
  const bool closed = opening.ends_with(')');
  if (!closed) groups_.push_back(out_.size());
  out_.append(opening);
  at_ += opening.size();
}

void Translator::CloseGroup() {
  if (!groups_.empty()) {
    atom_ = groups_.back();
    groups_.pop_back();
  }
  out_.push_back(')');
  ++at_;
}

void Translator::Braces() {
  size_t end = at_ + 1;
  while (end < in_.size() && (IsDigit(in_[end]) || in_[end] == ',')) ++end;
  const std::string_view inside = in_.substr(at_ + 1, end - at_ - 1);
  if (end == in_.size() || in_[end] != '}' || inside.empty() || inside == ",") {
    Atom();
    out_.append("\\{");
    ++at_;
    return;
  }
  const std::string bounds = inside[0] == ',' ? "0" + std::string(inside) : std::string(inside);
  at_ = end + 1;
  // PCRE2 would read the + as possessive; here it repeats the repetition.
  const bool again = Peek() == '+';
  if (again) out_.insert(atom_, "(?:");
  out_.append("{").append(bounds).append(again ? "})" : "}");
}

void Translator::Bracket() {
  out_.push_back(in_[at_++]);
  if (Peek() == '^') out_.push_back(in_[at_++]);
  if (Peek() == ']') {
    out_.append("\\]");
    ++at_;
  }
  while (at_ < in_.size() && Peek() != ']' && problem_.empty()) {
    if (Peek() == '[' && Peek(1) == ':') {
      const size_t end = in_.find(":]", at_);
      if (end == std::string_view::npos) return Refuse("[:");
      out_.append(in_.substr(at_, end + 2 - at_));
      at_ = end + 2;
    } else if (Peek() == '[') {
      return Refuse("[ within [ ]");
    } else if (Peek() == '&' && Peek(1) == '&') {
      return Refuse("&&");
    } else if (Peek() == '\\') {
      EscapeInClass();
    } else {
      const size_t bytes = DecodeUtf8(in_, at_).bytes;
      out_.append(in_.substr(at_, bytes));
      at_ += bytes;
    }
  }
  if (at_ == in_.size()) return Refuse("[ without ]");
  out_.push_back(in_[at_++]);
}

void Translator::HexEscape(size_t digits) {
  const std::string_view hex = in_.substr(at_, digits);
  for (const char c : hex) {
    if (!IsHex(c)) return Refuse("\\x");
  }
  // Two digits alone are a byte there, a character here.
  if (hex.size() != digits || (digits == 2 && hex[0] > '7')) return Refuse("\\x");
  out_.append("\\x{").append(hex).push_back('}');
  at_ += digits;
}

// Escapes that mean the same inside and outside of brackets, after the letter was taken.
bool Translator::SharedEscape(char c) {
  switch (c) {
    case 'd':
    case 'D':
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e':
      out_.append({'\\', c});
      return true;
    case 'v':
      out_.append("\\x0B");
      return true;
    case 'p':
    case 'P': {
      const size_t end = in_.find('}', at_);
      if (Peek() != '{' || end == std::string_view::npos) return Refuse("\\p"), true;
      out_.append({'\\', c}).append(in_.substr(at_, end + 1 - at_));
      at_ = end + 1;
      return true;
    }
    case 'x':
      if (Peek() != '{') return HexEscape(2), true;
      out_.append("\\x");
      return true;  // the rest follows as it stands: {HHHH} is no quantifier behind \x
    case 'u':
      return HexEscape(4), true;
    default:
      if (IsLetter(c) || IsDigit(c)) return false;
      out_.append({'\\', c});
      return true;
  }
}

void Translator::Escape() {
  const char c = Peek(1);
  if (c == '\0') return Refuse("\\");
  if (static_cast<uint8_t>(c) >= 0x80) {
    ++at_;  // an escaped character that needs none
    return;
  }
  at_ += 2;
  switch (c) {
    case 's':
    case 'S':
      return Class(kSpace, c == 'S');
    case 'w':
    case 'W':
      return Class(kWord, c == 'W');
    case 'h':
    case 'H':
      return Class(kHex, c == 'H');
    case 'b':
    case 'B': {
      const std::string word = "[" + std::string(kWord) + "]";
      const std::string before = "(?<=" + word + ")", behind = "(?=" + word + ")";
      const std::string not_before = "(?<!" + word + ")", not_behind = "(?!" + word + ")";
      out_ += c == 'b' ? "(?:" + before + not_behind + "|" + not_before + behind + ")"
                       : "(?:" + before + behind + "|" + not_before + not_behind + ")";
      return;
    }
    case 'A':
    case 'Z':
    case 'z':
    case 'R':
    case 'X':
      out_.append({'\\', c});
      return;
    default:
      break;
  }
  const bool braced = c == 'x' && Peek() == '{';
  if (!SharedEscape(c)) return Refuse(std::string("\\") + c);
  if (!braced) return;
  const size_t end = in_.find('}', at_);
  if (end == std::string_view::npos) return Refuse("\\x{");
  out_.append(in_.substr(at_, end + 1 - at_));
  at_ = end + 1;
}

void Translator::EscapeInClass() {
  const char c = Peek(1);
  if (c == '\0') return Refuse("\\");
  if (static_cast<uint8_t>(c) >= 0x80) {
    ++at_;
    return;
  }
  at_ += 2;
  if (c == 's') {
    out_.append(kSpace);
  } else if (c == 'S') {
    out_.append("\\S\\x{180E}");
  } else if (c == 'w') {
    out_.append(kWord);
  } else if (c == 'h') {
    out_.append(kHex);
  } else if (!SharedEscape(c)) {
    Refuse(std::string("\\") + c + " within [ ]");
  }
}

}  // namespace

Result<std::string> TranslateRegex(std::string_view pattern) {
  if (ValidUtf8Prefix(pattern) != pattern.size()) {
    return Error{Status::kInvalid, "pattern is not UTF-8"};
  }
  return Translator(pattern).Run();
}

}  // namespace tenon::text::tokenizer_json
