// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/rendering.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

constexpr std::string_view kGlobals[] = {"range",  "namespace",       "dict",        "cycler",
                                         "joiner", "raise_exception", "strftime_now"};

}  // namespace

Value Rendering::Lookup(std::string_view name) {
  size_t seen = 4;
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    seen += 4;
    for (const auto& [known, value] : scope->variables) {
      if (known == name) return run_.Spend(static_cast<int64_t>(seen / 16)) ? value : Value();
      ++seen;
    }
  }
  if (!run_.Spend(static_cast<int64_t>(seen / 16))) return {};
  if (std::find(std::begin(kGlobals), std::end(kGlobals), name) == std::end(kGlobals)) {
    return Value::Undefined(name);
  }
  auto global = std::make_shared<Callable>();
  global->name = name;
  return Value::Of(std::shared_ptr<const Callable>(std::move(global)));
}

Value Rendering::Evaluate(const Expression& expression) {
  const Frame frame(this);
  run_.set_line(expression.line);
  if (!run_.Spend(1)) return {};
  switch (expression.kind) {
    case Expression::Kind::kLiteral:
      return expression.literal;
    case Expression::Kind::kName:
      return Lookup(expression.name);
    case Expression::Kind::kList:
    case Expression::Kind::kTuple:
      return EvaluateItems(expression);
    case Expression::Kind::kDict:
      return EvaluateDict(expression);
    case Expression::Kind::kNot:
      return Value::Bool(!Evaluate(*expression.items[0]).Truthy());
    case Expression::Kind::kNegate:
    case Expression::Kind::kPlus:
      return Negate(Evaluate(*expression.items[0]), expression.kind == Expression::Kind::kNegate,
                    &run_);
    case Expression::Kind::kChain:
      return EvaluateChain(expression);
    case Expression::Kind::kConditional:
      return EvaluateConditional(expression);
    case Expression::Kind::kSteps:
      return EvaluateSteps(expression);
  }
  return {};
}

Value Rendering::EvaluateConditional(const Expression& expression) {
  const bool holds = Evaluate(*expression.items[1]).Truthy();
  if (run_.failed()) return {};
  if (holds) return Evaluate(*expression.items[0]);
  return expression.items.size() > 2 ? Evaluate(*expression.items[2]) : Value();
}

Value Rendering::EvaluateItems(const Expression& expression) {
  std::vector<Value> items;
  for (const ExpressionPtr& item : expression.items) items.push_back(Evaluate(*item));
  return run_.NewList(std::move(items), expression.kind == Expression::Kind::kTuple);
}

Value Rendering::EvaluateDict(const Expression& expression) {
  std::vector<Entry> entries;
  for (size_t i = 0; i + 1 < expression.items.size(); i += 2) {
    Value key = Evaluate(*expression.items[i]);
    entries.emplace_back(std::move(key), Evaluate(*expression.items[i + 1]));
  }
  return run_.NewDict(std::move(entries));
}

// a < b < c is a < b and b < c, with b evaluated once.
Value Rendering::EvaluateComparisons(const Expression& expression) {
  Value left = Evaluate(*expression.items[0]), holds;
  for (size_t i = 0; i < expression.operations.size(); ++i) {
    Value right = Evaluate(*expression.items[i + 1]);
    holds = Apply(expression.operations[i], left, right, &run_);
    if (!holds.Truthy()) break;
    left = std::move(right);
  }
  return holds;
}

Value Rendering::EvaluateChain(const Expression& expression) {
  const Operation first = expression.operations[0];
  if (first >= Operation::kEqual && first <= Operation::kNotIn)
    return EvaluateComparisons(expression);
  Value value = Evaluate(*expression.items[0]);
  if (first == Operation::kOr || first == Operation::kAnd) {
    for (size_t i = 1; i < expression.items.size(); ++i) {
      if (value.Truthy() == (first == Operation::kOr)) break;
      value = Evaluate(*expression.items[i]);
    }
    return value;
  }
  for (size_t i = 0; i < expression.operations.size() && !run_.failed(); ++i) {
    value = Apply(expression.operations[i], value, Evaluate(*expression.items[i + 1]), &run_);
  }
  return value;
}

Arguments Rendering::EvaluateArguments(const CallArguments& arguments) {
  Arguments values;
  for (const ExpressionPtr& argument : arguments.positional) {
    values.positional.push_back(Evaluate(*argument));
  }
  if (arguments.more_positional != nullptr) {
    const Value more = ListOf(Evaluate(*arguments.more_positional), &run_);
    if (run_.failed() || !run_.Spend(more.Length())) return values;
    values.positional.insert(values.positional.end(), more.AsList().begin(), more.AsList().end());
  }
  for (const auto& [name, argument] : arguments.named)
    values.named.emplace_back(name, Evaluate(*argument));
  if (arguments.more_named == nullptr) return values;
  const Value more = Evaluate(*arguments.more_named);
  if (!more.Is(Kind::kDict)) {
    run_.Fail("** needs a dict, not " + std::string(more.KindName()));
    return values;
  }
  if (!run_.Spend(more.Length())) return values;
  values.more_named = more;  // keeps the names alive
  for (const auto& [name, value] : more.AsDict()) {
    if (name.Is(Kind::kString)) values.named.emplace_back(name.AsString(), value);
  }
  return values;
}

Value Rendering::EvaluateSteps(const Expression& expression) {
  Value value = Evaluate(*expression.items[0]);
  for (size_t step = 0; step < expression.steps.size() && !run_.failed(); ++step) {
    value = TakeStep(std::move(value), expression, &step);
  }
  return value;
}

Value Rendering::TakeStep(Value value, const Expression& expression, size_t* at) {
  const Step& step = expression.steps[*at];
  run_.set_line(step.line);
  if (!run_.Spend(1)) return {};
  switch (step.kind) {
    case Step::Kind::kAttribute:
      if (*at + 1 < expression.steps.size() &&
          expression.steps[*at + 1].kind == Step::Kind::kCall) {
        ++*at;
        return CallAttribute(value, step.name, EvaluateArguments(expression.steps[*at].arguments));
      }
      return AttributeOf(value, step.name, &run_);
    case Step::Kind::kItem:
      return ItemOf(value, Evaluate(*step.parts[0]), &run_);
    case Step::Kind::kSlice: {
      const Value first = EvaluatePart(step.parts[0]), last = EvaluatePart(step.parts[1]);
      return SliceOf(value, first, last, EvaluatePart(step.parts[2]), &run_);
    }
    case Step::Kind::kCall:
      return Call(value, EvaluateArguments(step.arguments));
    case Step::Kind::kFilter:
      return ApplyFilter(step.name, value, EvaluateArguments(step.arguments), &run_);
    case Step::Kind::kTest:
      return Value::Bool(ApplyTest(step.name, value, EvaluateArguments(step.arguments), &run_) !=
                         step.negated);
  }
  return {};
}

}  // namespace tenon::text::jinja
