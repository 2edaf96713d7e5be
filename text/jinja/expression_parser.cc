// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "text/jinja/parser.h"

namespace tenon::text::jinja {
namespace {

using Kind = Expression::Kind;

ExpressionPtr Make(Kind kind, int line) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  return made;
}

ExpressionPtr MakeLiteral(Value value, int line) {
  ExpressionPtr made = Make(Kind::kLiteral, line);
  made->literal = std::move(value);
  return made;
}

// Precedence as in Jinja, where ~ binds tighter than + and -; 0: no operator.
enum Precedence { kNone, kOrs, kAnds, kComparisons, kSums, kConcatenations, kProducts, kPowers };

struct Infix {
  Precedence precedence = kNone;
  Operation operation = Operation::kOr;
  int tokens = 1;
};

Infix PeekInfix(const TokenReader& tokens) {
  static constexpr struct {
    std::string_view text;
    Infix infix;
  } kInfixes[] = {
      {"or", {kOrs, Operation::kOr}},
      {"and", {kAnds, Operation::kAnd}},
      {"in", {kComparisons, Operation::kIn}},
      {"==", {kComparisons, Operation::kEqual}},
      {"!=", {kComparisons, Operation::kNotEqual}},
      {"<", {kComparisons, Operation::kLess}},
      {"<=", {kComparisons, Operation::kLessEqual}},
      {">", {kComparisons, Operation::kGreater}},
      {">=", {kComparisons, Operation::kGreaterEqual}},
      {"+", {kSums, Operation::kAdd}},
      {"-", {kSums, Operation::kSubtract}},
      {"~", {kConcatenations, Operation::kConcatenate}},
      {"*", {kProducts, Operation::kMultiply}},
      {"/", {kProducts, Operation::kDivide}},
      {"//", {kProducts, Operation::kFloorDivide}},
      {"%", {kProducts, Operation::kModulo}},
      {"**", {kPowers, Operation::kPower}},
  };
  if (!tokens.At(Token::kName) && !tokens.At(Token::kOperator)) return {};
  if (tokens.AtName("not") && tokens.PeekNext().kind == Token::kName &&
      tokens.PeekNext().text == "in") {
    return {kComparisons, Operation::kNotIn, 2};
  }
  for (const auto& [text, infix] : kInfixes) {
    if (tokens.Peek().text == text) return infix;
  }
  return {};
}

ExpressionPtr ParseNumber(TokenReader* tokens) {
  const Token token = tokens->Take();
  const char *begin = token.text.data(), *end = begin + token.text.size();
  if (token.kind == Token::kInteger) {
    int64_t value = 0;
    const char mark = token.text.size() > 2 ? static_cast<char>(begin[1] | 0x20) : '0';
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    const auto read = std::from_chars(base == 10 ? begin : begin + 2, end, value, base);
    if (read.ec == std::errc::invalid_argument || (read.ec == std::errc() && read.ptr != end))
      tokens->Fail("\"" + token.text.substr(0, 64) + "\" is no number");
    if (read.ec != std::errc())
      tokens->Fail(token.text.substr(0, 64) + " is too large; integers have 64 bits");
    return MakeLiteral(Value::Int(value), token.line);
  }
  double value = 0;
  if (std::from_chars(begin, end, value).ec != std::errc())
    tokens->Fail(token.text + " is out of range");
  return MakeLiteral(Value::Float(value), token.line);
}

ExpressionPtr ParseString(TokenReader* tokens) {
  const int line = tokens->Peek().line;
  std::string value;
  while (tokens->At(Token::kString)) value += tokens->Take().text;  // neighbours are one string
  return MakeLiteral(Value::String(std::move(value)), line);
}

ExpressionPtr ParseName(TokenReader* tokens) {
  const Token token = tokens->Take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return MakeLiteral(Value::Bool(true), token.line);
  if (name == "false" || name == "False") return MakeLiteral(Value::Bool(false), token.line);
  if (name == "none" || name == "None") return MakeLiteral(Value::None(), token.line);
  ExpressionPtr made = Make(Kind::kName, token.line);
  made->name = name;
  return made;
}

ExpressionPtr ParseList(TokenReader* tokens) {
  ExpressionPtr list = Make(Kind::kList, tokens->Take().line);
  while (!tokens->failed() && !tokens->TakeOperator("]")) {
    list->items.push_back(ParseExpression(tokens));
    if (!tokens->AtOperator("]")) tokens->ExpectOperator(",");
  }
  return list;
}

ExpressionPtr ParseDict(TokenReader* tokens) {
  ExpressionPtr dict = Make(Kind::kDict, tokens->Take().line);
  while (!tokens->failed() && !tokens->TakeOperator("}")) {
    dict->items.push_back(ParseExpression(tokens));
    tokens->ExpectOperator(":");
    dict->items.push_back(ParseExpression(tokens));
    if (!tokens->AtOperator("}")) tokens->ExpectOperator(",");
  }
  return dict;
}

ExpressionPtr ParseParenthesis(TokenReader* tokens) {
  const int line = tokens->Take().line;
  if (tokens->TakeOperator(")")) return Make(Kind::kTuple, line);
  ExpressionPtr inner = ParseExpressions(tokens);
  tokens->ExpectOperator(")");
  return inner;
}

ExpressionPtr ParsePrimary(TokenReader* tokens) {
  switch (tokens->Peek().kind) {
    case Token::kInteger:
    case Token::kFloat:
      return ParseNumber(tokens);
    case Token::kString:
      return ParseString(tokens);
    case Token::kName:
      return ParseName(tokens);
    default:
      break;
  }
  if (tokens->AtOperator("(")) return ParseParenthesis(tokens);
  if (tokens->AtOperator("[")) return ParseList(tokens);
  if (tokens->AtOperator("{")) return ParseDict(tokens);
  tokens->Fail(tokens->Peek().text.empty() ? "an expression is missing here"
                                           : "unexpected \"" + tokens->Peek().text + "\"");
  return MakeLiteral({}, tokens->Peek().line);
}

Step ParseSubscript(TokenReader* tokens) {
  Step step{.kind = Step::Kind::kItem, .line = tokens->Take().line};
  for (size_t part = 0; part < 3; ++part) {
    if (!tokens->AtOperator(":") && !tokens->AtOperator("]"))
      step.parts[part] = ParseExpression(tokens);
    if (part == 2 || !tokens->TakeOperator(":")) break;
    step.kind = Step::Kind::kSlice;
  }
  if (step.kind == Step::Kind::kItem && step.parts[0] == nullptr) tokens->Fail("[] holds no index");
  tokens->ExpectOperator("]");
  return step;
}

ExpressionPtr ParsePostfix(TokenReader* tokens, ExpressionPtr base, bool with_filters);

// The argument of a test without parentheses: `is divisibleby 3`.
bool StartsTestArgument(const TokenReader& tokens) {
  switch (tokens.Peek().kind) {
    case Token::kInteger:
    case Token::kFloat:
    case Token::kString:
      return true;
    case Token::kName:
      for (const std::string_view word : {"else", "or", "and", "if", "in", "not", "is"}) {
        if (tokens.Peek().text == word) return false;
      }
      return true;
    default:
      return tokens.AtOperator("[") || tokens.AtOperator("{");
  }
}

Step ParseTest(TokenReader* tokens) {
  Step step{.kind = Step::Kind::kTest, .line = tokens->Take().line};
  step.negated = tokens->TakeName("not");
  step.name = tokens->ExpectName();
  if (tokens->AtOperator("(")) {
    step.arguments = ParseArguments(tokens);
  } else if (tokens->AtName("is")) {
    tokens->Fail("tests cannot be chained with \"is\"");
  } else if (StartsTestArgument(*tokens)) {
    step.arguments.positional.push_back(ParsePostfix(tokens, ParsePrimary(tokens), false));
  }
  return step;
}

Step ParseFilter(TokenReader* tokens) {
  Step step{.kind = Step::Kind::kFilter, .line = tokens->Peek().line};
  step.name = tokens->ExpectName();
  if (tokens->AtOperator("(")) step.arguments = ParseArguments(tokens);
  return step;
}

ExpressionPtr ParsePostfix(TokenReader* tokens, ExpressionPtr base, bool with_filters) {
  std::vector<Step> steps;
  while (!tokens->failed()) {
    const int line = tokens->Peek().line;
    const bool filtered = !steps.empty() && (steps.back().kind == Step::Kind::kFilter ||
                                             steps.back().kind == Step::Kind::kTest);
    if (filtered && (tokens->AtOperator(".") || tokens->AtOperator("["))) {
      tokens->Fail("parentheses are needed around what has a filter or test before \"" +
                   tokens->Peek().text + "\"");
    } else if (tokens->TakeOperator(".")) {
      Step step{.kind = Step::Kind::kAttribute, .line = line};
      if (tokens->At(Token::kInteger)) {
        step.kind = Step::Kind::kItem;
        step.parts[0] = ParseNumber(tokens);
      } else {
        step.name = tokens->ExpectName();
      }
      steps.push_back(std::move(step));
    } else if (tokens->AtOperator("[")) {
      steps.push_back(ParseSubscript(tokens));
    } else if (tokens->AtOperator("(")) {
      steps.push_back(
          {.kind = Step::Kind::kCall, .line = line, .arguments = ParseArguments(tokens)});
    } else if (with_filters && tokens->TakeOperator("|")) {
      steps.push_back(ParseFilter(tokens));
    } else if (with_filters && tokens->AtName("is")) {
      steps.push_back(ParseTest(tokens));
    } else {
      break;
    }
  }
  if (steps.empty()) return base;
  ExpressionPtr made = Make(Kind::kSteps, base->line);
  made->items.push_back(std::move(base));
  made->steps = std::move(steps);
  return made;
}

ExpressionPtr ParseChain(TokenReader* tokens, int lowest);

// A sign binds tighter than filters: -x|abs is (-x)|abs. Several signs are one.
ExpressionPtr ParseSigned(TokenReader* tokens) {
  const int line = tokens->Peek().line;
  bool negative = false;
  while (tokens->AtOperator("-") || tokens->AtOperator("+")) negative ^= tokens->Take().text == "-";
  ExpressionPtr made = Make(negative ? Kind::kNegate : Kind::kPlus, line);
  made->items.push_back(ParsePostfix(tokens, ParsePrimary(tokens), false));
  return ParsePostfix(tokens, std::move(made), true);
}

ExpressionPtr ParseUnary(TokenReader* tokens) {
  const int line = tokens->Peek().line;
  if (tokens->TakeName("not")) {
    ExpressionPtr made = Make(Kind::kNot, line);
    made->items.push_back(ParseChain(tokens, kComparisons));
    return made;
  }
  if (tokens->AtOperator("-") || tokens->AtOperator("+")) return ParseSigned(tokens);
  return ParsePostfix(tokens, ParsePrimary(tokens), true);
}

// Operands joined by operators of precedence `lowest` and above.
// All nesting of expressions passes here.
ExpressionPtr ParseChain(TokenReader* tokens, int lowest) {
  if (!tokens->Enter()) return MakeLiteral({}, tokens->Peek().line);
  ExpressionPtr left = ParseUnary(tokens);
  int joined = kNone;  // the precedence of the chain that `left` is; a chain in parentheses is none
  for (Infix infix = PeekInfix(*tokens); infix.precedence >= lowest && infix.precedence != kNone;
       infix = PeekInfix(*tokens)) {
    for (int i = 0; i < infix.tokens; ++i) tokens->Take();
    if (joined != infix.precedence) {
      ExpressionPtr chain = Make(Kind::kChain, left->line);
      chain->items.push_back(std::move(left));
      left = std::move(chain);
      joined = infix.precedence;
    }
    left->operations.push_back(infix.operation);
    left->items.push_back(ParseChain(tokens, infix.precedence + 1));
    if (tokens->failed()) break;
  }
  tokens->Leave();
  return left;
}

}  // namespace

