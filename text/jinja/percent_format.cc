// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string>

#include "text/jinja/compare.h"
#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

// Python's format % values (printf-style formatting).
namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

class PercentFormatter {
 public:
  PercentFormatter(std::string_view format, const Value& values, Run* run)
      : format_(format), values_(values), run_(run) {}

  Value Format();

 private:
  void Directive();
  void Flags();
  int64_t Number(bool* from_value);
  Value Next();
  void Put(char type);
  void PutNumber(char type, const Value& value);
  char At() const { return at_ < format_.size() ? format_[at_] : '\0'; }

  std::string_view format_;
  const Value& values_;
  Run* run_;
  size_t at_ = 0;
  size_t used_ = 0;     // of a tuple's items
  bool named_ = false;  // some directive took its value by name
  Value chosen_;        // by name, for the directive at hand
  bool has_chosen_ = false;
  bool left_ = false, zero_ = false;
  FormatSpec spec_;
  std::string out_;
};

Value PercentFormatter::Format() {
  while (at_ < format_.size() && !run_->failed()) {
    const size_t mark = std::min(format_.find('%', at_), format_.size());
    out_ += format_.substr(at_, mark - at_);
    at_ = mark;
    if (at_ < format_.size()) Directive();
    if (out_.size() > run_->limits().output_bytes) break;
  }
  const bool mapping = values_.Is(Kind::kDict) || values_.Is(Kind::kUndefined) ||
                       (values_.Is(Kind::kList) && !values_.IsTuple());
  const size_t given = values_.IsTuple() ? values_.AsList().size() : 1;
  if (!mapping && used_ < given) {
    return run_->Fail("not all values are used by the format");
  }
  return run_->NewString(std::move(out_));
}

Value PercentFormatter::Next() {
  if (has_chosen_) return chosen_;
  if (values_.IsTuple()) {
    if (used_ < values_.AsList().size()) return values_.AsList()[used_++];
  } else if (used_ == 0) {
    ++used_;
    return values_;
  }
  return run_->Fail("the format needs more values");
}

void PercentFormatter::Flags() {
  for (; at_ < format_.size(); ++at_) {
    switch (At()) {
      case '-':
        left_ = true;
        break;
      case '+':
        spec_.sign = '+';
        break;
      case ' ':
        if (spec_.sign != '+') spec_.sign = ' ';
        break;
      case '#':
        spec_.alternate = true;
        break;
      case '0':
        zero_ = true;
        break;
      default:
        return;
    }
  }
}

int64_t PercentFormatter::Number(bool* found) {
  *found = true;
  if (At() == '*') {
    ++at_;
    const Value value = Next();
    if (value.IsInteger()) return std::clamp<int64_t>(value.AsInt(), -1'000'000'000, 1'000'000'000);
    run_->Fail("* needs an integer");
    return 0;
  }
  int64_t number = 0;
  *found = At() >= '0' && At() <= '9';
  for (; At() >= '0' && At() <= '9'; ++at_) {
    number = std::min<int64_t>(number * 10 + (At() - '0'), 1'000'000'000);
  }
  return number;
}

void PercentFormatter::Directive() {
  spec_ = {};
  left_ = zero_ = has_chosen_ = false;
  ++at_;
  if (!run_->Spend(1)) return;
  if (At() == '(') {
    const size_t end = format_.find(')', at_);
    if (end == std::string_view::npos || !values_.Is(Kind::kDict)) {
      run_->Fail("a format with names needs a dict and closing parentheses");
      return;
    }
    const Value name = run_->NewString(std::string(format_.substr(at_ + 1, end - at_ - 1)));
    chosen_ = ItemOf(values_, name, run_);
    has_chosen_ = true;
    if (!Contains(values_, name, run_)) run_->Fail("the format asks for a name that is not there");
    at_ = end + 1;
  }
  Flags();
  bool found = false;
  spec_.width = Number(&found);
  if (spec_.width < 0) {
    left_ = true;
    spec_.width = -spec_.width;
  }
  if (At() == '.') {
    ++at_;
    spec_.precision = std::max<int64_t>(Number(&found), 0);
  }
  while (At() == 'l' || At() == 'h' || At() == 'L') ++at_;
  if (at_ >= format_.size()) {
    run_->Fail("a format ends within a directive");
    return;
  }
  Put(format_[at_++]);
}

void PercentFormatter::Put(char type) {
  if (type == '%') {
    out_.push_back('%');
    return;
  }
  if (std::string_view("sracdiuoxXeEfFgG").find(type) == std::string_view::npos) {
    run_->Fail("unknown directive \"%" + std::string(1, type) + "\" in a format");
    return;
  }
  const Value value = Next();
  if (run_->failed()) return;
  spec_.align = left_ ? '<' : '>';
  if (type == 's' || type == 'r' || type == 'a') {
    out_ += FormatText(type == 's'   ? ToText(value, run_)
                       : type == 'r' ? ToRepr(value, run_)
                                     : ToAscii(value, run_),
                       spec_, run_);
  } else if (type == 'c' && value.Is(Kind::kString)) {
    if (value.Length() != 1) run_->Fail("%c needs one character");
    out_ += FormatText(value.AsString(), spec_, run_);
  } else {
    PutNumber(type, value);
  }
}

void PercentFormatter::PutNumber(char type, const Value& value) {
  const bool real = std::string_view("eEfFgG").find(type) != std::string_view::npos;
  Value number = value;
  if (!value.IsNumber() || (value.Is(Kind::kFloat) && std::string_view("oxXc").find(type) < 4)) {
    run_->Fail("%" + std::string(1, type) + " cannot write " + std::string(value.KindName()));
    return;
  }
  if (!real && value.Is(Kind::kFloat)) {
    if (!(std::fabs(value.AsDouble()) < 9.2e18)) {
      run_->Fail("%d: the number is too large");
      return;
    }
    number = Value::Int(static_cast<int64_t>(value.AsDouble()));
  }
  spec_.type = type == 'i' || type == 'u' ? 'd' : type;
  if (zero_ && !left_ && type != 'c') {
    spec_.fill = "0";
    spec_.align = '=';
  }
  if (real) {
    out_ += FormatNumber(number, spec_, run_);
    return;
  }
  // An integer's precision is its least number of digits.
  const auto digits = static_cast<size_t>(spec_.precision.value_or(0));
  if (type == 'c') spec_.sign = '-';
  spec_.precision.reset();
  if (digits <= 1) {
    out_ += FormatNumber(number, spec_, run_);
    return;
  }
  FormatSpec inner = spec_;
  inner.width = 0;
  std::string text = FormatNumber(number, inner, run_);
  const size_t sign = std::min(text.find_first_not_of("+- "), text.size());
  const size_t prefix =
      sign + (spec_.alternate && type != 'd' && type != 'i' && type != 'u' ? 2 : 0);
  if (text.size() - prefix < digits && run_->Reserve(digits)) {
    text.insert(prefix, digits - (text.size() - prefix), '0');
  }
  out_ += Padded(text.substr(0, prefix), text.substr(prefix), spec_, '>', run_);
}

}  // namespace

Value FormatPercent(std::string_view format, const Value& values, Run* run) {
  if (!run->SpendBytes(format.size())) return {};
  return PercentFormatter(format, values, run).Format();
}

}  // namespace tenon::text::jinja
