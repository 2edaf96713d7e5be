// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/parser.h"
#include "text/jinja/rendering.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

constexpr int64_t kMaxRange = 100'000;  // as jinja2's sandbox has it

Value MakeRange(const Arguments& arguments, Run* run) {
  const Parameters given("range", arguments, {"start", "stop", "step"}, run);
  if (!given.Has(0) || !arguments.named.empty()) return run->Fail("range takes 1 to 3 integers");
  for (size_t i = 0; i < 3; ++i) {
    if (given.Has(i) && !given[i].IsInteger()) return run->Fail("range takes integers only");
  }
  const int64_t first = given.Has(1) ? given.Int(0, 0) : 0;
  const int64_t last = given.Has(1) ? given.Int(1, 0) : given.Int(0, 0), stride = given.Int(2, 1);
  if (stride == 0) return run->Fail("range: the step is 0");
  std::vector<Value> items;
  for (int64_t i = first; (stride > 0 ? i < last : i > last) && run->Spend(1);) {
    items.push_back(Value::Int(i));
    if (items.size() > kMaxRange) {
      return run->Fail("range: more than " + std::to_string(kMaxRange) + " items");
    }
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  return run->NewList(std::move(items));
}

// A pair of a list of two, or of a text of two characters.
bool AppendPair(const Value& pair, std::vector<Entry>* entries, Run* run) {
  const Value parts = ListOf(pair, run);
  if (!run->failed() && parts.AsList().size() != 2) run->Fail("dict() takes pairs");
  if (run->failed()) return false;
  entries->emplace_back(parts.AsList()[0], parts.AsList()[1]);
  return true;
}

bool AppendEntries(const Value& source, std::vector<Entry>* entries, Run* run) {
  if (source.Is(Kind::kDict)) {
    if (!run->Spend(source.Length())) return false;
    entries->insert(entries->end(), source.AsDict().begin(), source.AsDict().end());
    return true;
  }
  const Value pairs = ListOf(source, run);
  for (const Value& pair : pairs.AsList()) {
    if (!AppendPair(pair, entries, run)) return false;
  }
  return !run->failed();
}

Value MakeDict(const Arguments& arguments, Run* run) {
  std::vector<Entry> entries;
  if (arguments.positional.size() > 1) return run->Fail("dict() takes one dict, or names");
  for (const Value& source : arguments.positional) {
    if (!AppendEntries(source, &entries, run)) return {};
  }
  for (const auto& [name, value] : arguments.named) {
    entries.emplace_back(Value::String(std::string(name)), value);
  }
  return run->NewDict(std::move(entries));
}

Value CallCycler(Namespace& cycler, std::string_view name, Run* run) {
  if (name == "reset") {
    cycler.position = 0;
    return Value::None();
  }
  if (name != "next") return run->Fail("a cycler has no method \"" + std::string(name) + "\"");
  const Value current = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return current;
}

}  // namespace

Value Rendering::CallLoop(const Value& self, std::string_view name, const Arguments& arguments) {
  Loop& loop = self.AsLoop();
  if (loop.ended) return run_.Fail("this loop has ended");
  if (name == "cycle") {
    if (arguments.positional.empty()) return run_.Fail("loop.cycle needs items");
    return arguments.positional[loop.index % arguments.positional.size()];
  }
  if (name != "changed") {
    return run_.Fail("a loop has no method \"" + std::string(name) + "\"");
  }
  Value seen = run_.NewList(arguments.positional, true);
  const bool changed = loop.last_seen.Is(Kind::kUndefined) || !Equal(loop.last_seen, seen, &run_);
  if (changed) loop.last_seen = std::move(seen);
  return Value::Bool(changed);
}

Value Rendering::CallAttribute(const Value& self, std::string_view name,
                               const Arguments& arguments) {
  if (self.Is(Kind::kLoop)) return CallLoop(self, name, arguments);
  if (self.Is(Kind::kNamespace) && self.AsNamespace().form == Namespace::Form::kCycler) {
    return CallCycler(self.AsNamespace(), name, &run_);
  }
  if (!HasMethod(self, name)) {
    if (const Value* found = self.Find(name)) {
      const Value callee = *found;  // the call may change a namespace
      return Call(callee, arguments);
    }
  }
  return CallMethod(self, name, arguments, &run_);
}

Value Rendering::Call(const Value& callee, const Arguments& arguments) {
  if (callee.Is(Kind::kUndefined)) {
    return run_.Fail("the function \"" + std::string(callee.undefined_name()) + "\" is undefined");
  }
  if (callee.Is(Kind::kLoop)) {
    const Loop& loop = callee.AsLoop();
    if (loop.recursive == nullptr || loop.ended) {
      return run_.Fail("loop(...) needs {% for ... recursive %} around it");
    }
    const Parameters given("loop", arguments, {"iterable"}, &run_);
    if (!given.Has(0)) return run_.Fail("loop(...) needs something to walk over");
    const Frame frame(this);
    const std::shared_ptr<Scope> before = std::exchange(scope_, loop.around);
    std::string outer = std::exchange(output_, {});
    ExecuteFor(*loop.recursive, given[0], loop.depth + 1);
    std::string text = std::exchange(output_, std::move(outer));
    scope_ = before;
    return run_.NewString(std::move(text));
  }
  if (callee.Is(Kind::kNamespace) && callee.AsNamespace().form == Namespace::Form::kJoiner) {
    Namespace& joiner = callee.AsNamespace();
    return joiner.position++ == 0 ? Value::String({}) : joiner.items[0];
  }
  if (!callee.Is(Kind::kCallable))
    return run_.Fail(std::string(callee.KindName()) + " is not a function");
  const Callable& callable = callee.AsCallable();
  if (callable.macro != nullptr) return CallMacro(callable, arguments);
  if (callable.has_self) return CallMethod(callable.self, callable.name, arguments, &run_);
  return CallGlobal(callable.name, arguments);
}

