// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/lexer.h"

#include <algorithm>
#include <cstdint>

#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

// \r\n and \r become \n; one at the end goes.
std::string Normalized(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text.push_back(source[i]);
    } else {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      text.push_back('\n');
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

size_t SpacesAt(std::string_view text, size_t at) {
  const size_t begin = at;
  while (at < text.size()) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (step.kind != Utf8Step::kCharacter || !IsSpace(step.character)) break;
    at += step.bytes;
  }
  return at - begin;
}

std::string_view RightTrimmed(std::string_view text) {
  size_t end = 0;  // behind the last character that is no space
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    at += step.bytes;
    if (step.kind != Utf8Step::kCharacter || !IsSpace(step.character)) end = at;
  }
  return text.substr(0, end);
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> Run() {
    while (at_ < source_.size() && !failed_) Root();
    if (failed_) return error_;
    Push(Token::kEnd, {});
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const { return source_.substr(at_); }
  bool At(std::string_view text) const { return Rest().starts_with(text); }
  void Fail(const std::string& what) {
    if (!failed_)
      error_ = {Status::kInvalid, "chat template, line " + std::to_string(line_) + ": " + what, {}};
    failed_ = true;
  }
  void Push(Token::Kind kind, std::string text) {
    if (tokens_.size() >= kMaxTokens && kind != Token::kEnd) {
      return Fail("the template has more than " + std::to_string(kMaxTokens) + " tokens");
    }
    tokens_.push_back({kind, line_, std::move(text)});
  }
  std::string_view Take(size_t bytes) {
    const std::string_view taken = source_.substr(at_, bytes);
    line_ += static_cast<int>(std::count(taken.begin(), taken.end(), '\n'));
    at_ += taken.size();
    return taken;
  }

  void Root();
  void TextBefore(size_t marker, bool variable);
  void Comment();
  bool Raw();
  void Tag(bool variable);
  size_t TagEnd(bool variable) const;
  size_t EndMarker(size_t at, std::string_view marker, bool trim_newline) const;
  void FinishTag(size_t bytes);
  void ExpressionToken();
  void Number();
  void PushNumber(Token::Kind kind, size_t end);
  void Quoted();
  size_t Escape(std::string_view body, size_t at, std::string* out);
  void Operator();

  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // what comes next begins a line, blank space aside
  std::string open_;           // brackets of the tag at hand
  std::vector<Token> tokens_;
  bool failed_ = false;
  Error error_;
};

void Lexer::Root() {
  size_t marker = at_;
  while (true) {
    marker = source_.find('{', marker);
    if (marker == std::string_view::npos || marker + 1 >= source_.size()) {
      Push(Token::kText, std::string(Rest()));
      Take(Rest().size());
      return;
    }
    const char next = source_[marker + 1];
    if (next == '{' || next == '%' || next == '#') break;
    ++marker;
  }
  const char kind = source_[marker + 1];
  TextBefore(marker, kind == '{');
  if (kind == '#') {
    Comment();
  } else if (kind == '{' || !Raw()) {
    Tag(kind == '{');
  }
}

void Lexer::TextBefore(size_t marker, bool variable) {
  std::string_view text = source_.substr(at_, marker - at_);
  const char sign = marker + 2 < source_.size() ? source_[marker + 2] : ' ';
  std::string_view kept = text;
  if (sign == '-') {
    kept = RightTrimmed(text);
  } else if (sign != '+' && !variable) {
    const size_t newline = text.rfind('\n');
    const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if ((begin > 0 || line_starting_) && SpacesAt(text, begin) == text.size() - begin) {
      kept = text.substr(0, begin);
    }
  }
  if (!kept.empty()) Push(Token::kText, std::string(kept));
  Take(text.size());
}

// How many bytes an end tag takes at `at`, its blank space included; 0 where there is none.
size_t Lexer::EndMarker(size_t at, std::string_view marker, bool trim_newline) const {
  const std::string_view rest = source_.substr(std::min(at, source_.size()));
  const bool minus = rest.starts_with('-'), plus = rest.starts_with('+');
  const size_t sign = minus || plus ? 1 : 0;
  if (!rest.substr(sign).starts_with(marker)) return 0;
  size_t bytes = sign + marker.size();
  if (minus) {
    bytes += SpacesAt(source_, at + bytes);
  } else if (!plus && trim_newline && rest.substr(bytes).starts_with('\n')) {
    ++bytes;
  }
  return bytes;
}

