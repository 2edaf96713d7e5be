// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

namespace tenon::text::jinja {
namespace {

using Kind = Statement::Kind;
using StatementPtr = std::unique_ptr<Statement>;

class StatementParser {
 public:
  explicit StatementParser(TokenReader* tokens) : tokens_(*tokens) {}

  // Statements up to a block tag that starts with one of `ends`, which is left, or to the source's
  // end.
  Body ParseBody(std::initializer_list<std::string_view> ends);

 private:
  StatementPtr Make(Kind kind) const {
    auto made = std::make_unique<Statement>();
    made->kind = kind;
    made->line = tokens_.Peek().line;
    return made;
  }
  bool AtBlock(std::initializer_list<std::string_view> names) const;
  void EndTag() {
    if (!tokens_.At(Token::kBlockEnd)) return Unexpected();
    tokens_.Take();
  }
  void Unexpected() {
    const std::string& text = tokens_.Peek().text;
    tokens_.Fail(text.empty() ? "the tag is not complete" : "unexpected \"" + text + "\"");
  }
  // A body and the tag `name` that ends it.
  Body BodyUpTo(std::string_view name);
  void TakeBlock() {
    tokens_.Take();
    tokens_.Take();
  }

  StatementPtr ParseBlock();
  StatementPtr ParseIf();
  StatementPtr ParseFor();
  StatementPtr ParseSet();
  StatementPtr ParseMacro();
  StatementPtr ParseCall();
  StatementPtr ParseWith();
  StatementPtr ParseBracketed(Kind kind, std::string_view end);
  void RefuseTag();
  void ParseParameters(Statement* made);
  void ParseMacroBody(Statement* made, std::string_view end);
  Target ParseTarget(bool with_attributes);
  Target ParseOneTarget(bool with_attributes);

