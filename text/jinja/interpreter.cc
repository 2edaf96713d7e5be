// SPDX-License-Identifier: Apache-2.0
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
      return ExecuteFor(statement);
    case Statement::Kind::kSet:
    case Statement::Kind::kSetBlock:
      ExecuteSet(statement);
      break;
    case Statement::Kind::kFilter:
      Emit(ToText(Filtered(statement.value, Capture(statement.body)), &run_));
      break;
    case Statement::Kind::kMacro:
      ExecuteMacro(statement);
      break;
    case Statement::Kind::kSection:
      return Execute(statement.body);
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

// The items to walk over, those that the loop's own `if` drops left out.
std::vector<Value> Rendering::LoopItems(const Statement& statement) {
  std::vector<Value> items = ItemsOf(Evaluate(*statement.value), &run_);
  if (statement.condition == nullptr) return items;
  std::vector<Value> kept;
  scopes_.emplace_back();
  for (Value& item : items) {
    scopes_.back().variables.clear();
    Assign(statement.targets, item);
    if (Evaluate(*statement.condition).Truthy()) kept.push_back(std::move(item));
    if (run_.failed()) break;
  }
  scopes_.pop_back();
  return kept;
}

Flow Rendering::ExecuteFor(const Statement& statement) {
  const std::vector<Value> items = LoopItems(statement);
  if (run_.failed()) return Flow::kBreak;
  if (items.empty()) return Execute(statement.otherwise);
  auto loop = std::make_shared<Loop>();
  loop->items = &items;
  loop->depth = ++loops_;
  scopes_.emplace_back();
  for (size_t i = 0; i < items.size() && !run_.failed(); ++i) {
    loop->index = i;
    scopes_.back().variables.clear();
    Set("loop", Value::Of(loop));
    Assign(statement.targets, items[i]);
    if (Execute(statement.body) == Flow::kBreak) break;
  }
  scopes_.pop_back();
  --loops_;
  loop->items = nullptr;
  return Flow::kNext;
}

std::string Rendering::Capture(const Body& body) {
  std::string outer = std::move(output_);
  output_.clear();
  Execute(body);
  return std::exchange(output_, std::move(outer));
}

Value Rendering::Filtered(const ExpressionPtr& filters, std::string text) {
  Value value = run_.NewString(std::move(text));
  if (filters == nullptr) return value;
  scopes_.emplace_back();
  Set(kBodyName, std::move(value));
  value = Evaluate(*filters);
  scopes_.pop_back();
  return value;
}

void Rendering::ExecuteSet(const Statement& statement) {
  const Value value = statement.kind == Statement::Kind::kSet
                          ? Evaluate(*statement.value)
                          : Filtered(statement.value, Capture(statement.body));
  if (run_.failed()) return;
  if (statement.attribute.empty()) return Assign(statement.targets, value);
  const Value target = Lookup(statement.name);
  if (!target.Is(Kind::kNamespace)) {
    run_.Fail("only a namespace's attributes can be set; \"" + statement.name + "\" is " +
              std::string(target.KindName()));
    return;
  }
  auto& attributes = target.AsNamespace().attributes;
  const auto known = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& a) { return a.first == statement.attribute; });
  if (known == attributes.end()) {
    attributes.emplace_back(statement.attribute, value);
  } else {
    known->second = value;
  }
}

void Rendering::ExecuteMacro(const Statement& statement) {
  auto macro = std::make_shared<Callable>();
  macro->name = statement.name;
  macro->macro = &statement;
  Set(statement.name, Value::Of(std::shared_ptr<const Callable>(std::move(macro))));
}

void Rendering::Assign(const std::vector<std::string>& targets, const Value& value) {
  if (targets.size() == 1) return Set(targets[0], value);
  const std::vector<Value> parts = ItemsOf(value, &run_);
  if (parts.size() != targets.size()) {
    run_.Fail(std::to_string(targets.size()) + " names for " + std::to_string(parts.size()) +
              " values");
    return;
  }
  for (size_t i = 0; i < parts.size(); ++i) Set(targets[i], parts[i]);
}

void Rendering::Set(std::string_view name, Value value) {
  auto& variables = scopes_.back().variables;
  if (!run_.Spend(static_cast<int64_t>(variables.size()) / 8)) return;
  for (auto& [known, held] : variables) {
    if (known == name) {
      held = std::move(value);
      return;
    }
  }
  variables.emplace_back(name, std::move(value));
}

Result<std::string> Render(const Body& body, const Variables& variables, const Limits& limits) {
  for (const auto& [name, value] : variables) {
    if (value.depth() > kMaxDepth) {
      return Error{Status::kInvalid,
                   "chat template: \"" + name + "\" is nested more than " +
                       std::to_string(kMaxDepth) + " deep",
                   {}};
    }
  }
  return Rendering(variables, limits).Finish(body);
}

}  // namespace tenon::text::jinja