void Lexer::FinishTag(size_t bytes) { line_starting_ = Take(bytes).ends_with('\n'); }

void Lexer::Comment() {
  size_t begin = at_ + 2;
  if (begin < source_.size() && (source_[begin] == '-' || source_[begin] == '+')) ++begin;
  size_t end = source_.find("#}", begin);
  if (end == std::string_view::npos) return Fail("a comment has no end; write #}");
  if (end > begin && (source_[end - 1] == '-' || source_[end - 1] == '+')) --end;
  Take(end - at_);
  FinishTag(EndMarker(at_, "#}", true));
}

// {% raw %}...{% endraw %}: false where no raw block begins here.
bool Lexer::Raw() {
  const auto word = [this](size_t at, std::string_view name) -> size_t {
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    at += SpacesAt(source_, at);
    if (!source_.substr(std::min(at, source_.size())).starts_with(name)) return 0;
    at += name.size();
    return at + SpacesAt(source_, at);
  };
  const size_t head = word(at_ + 2, "raw");
  const size_t head_end = head == 0 ? 0 : EndMarker(head, "%}", false);
  if (head_end == 0) return false;
  Take(head + head_end - at_);
  line_starting_ = false;
  for (size_t marker = source_.find("{%", at_); marker != std::string_view::npos;
       marker = source_.find("{%", marker + 2)) {
    const size_t tail = word(marker + 2, "endraw");
    const size_t tail_end = tail == 0 ? 0 : EndMarker(tail, "%}", true);
    if (tail_end == 0) continue;
    TextBefore(marker, false);
    FinishTag(tail + tail_end - at_);
    return true;
  }
  Fail("a raw block has no end; write {% endraw %}");
  return true;
}

size_t Lexer::TagEnd(bool variable) const {
  if (!open_.empty()) return 0;
  if (variable && At("+}}")) return 0;  // jinja2 knows no +}}
  return EndMarker(at_, variable ? "}}" : "%}", !variable);
}

void Lexer::Tag(bool variable) {
  Push(variable ? Token::kVariableBegin : Token::kBlockBegin, {});
  const int begin_line = line_;
  Take(2);
  if (At("-") || At("+")) Take(1);
  open_.clear();
  while (!failed_) {
    Take(SpacesAt(source_, at_));
    if (at_ >= source_.size()) {
      line_ = begin_line;
      return Fail(variable ? "{{ has no end; write }}" : "{% has no end; write %}");
    }
    if (const size_t end = TagEnd(variable); end > 0) {
      Push(variable ? Token::kVariableEnd : Token::kBlockEnd, {});
      return FinishTag(end);
    }
    ExpressionToken();
  }
}

void Lexer::ExpressionToken() {
  const char c = source_[at_];
  if (IsNameStart(c)) {
    size_t end = at_;
    while (end < source_.size() && IsNamePart(source_[end])) ++end;
    Push(Token::kName, std::string(source_.substr(at_, end - at_)));
    Take(end - at_);
  } else if (IsDigit(c)) {
    Number();
  } else if (c == '\'' || c == '"') {
    Quoted();
  } else {
    Operator();
  }
}

void Lexer::Number() {
  size_t at = at_;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < source_.size() && (IsDigit(source_[at]) || (source_[at] == '_' && at > begin)))
      ++at;
    return at > begin;
  };
  const auto peek = [&](size_t ahead) {
    return at + ahead < source_.size() ? source_[at + ahead] : ' ';
  };
  const char mark = peek(0) == '0' ? static_cast<char>(peek(1) | 0x20) : ' ';
  if (mark == 'x' || mark == 'o' || mark == 'b') {
    at += 2;
    while (at < source_.size() && IsNamePart(source_[at])) ++at;
    return PushNumber(Token::kInteger, at);
  }
  digits();
  bool fraction = false;
  const bool step = at_ > 0 && source_[at_ - 1] == '.';  // of a path: list.0.1
  if (!step && peek(0) == '.' && IsDigit(peek(1))) {
    ++at;
    fraction = digits();
  }
  const bool sign = peek(1) == '+' || peek(1) == '-';
  if ((peek(0) == 'e' || peek(0) == 'E') && IsDigit(peek(sign ? 2 : 1))) {
    at += sign ? 2 : 1;
    fraction = digits();
  }
  PushNumber(fraction ? Token::kFloat : Token::kInteger, at);
}

