// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/result.h"
#include "text/jinja/arguments.h"
#include "text/jinja/ast.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// Nested evaluations; together with the frames' sizes it bounds the stack.
inline constexpr int kMaxFrames = 300;

enum class Flow { kNext, kBreak, kContinue };

// One scope of names. Names are views of the template's source or of the caller's variables.
struct Scope {
  std::vector<std::pair<std::string_view, Value>> variables;
  bool macro = false;  // scopes below, but for the outermost two, are not seen
};

// One rendering: scopes, budget and output. What fails is kept in the run (see run.h) and ends it
// quickly.
class Rendering {
 public:
  Rendering(const Variables& variables, const Limits& limits) : run_(limits) {
    scopes_.resize(2);  // the caller's variables; the template's own
    for (const auto& [name, value] : variables) scopes_[0].variables.emplace_back(name, value);
  }
  ~Rendering() {
    // Namespaces may hold one another in rings.
    for (const auto& made : namespaces_) made->attributes.clear();
  }
  Rendering(const Rendering&) = delete;
  Rendering& operator=(const Rendering&) = delete;

  Result<std::string> Finish(const Body& body) {
    Execute(body);
    if (run_.failed()) return run_.error();
    return std::move(output_);
  }

 private:
  class Frame {
   public:
    explicit Frame(Rendering* rendering) : depth_(rendering->depth_) {
      if (++depth_ > kMaxFrames) {
        rendering->run_.Fail("evaluation nests more than " + std::to_string(kMaxFrames) + " deep");
      }
    }
    ~Frame() { --depth_; }

   private:
    int& depth_;
  };

  // Expressions.
  Value Evaluate(const Expression& expression);
  Value EvaluateItems(const Expression& expression);
  Value EvaluateDict(const Expression& expression);
  Value EvaluateChain(const Expression& expression);
  Value EvaluateComparisons(const Expression& expression);
  Value EvaluateSteps(const Expression& expression);
  Value TakeStep(Value value, const Expression& expression, size_t* step);
  Arguments EvaluateArguments(const CallArguments& arguments);
  Value EvaluatePart(const ExpressionPtr& part) {
    return part == nullptr ? Value() : Evaluate(*part);
  }
  Value Lookup(std::string_view name);

  // Calls.
  Value CallAttribute(const Value& self, std::string_view name, const Arguments& arguments);
  Value Call(const Value& callee, const Arguments& arguments);
  Value CallMacro(const Statement& macro, const Arguments& arguments);
  Value CallGlobal(std::string_view name, const Arguments& arguments);
  Value MakeRange(const Arguments& arguments);
  Value MakeDict(const Arguments& arguments);
  Value MakeNamespace(const Arguments& arguments);

  // Statements.
  Flow Execute(const Body& body);
  Flow Execute(const Statement& statement);
  Flow ExecuteIf(const Statement& statement);
  Flow ExecuteFor(const Statement& statement);
  std::vector<Value> LoopItems(const Statement& statement);
  void ExecuteSet(const Statement& statement);
  void ExecuteMacro(const Statement& statement);
  std::string Capture(const Body& body);
  Value Filtered(const ExpressionPtr& filters, std::string text);
  void Assign(const std::vector<std::string>& targets, const Value& value);
  void Set(std::string_view name, Value value);
  void Emit(std::string_view text);

  Run run_;
  std::vector<Scope> scopes_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::string output_;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace tenon::text::jinja
