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

constexpr std::string_view kGlobals[] = {"range", "namespace", "dict", "raise_exception"};

}  // namespace

Value Rendering::Lookup(std::string_view name) {
  const auto in = [&](const Scope& scope) -> const Value* {
    if (!run_.Spend(static_cast<int64_t>(scope.variables.size()) / 8)) return nullptr;
    for (const auto& [known, value] : scope.variables) {
      if (known == name) return &value;
    }
    return nullptr;
  };
  for (size_t i = scopes_.size(); i-- > 2;) {
    if (const Value* found = in(scopes_[i])) return *found;
    if (scopes_[i].macro) break;
  }
  for (const size_t i : {1, 0}) {
    if (const Value* found = in(scopes_[i])) return *found;
  }
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
      if (Evaluate(*expression.items[1]).Truthy()) return Evaluate(*expression.items[0]);
      return expression.items.size() > 2 ? Evaluate(*expression.items[2]) : Value();
    case Expression::Kind::kSteps:
      return EvaluateSteps(expression);
  }
  return {};
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
  for (const auto& [name, argument] : arguments.named)
    values.named.emplace_back(name, Evaluate(*argument));
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

Value Rendering::CallAttribute(const Value& self, std::string_view name,
                               const Arguments& arguments) {
  if (self.Is(Kind::kLoop) && name == "cycle" && !arguments.positional.empty()) {
    return arguments.positional[self.AsLoop().index % arguments.positional.size()];
  }
  if (!HasMethod(self, name)) {
    if (const Value* found = self.Find(name)) return Call(*found, arguments);
  }
  return CallMethod(self, name, arguments, &run_);
}

Value Rendering::Call(const Value& callee, const Arguments& arguments) {
  if (callee.Is(Kind::kUndefined)) {
    return run_.Fail("the function \"" + std::string(callee.undefined_name()) + "\" is undefined");
  }
  if (!callee.Is(Kind::kCallable))
    return run_.Fail(std::string(callee.KindName()) + " is not a function");
  const Callable& callable = callee.AsCallable();
  if (callable.macro != nullptr) return CallMacro(*callable.macro, arguments);
  if (callable.has_self) return CallMethod(callable.self, callable.name, arguments, &run_);
  return CallGlobal(callable.name, arguments);
}

Value Rendering::CallMacro(const Statement& macro, const Arguments& arguments) {
  const Frame frame(this);
  if (run_.failed()) return {};
  Scope scope;
  scope.macro = true;
  if (arguments.positional.size() > macro.parameters.size()) {
    return run_.Fail("macro " + macro.name + " takes at most " +
                     std::to_string(macro.parameters.size()) + " arguments");
  }
  for (const auto& [name, value] : arguments.named) {
    const auto known = [name = name](const Parameter& parameter) { return parameter.name == name; };
    if (std::none_of(macro.parameters.begin(), macro.parameters.end(), known)) {
      return run_.Fail("macro " + macro.name + " has no argument \"" + std::string(name) + "\"");
    }
    scope.variables.emplace_back(name, value);
  }
  scopes_.push_back(std::move(scope));
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (i < arguments.positional.size()) {
      Set(parameter.name, arguments.positional[i]);
      continue;
    }
    const auto& given = scopes_.back().variables;
    if (std::any_of(given.begin(), given.end(),
                    [&](const auto& v) { return v.first == parameter.name; })) {
      continue;
    }
    Value fallback = parameter.fallback != nullptr ? Evaluate(*parameter.fallback)
                                                   : Value::Undefined(parameter.name);
    Set(parameter.name, std::move(fallback));
  }
  std::string text = Capture(macro.body);
  scopes_.pop_back();
  return run_.NewString(std::move(text));
}

Value Rendering::CallGlobal(std::string_view name, const Arguments& arguments) {
  if (name == "range") return MakeRange(arguments);
  if (name == "dict") return MakeDict(arguments);
  if (name == "namespace") return MakeNamespace(arguments);
  const Parameters given(name, arguments, {"message"}, &run_);
  return run_.Fail(ToText(given[0], &run_));
}

Value Rendering::MakeRange(const Arguments& arguments) {
  const Parameters given("range", arguments, {"start", "stop", "step"}, &run_);
  const int64_t first = given.Has(1) ? given.Int(0, 0) : 0;
  const int64_t last = given.Has(1) ? given.Int(1, 0) : given.Int(0, 0), stride = given.Int(2, 1);
  if (stride == 0) return run_.Fail("range: the step is 0");
  std::vector<Value> items;
  for (int64_t i = first; (stride > 0 ? i < last : i > last) && run_.Spend(1);) {
    items.push_back(Value::Int(i));
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  return run_.NewList(std::move(items));
}

Value Rendering::MakeDict(const Arguments& arguments) {
  std::vector<Entry> entries;
  if (!arguments.positional.empty()) {
    if (!arguments.positional[0].Is(Kind::kDict)) return run_.Fail("dict() takes a dict or names");
    entries = arguments.positional[0].AsDict();
  }
  for (const auto& [name, value] : arguments.named) {
    entries.emplace_back(Value::String(std::string(name)), value);
  }
  return run_.NewDict(std::move(entries));
}

Value Rendering::MakeNamespace(const Arguments& arguments) {
  auto made = std::make_shared<Namespace>();
  for (const Value& value : arguments.positional) {
    if (!value.Is(Kind::kDict)) return run_.Fail("namespace() takes a dict or names");
    for (const auto& [key, entry] : value.AsDict()) {
      if (key.Is(Kind::kString)) made->attributes.emplace_back(key.AsString(), entry);
    }
  }
  for (const auto& [name, value] : arguments.named) made->attributes.emplace_back(name, value);
  namespaces_.push_back(made);
  return Value::Of(std::move(made));
}

}  // namespace tenon::text::jinja
