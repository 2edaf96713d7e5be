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
#include "text/jinja/scope.h"
#include "text/jinja/value.h"

namespace tenon::text::jinja {

// Nested evaluations; together with the frames' sizes it bounds the stack.
inline constexpr int kMaxFrames = 300;

enum class Flow { kNext, kBreak, kContinue };

// One rendering: scopes, budget and output. What fails is kept in the run (see run.h) and ends it
// quickly. Expressions are in evaluate.cc, calls in calls.cc, statements in interpreter.cc.
class Rendering {
 public:
  Rendering(const Variables& variables, const Limits& limits, const LocalTime& now);
  ~Rendering();
  Rendering(const Rendering&) = delete;
  Rendering& operator=(const Rendering&) = delete;

  Result<std::string> Finish(const Body& body, int64_t* operations_used);

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

  // Makes a scope below `parent` the one in use, until its end.
  class Within {
   public:
    Within(Rendering* rendering, std::shared_ptr<Scope> parent);
    ~Within() { rendering_.scope_ = std::move(before_); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Rendering& rendering_;
    std::shared_ptr<Scope> before_;
  };

  // Expressions.
  Value Evaluate(const Expression& expression);
  Value EvaluateItems(const Expression& expression);
  Value EvaluateDict(const Expression& expression);
  Value EvaluateChain(const Expression& expression);
  Value EvaluateComparisons(const Expression& expression);
  Value EvaluateConditional(const Expression& expression);
  Value EvaluateSteps(const Expression& expression);
  Value TakeStep(Value value, const Expression& expression, size_t* step);
  Arguments EvaluateArguments(const CallArguments& arguments);
  Value EvaluatePart(const ExpressionPtr& part) {
    return part == nullptr ? Value() : Evaluate(*part);
  }
  Value Lookup(std::string_view name);

  // Calls.
  Value CallAttribute(const Value& self, std::string_view name, const Arguments& arguments);
  Value CallLoop(const Value& self, std::string_view name, const Arguments& arguments);
  Value Call(const Value& callee, const Arguments& arguments);
  Value CallMacro(const Callable& macro, const Arguments& arguments);
  bool BindParameters(const Statement& macro, const Arguments& arguments);
  bool BindMore(const Statement& macro, const Arguments& arguments);
  Value CallGlobal(std::string_view name, const Arguments& arguments);
  Value MakeNamespace(const Arguments& arguments);
  Value Keep(std::shared_ptr<Namespace> made);
  Value MakeMacro(const Statement& statement, std::string name);

  // Statements.
  Flow Execute(const Body& body);
  Flow Execute(const Statement& statement);
  Flow ExecuteIf(const Statement& statement);
  Flow ExecuteFor(const Statement& statement, const Value& value, int depth);
  Value LoopItems(const Statement& statement, const Value& value);
  Flow ExecuteSet(const Statement& statement);
  Flow ExecuteFilter(const Statement& statement);
  Flow ExecuteWith(const Statement& statement);
  void ExecuteCall(const Statement& statement);
  Flow Capture(const Body& body, std::string* text);
  Value Filtered(const ExpressionPtr& filters, std::string text);
  void Assign(const Target& target, const Value& value);
  void SetAttribute(const Target& target, const Value& value);
  void Set(std::string_view name, Value value);
  void Emit(std::string_view text);

  Run run_;
  LocalTime now_;
  std::shared_ptr<Scope> scope_;
  std::vector<std::shared_ptr<Scope>> captured_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::string output_;
  int depth_ = 0;
};

}  // namespace tenon::text::jinja
