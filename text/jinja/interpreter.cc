// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/interpreter.h"

#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/parser.h"
#include "text/jinja/rendering.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

}  // namespace

Rendering::Rendering(const Variables& variables, const Limits& limits, const LocalTime& now)
    : run_(limits), now_(now) {
  auto given = std::make_shared<Scope>();
  for (const auto& [name, value] : variables) given->variables.emplace_back(name, value);
  scope_ = std::make_shared<Scope>();
  scope_->parent = std::move(given);
}

Rendering::~Rendering() {
  // Namespaces and scopes may hold one another in rings.
  for (const auto& made : namespaces_) {
    made->attributes.clear();
    made->items.clear();
  }
  for (const auto& scope : captured_) scope->variables.clear();
}

Rendering::Within::Within(Rendering* rendering, std::shared_ptr<Scope> parent)
    : rendering_(*rendering), before_(std::move(rendering->scope_)) {
  rendering_.scope_ = std::make_shared<Scope>();
  rendering_.scope_->parent = std::move(parent);
}

Result<std::string> Rendering::Finish(const Body& body, int64_t* operations_used) {
  Execute(body);
  if (operations_used != nullptr) {
    *operations_used = run_.limits().operations - run_.operations_left();
  }
  if (run_.failed()) return run_.error();
  return std::move(output_);
}

void Rendering::Emit(std::string_view text) {
  if (!run_.SpendBytes(text.size())) return;
  if (text.size() >
      run_.limits().output_bytes - std::min(output_.size(), run_.limits().output_bytes)) {
    run_.Fail("the output exceeds " + std::to_string(run_.limits().output_bytes) + " bytes");
    return;
  }
  output_ += text;
}

