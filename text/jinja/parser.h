// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace tenon::text::jinja {

// Parses a whole template. Errors name the line. Source nested more than kMaxDepth deep is one, and
// so is one of more than kMaxTokens tokens.
Result<Body> Parse(std::string_view source);

// The name that kSetBlock's and kFilter's `value` gives to the text it starts from.
inline constexpr std::string_view kBodyName = "%body";

// The name under which the call of kCall finds its `caller`.
inline constexpr std::string_view kCallerName = "%caller";

// Reads tokens one by one and keeps the first error; behind an error every token is kEnd.
class TokenReader {
 public:
  explicit TokenReader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Peek() const { return tokens_[at_]; }
  const Token& PeekNext() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token Take();
  bool AtEnd() const { return Peek().kind == Token::kEnd; }
  bool At(Token::Kind kind) const { return Peek().kind == kind; }
  bool AtName(std::string_view name) const { return At(Token::kName) && Peek().text == name; }
  bool AtOperator(std::string_view text) const {
    return At(Token::kOperator) && Peek().text == text;
  }
  bool TakeName(std::string_view name);
  bool TakeOperator(std::string_view text);
  void ExpectOperator(std::string_view text);
  std::string ExpectName();

  void Fail(const std::string& what);
  bool failed() const { return failed_; }
  const Error& error() const { return error_; }

  // How many of the names that a macro's body may ask for were taken so far: varargs, kwargs,
  // caller.
  struct Mentions {
    int varargs = 0, kwargs = 0, caller = 0;
  };
  const Mentions& mentions() const { return mentions_; }

  // Nesting: Enter fails beyond kMaxDepth.
  bool Enter();
  void Leave() { --depth_; }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  Mentions mentions_;
  bool failed_ = false;
  Error error_;
};

// One expression, with `a if b else c` unless the caller has its own use for `if`. Null after an
// error.
ExpressionPtr ParseExpression(TokenReader* tokens, bool conditional = true);

// The same, or several with commas between: a tuple.
ExpressionPtr ParseExpressions(TokenReader* tokens, bool conditional = true);

// (positional, name=value, *list, **dict)
CallArguments ParseArguments(TokenReader* tokens);

// The filters of a block: "upper|trim", applied to kBodyName.
ExpressionPtr ParseFilters(TokenReader* tokens);

}  // namespace tenon::text::jinja
