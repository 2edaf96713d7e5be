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
  std::vector<std::string> ParseTargets();

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
  const bool leaves = tokens_.AtName("break");
  if (leaves || tokens_.AtName("continue")) {
    StatementPtr jump = Make(leaves ? Kind::kBreak : Kind::kContinue);
    if (loops_ == 0) tokens_.Fail("\"" + tokens_.Peek().text + "\" outside of a for");
    tokens_.Take();
    EndTag();
    return jump;
  }
  if (tokens_.AtName("generation")) {
    StatementPtr section = Make(Kind::kSection);
    tokens_.Take();
    EndTag();
    section->body = BodyUpTo("endgeneration");
    return section;
  }
  if (tokens_.AtName("filter")) {
    StatementPtr filter = Make(Kind::kFilter);
    tokens_.Take();
    filter->value = ParseFilters(&tokens_);
    EndTag();
    filter->body = BodyUpTo("endfilter");
    return filter;
  }
  tokens_.Fail("unknown tag \"" + tokens_.Peek().text +
               "\"; known are if, for, set, macro, filter, generation, raw, break, continue");
  return Make(Kind::kText);
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

std::vector<std::string> StatementParser::ParseTargets() {
  const bool parenthesis = tokens_.TakeOperator("(");
  std::vector<std::string> targets = {tokens_.ExpectName()};
  while (!tokens_.failed() && tokens_.TakeOperator(",")) {
    if (!tokens_.At(Token::kName) || tokens_.AtName("in")) break;
    targets.push_back(tokens_.ExpectName());
  }
  if (parenthesis) tokens_.ExpectOperator(")");
  return targets;
}

StatementPtr StatementParser::ParseFor() {
  StatementPtr made = Make(Kind::kFor);
  const std::string from = std::to_string(made->line);
  tokens_.Take();
  made->targets = ParseTargets();
  if (!tokens_.TakeName("in")) Unexpected();
  made->value = ParseExpressions(&tokens_, false);
  if (tokens_.TakeName("if")) made->condition = ParseExpression(&tokens_);
  if (tokens_.AtName("recursive")) tokens_.Fail("recursive loops are not supported; use a macro");
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
  made->targets = ParseTargets();
  if (made->targets.size() == 1 && tokens_.TakeOperator(".")) {
    made->name = made->targets[0];
    made->attribute = tokens_.ExpectName();
    made->targets.clear();
  }
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

StatementPtr StatementParser::ParseMacro() {
  StatementPtr made = Make(Kind::kMacro);
  tokens_.Take();
  made->name = tokens_.ExpectName();
  tokens_.ExpectOperator("(");
  while (!tokens_.failed() && !tokens_.TakeOperator(")")) {
    Parameter parameter{tokens_.ExpectName(), nullptr};
    if (tokens_.TakeOperator("=")) {
      parameter.fallback = ParseExpression(&tokens_);
    } else if (!made->parameters.empty() && made->parameters.back().fallback != nullptr) {
      tokens_.Fail("parameter " + parameter.name + " needs a default, as the one before it has");
    }
    made->parameters.push_back(std::move(parameter));
    if (!tokens_.AtOperator(")")) tokens_.ExpectOperator(",");
  }
  EndTag();
  const int loops = std::exchange(loops_, 0);
  made->body = BodyUpTo("endmacro");
  loops_ = loops;
  return made;
}

}  // namespace

Token TokenReader::Take() {
  Token token = tokens_[at_];
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