Flow Rendering::Execute(const Body& body) {
  const Frame frame(this);
  for (const auto& statement : body) {
    if (run_.failed()) break;
    if (const Flow flow = Execute(*statement); flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Flow Rendering::Execute(const Statement& statement) {
  run_.set_line(statement.line);
  if (!run_.Spend(1)) return Flow::kBreak;
  switch (statement.kind) {
    case Statement::Kind::kText:
      Emit(statement.name);
      break;
    case Statement::Kind::kOutput: {
      const Value value = Evaluate(*statement.value);
      value.Is(Kind::kString) ? Emit(value.AsString()) : Emit(ToText(value, &run_));
      break;
    }
    case Statement::Kind::kIf:
      return ExecuteIf(statement);
    case Statement::Kind::kFor:
      return ExecuteFor(statement, Evaluate(*statement.value), 1);
    case Statement::Kind::kSet:
    case Statement::Kind::kSetBlock:
      return ExecuteSet(statement);
    case Statement::Kind::kFilter:
      return ExecuteFilter(statement);
    case Statement::Kind::kMacro:
      Set(statement.name, MakeMacro(statement, statement.name));
      break;
    case Statement::Kind::kCall:
      ExecuteCall(statement);
      break;
    case Statement::Kind::kDo:
      Evaluate(*statement.value);
      break;
    case Statement::Kind::kWith:
    case Statement::Kind::kSection:
      return ExecuteWith(statement);
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Flow Rendering::ExecuteIf(const Statement& statement) {
  for (const Statement::Branch& branch : statement.branches) {
    const bool taken = branch.condition == nullptr || Evaluate(*branch.condition).Truthy();
    if (run_.failed()) break;
    if (taken) return Execute(branch.body);
  }
  return Flow::kNext;
}

// The items to walk over, those that the loop's own `if` drops left out: a list, unless it fails.
Value Rendering::LoopItems(const Statement& statement, const Value& value) {
  Value items = ListOf(value, &run_);
  if (statement.condition == nullptr || run_.failed()) return items;
  std::vector<Value> kept;
  for (const Value& item : items.AsList()) {
    scope_->variables.clear();
    Assign(statement.target, item);
    if (Evaluate(*statement.condition).Truthy()) kept.push_back(item);
    if (run_.failed()) return {};
  }
  return run_.NewList(std::move(kept));
}

Flow Rendering::ExecuteFor(const Statement& statement, const Value& value, int depth) {
  if (run_.failed()) return Flow::kBreak;
  auto loop = std::make_shared<Loop>();
  loop->depth = depth;
  if (statement.recursive) {
    loop->recursive = &statement;
    loop->around = scope_;
  }
  const Within within(this, scope_);
  loop->items = LoopItems(statement, value);
  if (run_.failed()) return Flow::kBreak;
  const Value items = loop->items;
  bool completed = false;  // one body to its end, which is what keeps jinja2 from the else
  for (size_t i = 0; i < items.AsList().size() && !run_.failed(); ++i) {
    loop->index = i;
    scope_->variables.clear();
    Set("loop", Value::Of(loop));
    Assign(statement.target, items.AsList()[i]);
    const Flow flow = Execute(statement.body);
    if (flow == Flow::kBreak) break;
    completed |= flow == Flow::kNext;
  }
  loop->End();
  if (completed) return Flow::kNext;
  scope_->variables.clear();
  return Execute(statement.otherwise);
}

Flow Rendering::Capture(const Body& body, std::string* text) {
  std::string outer = std::move(output_);
  output_.clear();
  const Flow flow = Execute(body);
  *text = std::exchange(output_, std::move(outer));
  return flow;
}

Value Rendering::Filtered(const ExpressionPtr& filters, std::string text) {
  Value value = run_.NewString(std::move(text));
  if (filters == nullptr) return value;
  const Within within(this, scope_);
  Set(kBodyName, std::move(value));
  return Evaluate(*filters);
}

Flow Rendering::ExecuteSet(const Statement& statement) {
  if (statement.kind == Statement::Kind::kSet) {
    Assign(statement.target, Evaluate(*statement.value));
    return Flow::kNext;
  }
  std::string text;
  Flow flow = Flow::kNext;
  {
    const Within within(this, scope_);
    flow = Capture(statement.body, &text);
  }
  if (flow == Flow::kNext) Assign(statement.target, Filtered(statement.value, std::move(text)));
  return flow;
}

Flow Rendering::ExecuteFilter(const Statement& statement) {
  const Within within(this, scope_);
  std::string text;
  const Flow flow = Capture(statement.body, &text);
  if (flow == Flow::kNext) Emit(ToText(Filtered(statement.value, std::move(text)), &run_));
  return flow;
}

// with, and generation, which binds nothing.
Flow Rendering::ExecuteWith(const Statement& statement) {
  std::vector<Value> values;
  for (const auto& [target, value] : statement.bindings) values.push_back(Evaluate(*value));
  const Within within(this, scope_);
  for (size_t i = 0; i < values.size(); ++i) Assign(statement.bindings[i].first, values[i]);
  return Execute(statement.body);
}

// {% call(parameters) f(...) %}body{% endcall %}: f with the body as its `caller`.
void Rendering::ExecuteCall(const Statement& statement) {
  const Within within(this, scope_);
  Set(kCallerName, MakeMacro(statement, "caller"));
  const Value value = Evaluate(*statement.value);
  value.Is(Kind::kString) ? Emit(value.AsString()) : Emit(ToText(value, &run_));
}

void Rendering::SetAttribute(const Target& target, const Value& value) {
  const Value held = Lookup(target.name);
  if (!held.Is(Kind::kNamespace) || held.AsNamespace().form != Namespace::Form::kNamespace) {
    run_.Fail("only a namespace's attributes can be set; \"" + target.name + "\" is " +
              std::string(held.KindName()));
    return;
  }
  auto& attributes = held.AsNamespace().attributes;
  if (!run_.Spend(static_cast<int64_t>(attributes.size()) / 8)) return;
  const auto known = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& a) { return a.first == target.attribute; });
  if (known == attributes.end()) {
    attributes.emplace_back(target.attribute, value);
  } else {
    known->second = value;
  }
}

void Rendering::Assign(const Target& target, const Value& value) {
  if (run_.failed()) return;
  if (!target.attribute.empty()) return SetAttribute(target, value);
  if (target.parts.empty()) return Set(target.name, value);
  const Value parts = ListOf(value, &run_);
  if (run_.failed()) return;
  if (parts.AsList().size() != target.parts.size()) {
    run_.Fail(std::to_string(target.parts.size()) + " names for " +
              std::to_string(parts.AsList().size()) + " values");
    return;
  }
  for (size_t i = 0; i < target.parts.size(); ++i) Assign(target.parts[i], parts.AsList()[i]);
}

void Rendering::Set(std::string_view name, Value value) {
  auto& variables = scope_->variables;
  if (!run_.Spend(static_cast<int64_t>(variables.size()) / 8)) return;
  for (auto& [known, held] : variables) {
    if (known == name) {
      held = std::move(value);
      return;
    }
  }
  variables.emplace_back(name, std::move(value));
}

Result<std::string> Render(const Body& body, const Variables& variables, const Limits& limits,
                           const LocalTime& now, int64_t* operations_used) {
  for (const auto& [name, value] : variables) {
    if (value.depth() > kMaxDepth) {
      return Error{Status::kInvalid,
                   "chat template: \"" + name + "\" is nested more than " +
                       std::to_string(kMaxDepth) + " deep",
                   {}};
    }
  }
  return Rendering(variables, limits, now).Finish(body, operations_used);
}

}  // namespace tenon::text::jinja