  TokenReader& tokens_;
  int loops_ = 0;  // around the place at hand, within its macro
};

bool StatementParser::AtBlock(std::initializer_list<std::string_view> names) const {
  return tokens_.At(Token::kBlockBegin) && tokens_.PeekNext().kind == Token::kName &&
         std::find(names.begin(), names.end(), tokens_.PeekNext().text) != names.end();
}

Body StatementParser::ParseBody(std::initializer_list<std::string_view> ends) {
  Body body;
  if (!tokens_.Enter()) return body;
  while (!tokens_.AtEnd() && !AtBlock(ends)) {
    if (tokens_.At(Token::kText)) {
      StatementPtr text = Make(Kind::kText);
      text->name = tokens_.Take().text;
      body.push_back(std::move(text));
    } else if (tokens_.At(Token::kVariableBegin)) {
      tokens_.Take();
      StatementPtr output = Make(Kind::kOutput);
      output->value = ParseExpressions(&tokens_);
      if (!tokens_.At(Token::kVariableEnd)) Unexpected();
      tokens_.Take();
      body.push_back(std::move(output));
    } else {
      tokens_.Take();
      body.push_back(ParseBlock());
    }
  }
  tokens_.Leave();
  return body;
}

Body StatementParser::BodyUpTo(std::string_view name) {
  const int line = tokens_.Peek().line;
  Body body = ParseBody({name});
  if (tokens_.AtEnd()) {
    tokens_.Fail("the block of line " + std::to_string(line) + " has no {% " + std::string(name) +
                 " %}");
    return body;
  }
  TakeBlock();
  EndTag();
  return body;
}

StatementPtr StatementParser::ParseBlock() {
  if (tokens_.AtName("if")) return ParseIf();
  if (tokens_.AtName("for")) return ParseFor();
  if (tokens_.AtName("set")) return ParseSet();
  if (tokens_.AtName("macro")) return ParseMacro();
  if (tokens_.AtName("call")) return ParseCall();
  if (tokens_.AtName("with")) return ParseWith();
  const bool leaves = tokens_.AtName("break");
  if (leaves || tokens_.AtName("continue")) {
    StatementPtr jump = Make(leaves ? Kind::kBreak : Kind::kContinue);
    if (loops_ == 0) tokens_.Fail("\"" + tokens_.Peek().text + "\" outside of a for");
    tokens_.Take();
    EndTag();
    return jump;
  }
  if (tokens_.AtName("generation")) return ParseBracketed(Kind::kSection, "endgeneration");
  if (tokens_.AtName("filter")) return ParseBracketed(Kind::kFilter, "endfilter");
  if (tokens_.AtName("do")) {
    StatementPtr made = Make(Kind::kDo);
    tokens_.Take();
    made->value = ParseExpressions(&tokens_);
    EndTag();
    return made;
  }
  RefuseTag();
  return Make(Kind::kText);
}

StatementPtr StatementParser::ParseBracketed(Kind kind, std::string_view end) {
  StatementPtr made = Make(kind);
  tokens_.Take();
  if (kind == Kind::kFilter) made->value = ParseFilters(&tokens_);
  EndTag();
  const int loops = kind == Kind::kSection ? std::exchange(loops_, 0) : loops_;
  made->body = BodyUpTo(end);
  loops_ = loops;
  return made;
}

void StatementParser::RefuseTag() {
  for (const std::string_view other : {"include", "import", "from", "extends", "block"}) {
    if (tokens_.AtName(other)) {
      return tokens_.Fail("\"" + std::string(other) +
                          "\" needs other templates; a chat template is all in one");
    }
  }
  tokens_.Fail("unknown tag \"" + tokens_.Peek().text.substr(0, 64) +
               "\"; known are if, for, set, macro, call, filter, do, with, generation, raw, break, "
               "continue");
}

StatementPtr StatementParser::ParseIf() {
  StatementPtr made = Make(Kind::kIf);
  const std::string from = std::to_string(made->line);
  while (!tokens_.failed()) {
    const bool otherwise = tokens_.Take().text == "else";
    Statement::Branch branch;
    if (!otherwise) branch.condition = ParseExpressions(&tokens_);
    EndTag();
    branch.body = otherwise ? ParseBody({"endif"}) : ParseBody({"elif", "else", "endif"});
    made->branches.push_back(std::move(branch));
    if (tokens_.AtEnd()) {
      tokens_.Fail("the if of line " + from + " has no {% endif %}");
      break;
    }
    tokens_.Take();
    if (tokens_.TakeName("endif")) {
      EndTag();
      break;
    }
  }
  return made;
}

Target StatementParser::ParseOneTarget(bool with_attributes) {
  if (tokens_.TakeOperator("(")) {
    if (!tokens_.Enter()) return {};
    Target inner = ParseTarget(with_attributes);
    tokens_.Leave();
    tokens_.ExpectOperator(")");
    return inner;
  }
  Target target;
  target.name = tokens_.ExpectName();
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (target.name == constant) tokens_.Fail("cannot assign to \"" + target.name + "\"");
  }
  if (with_attributes && tokens_.TakeOperator(".")) target.attribute = tokens_.ExpectName();
  return target;
}

Target StatementParser::ParseTarget(bool with_attributes) {
  Target first = ParseOneTarget(with_attributes);
  if (!tokens_.AtOperator(",")) return first;
  Target tuple;
  tuple.parts.push_back(std::move(first));
  while (!tokens_.failed() && tokens_.TakeOperator(",")) {
    const bool more =
        tokens_.AtOperator("(") || (tokens_.At(Token::kName) && !tokens_.AtName("in"));
    if (!more) break;
    tuple.parts.push_back(ParseOneTarget(with_attributes));
  }
  if (tuple.parts.size() == 1) tokens_.Fail("a name is missing behind the comma");
  return tuple;
}

StatementPtr StatementParser::ParseFor() {
  StatementPtr made = Make(Kind::kFor);
  const std::string from = std::to_string(made->line);
  tokens_.Take();
  made->target = ParseTarget(false);
  if (!tokens_.TakeName("in")) Unexpected();
  made->value = ParseExpressions(&tokens_, false);
  if (tokens_.TakeName("if")) made->condition = ParseExpression(&tokens_);
  made->recursive = tokens_.TakeName("recursive");
  EndTag();
  ++loops_;
  made->body = ParseBody({"else", "endfor"});
  --loops_;
  if (AtBlock({"else"})) {
    TakeBlock();
    EndTag();
    made->otherwise = ParseBody({"endfor"});
  }
  if (tokens_.AtEnd()) {
    tokens_.Fail("the for of line " + from + " has no {% endfor %}");
    return made;
  }
  TakeBlock();
  EndTag();
  return made;
}

StatementPtr StatementParser::ParseSet() {
  StatementPtr made = Make(Kind::kSet);
  tokens_.Take();
  made->target = ParseTarget(true);
  if (tokens_.TakeOperator("=")) {
    made->value = ParseExpressions(&tokens_);
    EndTag();
    return made;
  }
  made->kind = Kind::kSetBlock;
  if (tokens_.TakeOperator("|")) made->value = ParseFilters(&tokens_);
  EndTag();
  made->body = BodyUpTo("endset");
  return made;
}

void StatementParser::ParseParameters(Statement* made) {
  tokens_.ExpectOperator("(");
  while (!tokens_.failed() && !tokens_.TakeOperator(")")) {
    Parameter parameter{tokens_.ExpectName(), nullptr};
    if (tokens_.TakeOperator("=")) {
      parameter.fallback = ParseExpression(&tokens_);
    } else if (!made->parameters.empty() && made->parameters.back().fallback != nullptr) {
      tokens_.Fail("parameter " + parameter.name + " needs a default, as the one before it has");
    }
    for (const Parameter& before : made->parameters) {
      if (before.name == parameter.name) tokens_.Fail("two parameters named " + parameter.name);
    }
    if (parameter.name == "caller" && parameter.fallback == nullptr) {
      tokens_.Fail("parameter caller needs a default");
    }
    made->parameters.push_back(std::move(parameter));
    if (!tokens_.AtOperator(")")) tokens_.ExpectOperator(",");
  }
}

void StatementParser::ParseMacroBody(Statement* made, std::string_view end) {
  EndTag();
  const int loops = std::exchange(loops_, 0);
  const TokenReader::Mentions before = tokens_.mentions();
  made->body = BodyUpTo(end);
  const TokenReader::Mentions& after = tokens_.mentions();
  made->takes_varargs = after.varargs > before.varargs;
  made->takes_kwargs = after.kwargs > before.kwargs;
  made->takes_caller = after.caller > before.caller;
  loops_ = loops;
}

StatementPtr StatementParser::ParseMacro() {
  StatementPtr made = Make(Kind::kMacro);
  tokens_.Take();
  made->name = tokens_.ExpectName();
  ParseParameters(made.get());
  ParseMacroBody(made.get(), "endmacro");
  return made;
}

StatementPtr StatementParser::ParseCall() {
  StatementPtr made = Make(Kind::kCall);
  tokens_.Take();
  if (tokens_.AtOperator("(")) ParseParameters(made.get());
  made->value = ParseExpression(&tokens_);
  const bool calls = !tokens_.failed() && made->value->kind == Expression::Kind::kSteps &&
                     made->value->steps.back().kind == Step::Kind::kCall;
  if (calls) {
    auto caller = std::make_unique<Expression>();
    caller->kind = Expression::Kind::kName;
    caller->line = made->line;
    caller->name = kCallerName;
    made->value->steps.back().arguments.named.emplace_back("caller", std::move(caller));
  } else {
    tokens_.Fail("{% call %} needs a call");
  }
  ParseMacroBody(made.get(), "endcall");
  return made;
}

StatementPtr StatementParser::ParseWith() {
  StatementPtr made = Make(Kind::kWith);
  tokens_.Take();
  while (!tokens_.failed() && !tokens_.At(Token::kBlockEnd)) {
    if (!made->bindings.empty()) tokens_.ExpectOperator(",");
    Target target = ParseOneTarget(false);
    tokens_.ExpectOperator("=");
    made->bindings.emplace_back(std::move(target), ParseExpression(&tokens_));
  }
  EndTag();
  made->body = BodyUpTo("endwith");
  return made;
}

}  // namespace

