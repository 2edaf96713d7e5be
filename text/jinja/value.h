// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// The values of a template: Python's, as far as chat templates use them.
namespace tenon::text::jinja {

inline constexpr int kMaxDepth =
    100;  // of nested lists and dicts, of nested source, of macro calls

class Value;
using Entry = std::pair<Value, Value>;  // of a dict; the order of insertion is kept

struct Statement;

// A function that a template can call: a macro, a method of a value, or a global.
struct Callable;

// namespace(...), cycler(...) and joiner(...): the only values that can change.
struct Namespace;

// Names and their values; defined by the interpreter.
struct Scope;

// `loop` inside a for; defined by the interpreter.
struct Loop;

// Cheap to copy: lists, dicts and strings are shared and never change. A list or dict may be at
// most kMaxDepth deep, which keeps destruction, comparison and printing off the stack's end;
// whoever builds one checks depth() first.
class Value {
 public:
  // The order is that of the variant below.
  enum class Kind {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kDict,
    kNamespace,
    kCallable,
    kLoop
  };

  // Undefined: what a missing variable is. `name` is for messages.
  Value() = default;
  static Value Undefined(std::string_view name);
  static Value None() { return Value(NoneTag{}); }
  static Value Bool(bool value) { return Value(value); }
  static Value Int(int64_t value) { return Value(value); }
  static Value Float(double value) { return Value(value); }
  static Value String(std::string value);
  static Value List(std::vector<Value> items);
  static Value Tuple(std::vector<Value> items);   // a list that prints with ()
  static Value Group(Value grouper, Value list);  // a tuple whose two items have these names
  // Of equal keys the first's place and the last's value are kept, as in Python. Quadratic.
  static Value Dict(std::vector<Entry> entries);
  static Value Of(std::shared_ptr<Namespace> value) { return Value(std::move(value)); }
  static Value Of(std::shared_ptr<const Callable> value) { return Value(std::move(value)); }
  static Value Of(std::shared_ptr<Loop> value) { return Value(std::move(value)); }

  Kind kind() const { return static_cast<Kind>(state_.index()); }
  bool Is(Kind kind) const { return this->kind() == kind; }
  bool IsNumber() const { return Is(Kind::kBool) || Is(Kind::kInt) || Is(Kind::kFloat); }
  bool IsInteger() const { return Is(Kind::kBool) || Is(Kind::kInt); }

  // REQUIRES: the kind named. AsInt takes bools too, AsDouble any number.
  bool AsBool() const { return std::get<bool>(state_); }
  int64_t AsInt() const { return Is(Kind::kBool) ? AsBool() : std::get<int64_t>(state_); }
  double AsDouble() const {
    return Is(Kind::kFloat) ? std::get<double>(state_) : static_cast<double>(AsInt());
  }
  const std::string& AsString() const;
  const std::vector<Value>& AsList() const;
  const std::vector<Entry>& AsDict() const;
  Namespace& AsNamespace() const { return *std::get<std::shared_ptr<Namespace>>(state_); }
  const Callable& AsCallable() const { return *std::get<std::shared_ptr<const Callable>>(state_); }
  Loop& AsLoop() const { return *std::get<std::shared_ptr<Loop>>(state_); }
  std::string_view undefined_name() const;
  bool IsTuple() const;
  bool IsGroup() const;

  // 0 for scalars; one more than the deepest item for lists and dicts.
  int depth() const;

  // What `if` makes of it.
  bool Truthy() const;

  // The value of a dict's or namespace's key; null where it has none.
  const Value* Find(std::string_view key) const;

  // What a message calls this kind of value: "a string", "a list".
  std::string_view KindName() const;

  // Characters, items or entries; -1 where the value has no length.
  int64_t Length() const;

 private:
  struct NoneTag {};
  struct Sequence;
  struct Mapping;
  using State = std::variant<std::shared_ptr<const std::string>, NoneTag, bool, int64_t, double,
                             std::shared_ptr<const std::string>, std::shared_ptr<const Sequence>,
                             std::shared_ptr<const Mapping>, std::shared_ptr<Namespace>,
                             std::shared_ptr<const Callable>, std::shared_ptr<Loop>>;

  template <typename T>
  explicit Value(T value) : state_(std::move(value)) {}
  template <size_t I, typename T>
  Value(std::in_place_index_t<I> place, T value) : state_(place, std::move(value)) {}

  State state_;  // of an undefined one: its name, or null
};

struct Namespace {
  enum class Form { kNamespace, kCycler, kJoiner };
  Form form = Form::kNamespace;
  size_t position = 0;       // of a cycler: the item at hand; of a joiner: how often it was called
  std::vector<Value> items;  // of a cycler: what it goes through; of a joiner: its separator
  std::vector<std::pair<std::string, Value>> attributes;
};

struct Callable {
  const Statement* macro = nullptr;  // null: the method or global called `name`
  std::shared_ptr<Scope> scope;      // of a macro: the names around its definition
  std::string name;
  Value self;  // of a method; undefined for globals
  bool has_self = false;
};

}  // namespace tenon::text::jinja
