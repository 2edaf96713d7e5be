// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "text/jinja/builtins.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

// Python's str.format.
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

constexpr int kMaxSpecNesting = 2;  // a spec may hold fields, whose specs may not

class BraceFormatter {
 public:
  BraceFormatter(const Arguments& arguments, Run* run) : arguments_(arguments), run_(run) {}

  std::string Format(std::string_view format, int nesting);

 private:
  std::string Field(std::string_view field, int nesting);
  Value Named(std::string_view name);
  Value Find(std::string_view path);
  Value Numbered(std::string_view digits);
  std::string Write(const Value& value, std::string_view spec);
  std::string Fail(const std::string& what) {
    run_->Fail("format: " + what);
    return {};
  }

  const Arguments& arguments_;
  Run* run_;
  size_t next_ = 0;
  bool counts_ = false, numbers_ = false;  // {} and {0} cannot be mixed
};

std::string BraceFormatter::Format(std::string_view format, int nesting) {
  std::string out;
  if (nesting > kMaxSpecNesting) return Fail("a spec nests too deep");
  for (size_t at = 0; at < format.size() && !run_->failed();) {
    const size_t mark = std::min(format.find_first_of("{}", at), format.size());
    out += format.substr(at, mark - at);
    if (mark == format.size()) break;
    const bool doubled = mark + 1 < format.size() && format[mark + 1] == format[mark];
    if (doubled || format[mark] == '}') {
      if (!doubled) return Fail("a single }");
      out.push_back(format[mark]);
      at = mark + 2;
      continue;
    }
    int open = 1;
    size_t end = mark + 1;
    for (; end < format.size() && open > 0; ++end) {
      open += format[end] == '{' ? 1 : format[end] == '}' ? -1 : 0;
    }
    if (open > 0) return Fail("a { has no }");
    if (!run_->SpendBytes(end - mark)) return {};
    out += Field(format.substr(mark + 1, end - mark - 2), nesting);
    at = end;
    if (out.size() > run_->limits().output_bytes) return Fail("the text is too long");
  }
  return out;
}

std::string BraceFormatter::Field(std::string_view field, int nesting) {
  size_t bracket = field.find('['), end = std::min(field.find_first_of("!:"), field.size());
  while (bracket < end) {  // what stands in [] may hold ! and :
    const size_t close = std::min(field.find(']', bracket), field.size());
    end = std::min(field.find_first_of("!:", close), field.size());
    bracket = field.find('[', close);
  }
  Value value = Find(field.substr(0, end));
  char conversion = '\0';
  std::string_view rest = field.substr(end);
  if (rest.starts_with('!')) {
    if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) return Fail("a damaged conversion");
    conversion = rest[1];
    rest.remove_prefix(2);
  }
  if (rest.starts_with(':')) rest.remove_prefix(1);
  const std::string spec = Format(rest, nesting + 1);
  if (run_->failed()) return {};
  if (conversion == 's') value = run_->NewString(ToText(value, run_));
  if (conversion == 'r') value = run_->NewString(ToRepr(value, run_));
  if (conversion == 'a') value = run_->NewString(ToAscii(value, run_));
  if (conversion != '\0' && std::string_view("sra").find(conversion) == std::string_view::npos) {
    return Fail("unknown conversion !" + std::string(1, conversion));
  }
  return Write(value, spec);
}

Value BraceFormatter::Numbered(std::string_view digits) {
  size_t index = 0;
  if (digits.empty()) {
    counts_ = true;
    index = next_++;
  } else {
    numbers_ = true;
    for (const char c : digits)
      index = std::min<size_t>(index * 10 + static_cast<size_t>(c - '0'), 1u << 20);
  }
  if (counts_ && numbers_) return run_->Fail("format: {} and {0} are mixed");
  if (index >= arguments_.positional.size()) return run_->Fail("format: too few values");
  return arguments_.positional[index];
}