Token TokenReader::Take() {
  Token token = tokens_[at_];
  if (token.kind == Token::kName) {
    mentions_.varargs += token.text == "varargs";
    mentions_.kwargs += token.text == "kwargs";
    mentions_.caller += token.text == "caller";
  }
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenReader::TakeName(std::string_view name) {
  if (!AtName(name)) return false;
  Take();
  return true;
}

bool TokenReader::TakeOperator(std::string_view text) {
  if (!AtOperator(text)) return false;
  Take();
  return true;
}

void TokenReader::ExpectOperator(std::string_view text) {
  if (TakeOperator(text)) return;
  Fail("expected \"" + std::string(text) + "\"" +
       (Peek().text.empty() ? std::string() : ", found \"" + Peek().text + "\""));
}

std::string TokenReader::ExpectName() {
  if (At(Token::kName)) return Take().text;
  Fail("expected a name" +
       (Peek().text.empty() ? std::string() : ", found \"" + Peek().text + "\""));
  return {};
}

void TokenReader::Fail(const std::string& what) {
  if (!failed_) {
    error_ = {
        Status::kInvalid, "chat template, line " + std::to_string(Peek().line) + ": " + what, {}};
  }
  failed_ = true;
  at_ = tokens_.size() - 1;
}

bool TokenReader::Enter() {
  if (depth_ >= kMaxDepth) {
    Fail("nested more than " + std::to_string(kMaxDepth) + " deep");
    return false;
  }
  ++depth_;
  return true;
}

Result<Body> Parse(std::string_view source) {
  auto tokens = Tokenize(source);
  if (!tokens.ok()) return tokens.error();
  TokenReader reader(*std::move(tokens));
  Body body = StatementParser(&reader).ParseBody({});
  if (reader.failed()) return reader.error();
  return body;
}

}  // namespace tenon::text::jinja