void Lexer::PushNumber(Token::Kind kind, size_t end) {
  std::string text(source_.substr(at_, end - at_));
  const bool zeros = text.find_first_not_of("0_") == std::string::npos;
  if (text.find("__") != std::string::npos || text.ends_with('_') ||
      (kind == Token::kInteger && text[0] == '0' && text.size() > 1 && IsDigit(text[1]) &&
       !zeros)) {
    return Fail("\"" + text.substr(0, 64) + "\" is no number");
  }
  std::erase(text, '_');
  Push(kind, std::move(text));
  Take(end - at_);
}

// The escape after the backslash at body[at]: appends what it stands for, returns how many bytes it
// takes.
size_t Lexer::Escape(std::string_view body, size_t at, std::string* out) {
  static constexpr std::string_view kLetters = "abfnrtv\\'\"\n", kMeanings = "\a\b\f\n\r\t\v\\'\"";
  const char c = body[at + 1];
  if (c == '\n') return 2;
  if (const size_t known = kLetters.find(c); known != std::string_view::npos) {
    out->push_back(kMeanings[known]);
    return 2;
  }
  const size_t hex = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  const size_t most = hex > 0 ? hex : 3;
  const int base = hex > 0 ? 16 : 8;
  size_t i = at + (hex > 0 ? 2 : 1), seen = 0;
  char32_t value = 0;
  for (; i < body.size() && seen < most; ++i, ++seen) {
    const char d = body[i];
    const int digit = IsDigit(d)             ? d - '0'
                      : d >= 'a' && d <= 'f' ? d - 'a' + 10
                      : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                             : 99;
    if (digit >= base) break;
    value = value * static_cast<char32_t>(base) + static_cast<char32_t>(digit);
  }
  if (seen == 0 && hex == 0) {
    out->append({'\\', c});  // not an escape: Python keeps both
    return 2;
  }
  if (hex > 0 && seen < hex)
    Fail("a string holds an unfinished \\" + std::string(1, c) + " escape");
  AppendUtf8(value, out);
  return i - at;
}

void Lexer::Quoted() {
  const char quote = source_[at_];
  size_t end = at_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) return Fail("a string has no end; write " + std::string(1, quote));
  const std::string_view body = source_.substr(at_ + 1, end - at_ - 1);
  std::string value;
  for (size_t i = 0; i < body.size();) {
    if (body[i] == '\\') {
      i += Escape(body, i, &value);
    } else {
      value.push_back(body[i++]);
    }
  }
  Push(Token::kString, std::move(value));
  Take(end + 1 - at_);
}

void Lexer::Operator() {
  static constexpr std::string_view kTwo[] = {"==", "!=", "<=", ">=", "//", "**"};
  for (const std::string_view two : kTwo) {
    if (At(two)) {
      Push(Token::kOperator, std::string(two));
      Take(2);
      return;
    }
  }
  const char c = source_[at_];
  if (std::string_view("<>=+-*/%~.,:|()[]{}").find(c) == std::string_view::npos) {
    return Fail("unexpected character \"" + std::string(1, c) + "\"");
  }
  if (c == '(' || c == '[' || c == '{') open_.push_back(c);
  if (c == ')' || c == ']' || c == '}') {
    const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (open_.empty() || open_.back() != wanted)
      return Fail("unexpected \"" + std::string(1, c) + "\"");
    open_.pop_back();
  }
  Push(Token::kOperator, std::string(1, c));
  Take(1);
}

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return Error{Status::kInvalid,
                 "chat template of " + std::to_string(source.size()) + " bytes; at most " +
                     std::to_string(kMaxSourceBytes) + " allowed",
                 {}};
  }
  const std::string text = Normalized(source);
  return Lexer(text).Run();
}

}  // namespace tenon::text::jinja