Value BraceFormatter::Named(std::string_view name) {
  const bool digits =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) return Numbered(name);
  for (const auto& [known, value] : arguments_.named) {
    if (known == name) return value;
  }
  return run_->Fail("format: no value named \"" + std::string(name.substr(0, 64)) + "\"");
}

// name.attribute[item]: an item is looked up by number where it is one.
Value BraceFormatter::Find(std::string_view path) {
  const size_t head = std::min(path.find_first_of(".["), path.size());
  if (head == 0 && !path.empty()) return run_->Fail("format: a field has no name");
  Value value = Named(path.substr(0, head));
  path.remove_prefix(head);
  while (!path.empty() && !run_->failed()) {
    const bool item = path[0] == '[';
    if (!item && path[0] != '.') return run_->Fail("format: a damaged field");
    const size_t end = item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
    if (end == std::string_view::npos || end == 1) return run_->Fail("format: a damaged field");
    const std::string_view name = path.substr(1, end - 1);
    const bool number =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (item && number && name.size() < 10) {
      value = ItemOf(value, Value::Int(std::stoi(std::string(name))), run_);
    } else if (item) {
      value = ItemOf(value, run_->NewString(std::string(name)), run_);
    } else {
      value = AttributeOf(value, name, run_);
    }
    path.remove_prefix(item ? end + 1 : end);
  }
  return value;
}

bool IsAlign(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

// [[fill]align][sign][#][0][width][grouping][.precision][type]; false where it is something else.
bool ReadSpec(std::string_view text, FormatSpec* spec) {
  const size_t fill = text.empty() ? 0 : DecodeUtf8(text, 0).bytes;
  const bool filled = fill < text.size() && fill > 0 && IsAlign(text[fill]);
  if (filled) {
    spec->fill = text.substr(0, fill);
    spec->align = text[fill];
    text.remove_prefix(fill + 1);
  } else if (!text.empty() && IsAlign(text[0])) {
    spec->align = text[0];
    text.remove_prefix(1);
  }
  const auto take = [&text](std::string_view set) {
    if (text.empty() || set.find(text[0]) == std::string_view::npos) return '\0';
    const char taken = text[0];
    text.remove_prefix(1);
    return taken;
  };
  const auto number = [&text](int64_t* value) {
    const size_t begin = text.size();
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1)) {
      *value = std::min<int64_t>(*value * 10 + (text[0] - '0'), 1'000'000'000);
    }
    return text.size() < begin;
  };
  if (const char sign = take("+- ")) spec->sign = sign;
  spec->alternate = take("#") != '\0';
  if (take("0") != '\0' && !filled) {
    spec->fill = "0";
    if (spec->align == '\0') spec->align = '0';  // = for numbers, < for texts
  }
  number(&spec->width);
  spec->grouping = take(",_");
  if (take(".") != '\0') {
    int64_t precision = 0;
    if (!number(&precision)) return false;
    spec->precision = precision;
  }
  spec->type = take("sdxXobnceEfFgG%");
  return text.empty();
}

std::string BraceFormatter::Write(const Value& value, std::string_view text) {
  if (text.empty()) return ToText(value, run_);
  FormatSpec spec;
  if (!ReadSpec(text, &spec)) return Fail("a damaged spec");
  if (spec.align == '0') spec.align = value.IsNumber() ? '=' : '<';
  if (value.Is(Kind::kString)) {
    if ((spec.type != '\0' && spec.type != 's') || spec.sign != '-' || spec.align == '=' ||
        spec.grouping != '\0' || spec.alternate) {
      return Fail("a string has no such spec");
    }
    return FormatText(value.AsString(), spec, run_);
  }
  if (!value.IsNumber()) return Fail(std::string(value.KindName()) + " has no such spec");
  return FormatNumber(value, spec, run_);
}

}  // namespace

Value FormatBraces(std::string_view format, const Arguments& arguments, Run* run) {
  if (!run->SpendBytes(format.size())) return {};
  return run->NewString(BraceFormatter(arguments, run).Format(format, 0));
}

}  // namespace tenon::text::jinja