ExpressionPtr ParseExpression(TokenReader* tokens, bool conditional) {
  ExpressionPtr value = ParseChain(tokens, kOrs);
  if (!conditional || !tokens->AtName("if")) return value;
  ExpressionPtr made = Make(Kind::kConditional, tokens->Take().line);
  made->items.push_back(std::move(value));
  made->items.push_back(ParseChain(tokens, kOrs));
  if (tokens->TakeName("else") && tokens->Enter()) {
    made->items.push_back(ParseExpression(tokens));
    tokens->Leave();
  }
  return made;
}

CallArguments ParseArguments(TokenReader* tokens) {
  CallArguments arguments;
  tokens->ExpectOperator("(");
  while (!tokens->failed() && !tokens->TakeOperator(")")) {
    const Token& next = tokens->PeekNext();
    if (tokens->AtOperator("*") && arguments.more_positional == nullptr &&
        arguments.more_named == nullptr) {
      tokens->Take();
      arguments.more_positional = ParseExpression(tokens);
    } else if (tokens->AtOperator("**") && arguments.more_named == nullptr) {
      tokens->Take();
      arguments.more_named = ParseExpression(tokens);
    } else if (tokens->At(Token::kName) && next.kind == Token::kOperator && next.text == "=") {
      if (arguments.more_named != nullptr) tokens->Fail("an argument follows one with **");
      std::string name = tokens->ExpectName();
      tokens->ExpectOperator("=");
      arguments.named.emplace_back(std::move(name), ParseExpression(tokens));
    } else if (!arguments.named.empty() || arguments.more_positional != nullptr ||
               arguments.more_named != nullptr) {
      tokens->Fail("an argument without a name follows one with a name, * or **");
    } else {
      arguments.positional.push_back(ParseExpression(tokens));
    }
    if (!tokens->AtOperator(")")) tokens->ExpectOperator(",");
  }
  return arguments;
}

ExpressionPtr ParseExpressions(TokenReader* tokens, bool conditional) {
  ExpressionPtr first = ParseExpression(tokens, conditional);
  if (!tokens->AtOperator(",")) return first;
  ExpressionPtr tuple = Make(Kind::kTuple, first->line);
  tuple->items.push_back(std::move(first));
  while (!tokens->failed() && tokens->TakeOperator(",")) {
    const bool ends = tokens->At(Token::kVariableEnd) || tokens->At(Token::kBlockEnd) ||
                      tokens->AtOperator(")") || tokens->AtOperator("=");
    if (ends) break;
    tuple->items.push_back(ParseExpression(tokens, conditional));
  }
  return tuple;
}

ExpressionPtr ParseFilters(TokenReader* tokens) {
  ExpressionPtr body = Make(Kind::kName, tokens->Peek().line);
  body->name = kBodyName;
  ExpressionPtr made = Make(Kind::kSteps, body->line);
  made->items.push_back(std::move(body));
  do {
    made->steps.push_back(ParseFilter(tokens));
  } while (!tokens->failed() && tokens->TakeOperator("|"));
  return made;
}

}  // namespace tenon::text::jinja
