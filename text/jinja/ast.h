// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

// A template as the parser understands it. Chains of operators, of steps (.a[b]|c) and of elif are
// lists, so that depth, and with it the stack, grows only with real nesting, which the parser
// bounds.
namespace tenon::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_positional;  // *list; null where there is none
  ExpressionPtr more_named;       // **dict
};

// What follows a value: .name, [item], [a:b:c], (...), |name(...), is name(...).
struct Step {
  enum class Kind { kAttribute, kItem, kSlice, kCall, kFilter, kTest };
  Kind kind;
  int line;
  std::string name;
  bool negated = false;    // is not
  ExpressionPtr parts[3];  // kItem: [0]; kSlice: first, last, stride, each possibly null
  CallArguments arguments;
};

enum class Operation {
  kOr,
  kAnd,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
  kAdd,
  kSubtract,
  kConcatenate,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
};

struct Expression {
  enum class Kind {
    kLiteral,      // literal
    kName,         // name
    kList,         // items
    kTuple,        // items
    kDict,         // items: key, value, key, value...
    kNot,          // items[0]
    kNegate,       // items[0]
    kPlus,         // items[0]
    kChain,        // items joined by operations, all of one precedence, left to right
    kConditional,  // items: value, condition, otherwise (may be absent)
    kSteps,        // items[0], then steps
  };
  Kind kind;
  int line;
  Value literal;
  std::string name;
  std::vector<ExpressionPtr> items;
  std::vector<Operation> operations;  // one fewer than items
  std::vector<Step> steps;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  // null: undefined where not given
};

// What is assigned to: a name, a namespace's attribute, or a tuple of such.
struct Target {
  std::string name;
  std::string attribute;
  std::vector<Target> parts;  // of a tuple; then the name is empty
};

struct Statement {
  enum class Kind {
    kText,      // name
    kOutput,    // value
    kIf,        // branches
    kFor,       // target, value, condition, body, otherwise
    kSet,       // target = value
    kSetBlock,  // target = body, through value's filters
    kFilter,    // body, through value's filters
    kMacro,     // name, parameters, body
    kCall,      // value, a call whose `caller` is parameters and body
    kDo,        // value, for what it does
    kWith,      // bindings, body
    kSection,   // body with names of its own: {% generation %}
    kBreak,
    kContinue,
  };
  struct Branch {
    ExpressionPtr condition;  // null: else
    Body body;
  };
  Kind kind;
  int line;
  std::string name;
  Target target;
  ExpressionPtr value;
  ExpressionPtr condition;
  bool recursive = false;
  bool takes_varargs = false, takes_kwargs = false, takes_caller = false;  // of a macro's body
  std::vector<Parameter> parameters;
  std::vector<std::pair<Target, ExpressionPtr>> bindings;
  std::vector<Branch> branches;
  Body body;
  Body otherwise;
};

}  // namespace tenon::text::jinja