Value Rendering::MakeMacro(const Statement& statement, std::string name) {
  auto macro = std::make_shared<Callable>();
  macro->name = std::move(name);
  macro->macro = &statement;
  macro->scope = scope_;
  if (!run_.Reserve(sizeof(Callable) + sizeof(Scope))) return {};
  for (std::shared_ptr<Scope> scope = scope_; scope != nullptr && !scope->captured;
       scope = scope->parent) {
    scope->captured = true;
    captured_.push_back(scope);
  }
  return Value::Of(std::shared_ptr<const Callable>(std::move(macro)));
}

// What a macro gets beyond its parameters, under the names that its body asks for.
bool Rendering::BindMore(const Statement& macro, const Arguments& arguments) {
  const std::string called = macro.name.empty() ? "caller" : macro.name;
  const size_t known = macro.parameters.size();
  std::vector<Value> positional;
  if (arguments.positional.size() > known) {
    if (!macro.takes_varargs) {
      run_.Fail("macro " + called + " takes at most " + std::to_string(known) + " arguments");
      return false;
    }
    positional.assign(arguments.positional.begin() + static_cast<int64_t>(known),
                      arguments.positional.end());
  }
  std::vector<Entry> named;
  for (const auto& [name, value] : arguments.named) {
    const auto same = [name = name](const Parameter& parameter) { return parameter.name == name; };
    const auto at = std::find_if(macro.parameters.begin(), macro.parameters.end(), same);
    const auto place = static_cast<size_t>(at - macro.parameters.begin());
    if (at != macro.parameters.end() && place >= arguments.positional.size()) continue;
    if (name == "caller" && macro.takes_caller) {
      Set("caller", value);
    } else if (macro.takes_kwargs && at == macro.parameters.end()) {
      named.emplace_back(Value::String(std::string(name)), value);
    } else {
      run_.Fail("macro " + called + (at == macro.parameters.end() ? " has no" : " got twice the") +
                " argument \"" + std::string(name) + "\"");
      return false;
    }
  }
  if (macro.takes_varargs) Set("varargs", run_.NewList(std::move(positional), true));
  if (macro.takes_kwargs) Set("kwargs", run_.NewDict(std::move(named)));
  return !run_.failed();
}

bool Rendering::BindParameters(const Statement& macro, const Arguments& arguments) {
  if (macro.takes_caller) Set("caller", Value::Undefined("caller"));
  if (!BindMore(macro, arguments)) return false;
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const auto given = std::find_if(arguments.named.begin(), arguments.named.end(),
                                    [&](const auto& a) { return a.first == parameter.name; });
    if (!run_.Spend(1)) return false;
    if (i < arguments.positional.size()) {
      Set(parameter.name, arguments.positional[i]);
    } else if (given != arguments.named.end()) {
      Set(parameter.name, given->second);
    } else {
      Set(parameter.name, parameter.fallback != nullptr ? Evaluate(*parameter.fallback)
                                                        : Value::Undefined(parameter.name));
    }
  }
  return !run_.failed();
}

Value Rendering::CallMacro(const Callable& callable, const Arguments& arguments) {
  const Frame frame(this);
  if (run_.failed()) return {};
  const Within within(this, callable.scope);
  if (!BindParameters(*callable.macro, arguments)) return {};
  std::string text;
  Capture(callable.macro->body, &text);
  return run_.NewString(std::move(text));
}

Value Rendering::CallGlobal(std::string_view name, const Arguments& arguments) {
  if (name == "range") return MakeRange(arguments, &run_);
  if (name == "dict") return MakeDict(arguments, &run_);
  if (name == "namespace") return MakeNamespace(arguments);
  if (name == "cycler" || name == "joiner") {
    auto made = std::make_shared<Namespace>();
    const bool joins = name == "joiner";
    made->form = joins ? Namespace::Form::kJoiner : Namespace::Form::kCycler;
    made->items = arguments.positional;
    if (joins && !arguments.named.empty()) made->items.push_back(arguments.named[0].second);
    if (joins && made->items.empty()) made->items.push_back(Value::String(", "));
    if (made->items.empty()) return run_.Fail("cycler() needs items");
    return Keep(std::move(made));
  }
  if (name == "strftime_now") {
    const Parameters given(name, arguments, {"format"}, &run_);
    if (!given[0].Is(Kind::kString)) return run_.Fail("strftime_now needs a format");
    if (!run_.SpendBytes(given[0].AsString().size() * 32)) return {};
    return run_.NewString(FormatTime(now_, given[0].AsString()));
  }
  const Parameters given(name, arguments, {"message"}, &run_);
  return run_.Fail(ToText(given[0], &run_));
}

Value Rendering::MakeNamespace(const Arguments& arguments) {
  const Value entries = MakeDict(arguments, &run_);
  if (run_.failed()) return {};
  auto made = std::make_shared<Namespace>();
  for (const auto& [key, entry] : entries.AsDict()) {
    if (key.Is(Kind::kString)) made->attributes.emplace_back(key.AsString(), entry);
  }
  return Keep(std::move(made));
}

Value Rendering::Keep(std::shared_ptr<Namespace> made) {
  if (!run_.Reserve(sizeof(Namespace))) return {};
  namespaces_.push_back(made);
  return Value::Of(std::move(made));
}

}  // namespace tenon::text::jinja
