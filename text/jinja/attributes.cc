// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/loop.h"
#include "text/jinja/operators.h"

namespace tenon::text::jinja {

Value Loop::Attribute(std::string_view name) const {
  if (ended) return Value::Undefined(name);
  const auto& list = items.AsList();
  const auto at = static_cast<int64_t>(index), size = static_cast<int64_t>(list.size());
  if (name == "index") return Value::Int(at + 1);
  if (name == "index0") return Value::Int(at);
  if (name == "revindex") return Value::Int(size - at);
  if (name == "revindex0") return Value::Int(size - at - 1);
  if (name == "first") return Value::Bool(at == 0);
  if (name == "last") return Value::Bool(at + 1 == size);
  if (name == "length") return Value::Int(size);
  if (name == "depth") return Value::Int(depth);
  if (name == "depth0") return Value::Int(depth - 1);
  if (name == "previtem" && at > 0) return list[index - 1];
  if (name == "nextitem" && at + 1 < size) return list[index + 1];
  return Value::Undefined(name);
}

Value AttributeOf(const Value& value, std::string_view name, Run* run) {
  if (value.Is(Value::Kind::kLoop)) return value.AsLoop().Attribute(name);
  if (HasMethod(value, name)) {
    auto method = std::make_shared<Callable>();
    method->name = name;
    method->self = value;
    method->has_self = true;
    return Value::Of(std::shared_ptr<const Callable>(std::move(method)));
  }
  if (value.IsGroup() && (name == "grouper" || name == "list")) {
    return value.AsList()[name == "list"];
  }
  if (value.Is(Value::Kind::kNamespace) && name == "current" &&
      value.AsNamespace().form == Namespace::Form::kCycler) {
    return value.AsNamespace().items[value.AsNamespace().position];
  }
  if (value.Is(Value::Kind::kUndefined)) {
    return run->FailUndefined(value.undefined_name(), name);
  }
  if (value.Is(Value::Kind::kDict) &&
      !run->Spend(static_cast<int64_t>(value.AsDict().size()) / 8 + 1)) {
    return {};
  }
  const Value* found = value.Find(name);
  return found != nullptr ? *found : Value::Undefined(name);
}

Value PathOf(const Value& value, const Value& path, Run* run) {
  if (!path.Is(Value::Kind::kString)) return ItemOf(value, path, run);
  Value at = value;
  std::string_view rest = path.AsString();
  while (!run->failed() && run->SpendBytes(rest.size())) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number =
        !part.empty() && read.ec == std::errc() && read.ptr == part.data() + part.size();
    at = number ? ItemOf(at, Value::Int(index), run)
                : ItemOf(at, Value::String(std::string(part)), run);
    if (part.size() == rest.size()) return at;
    rest.remove_prefix(part.size() + 1);
  }
  return {};
}

}  // namespace tenon::text::jinja
