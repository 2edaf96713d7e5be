// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

using Kind = Value::Kind;

std::string Hex(const char* form, char32_t value) {
  char text[16];
  std::snprintf(text, sizeof(text), form, static_cast<unsigned>(value));
  return text;
}

void AppendRepr(std::string_view text, std::string* out) {
  const bool single =
      text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  const char quote = single ? '\'' : '"';
  out->push_back(quote);
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : 0xFFFD;
    at += step.bytes;
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out->push_back('\\');
      out->push_back(static_cast<char>(c));
    } else if (c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) {
      *out += Hex("\\x%02x", c);
    } else if (c != ' ' && IsSpace(c)) {
      *out += Hex("\\u%04x", c);
    } else {
      AppendUtf8(c, out);
    }
  }
  out->push_back(quote);
}

void AppendUnicodeEscape(char32_t c, std::string* out) {
  if (c < 0x10000) {
    *out += Hex("\\u%04x", c);
  } else {
    *out += Hex("\\u%04x", 0xD800 + ((c - 0x10000) >> 10));
    *out += Hex("\\u%04x", 0xDC00 + ((c - 0x10000) & 0x3FF));
  }
}

void AppendJsonString(std::string_view text, bool ascii_only, std::string* out) {
  out->push_back('"');
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : 0xFFFD;
    at += step.bytes;
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\b':
        *out += "\\b";
        break;
      case '\f':
        *out += "\\f";
        break;
      default:
        if (c < 0x20 || (ascii_only && c >= 0x7F)) {
          AppendUnicodeEscape(c, out);
        } else {
          AppendUtf8(c, out);
        }
    }
  }
  out->push_back('"');
}

// Prints lists and dicts in either form. Depth is bounded by the values', size by the run's output.
class Printer {
 public:
  Printer(Run* run, const JsonStyle* json) : run_(run), json_(json) {}

  void Print(const Value& value, int level);
  std::string Take() { return std::move(out_); }

 private:
  bool Going() {
    if (out_.size() > run_->limits().output_bytes) {
      run_->Fail("a value's text exceeds " + std::to_string(run_->limits().output_bytes) +
                 " bytes");
    }
    return run_->Spend(1);
  }
  void Break(int level) {
    if (json_ == nullptr || !json_->indent) return;
    out_.push_back('\n');
    for (int i = 0; i < level && out_.size() <= run_->limits().output_bytes; ++i) {
      if (run_->SpendBytes(json_->indent->size())) out_ += *json_->indent;
    }
  }
  std::string_view Separator() const {
    if (json_ == nullptr) return ", ";
    return json_->item_separator;
  }
  void PrintScalar(const Value& value);
  void PrintList(const Value& value, int level);
  void PrintDict(const Value& value, int level);
  void PrintKey(const Value& key);

  Run* run_;
  const JsonStyle* json_;  // null: repr
  std::string out_;
};

void Printer::PrintScalar(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      out_ += json_ ? "null" : "None";
      return;
    case Kind::kBool:
      out_ += json_ ? (value.AsBool() ? "true" : "false") : (value.AsBool() ? "True" : "False");
      return;
    case Kind::kInt:
      out_ += std::to_string(value.AsInt());
      return;
    case Kind::kFloat: {
      const double number = value.AsDouble();
      if (json_ == nullptr || std::isfinite(number)) {
        out_ += FloatText(number);
      } else {
        out_ += std::isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity";
      }
      return;
    }
    case Kind::kString:
      if (!run_->SpendBytes(value.AsString().size())) return;
      if (json_) {
        AppendJsonString(value.AsString(), json_->ascii_only, &out_);
      } else {
        AppendRepr(value.AsString(), &out_);
      }
      return;
    default:
      if (json_) {
        run_->Fail("cannot write " + std::string(value.KindName()) + " as JSON");
      } else if (value.Is(Kind::kUndefined)) {
        out_ += "Undefined";
      } else {
        out_.append("<").append(value.KindName()).append(">");
      }
  }
}

void Printer::PrintKey(const Value& key) {
  if (json_ == nullptr || key.Is(Kind::kString)) {
    PrintScalar(key);
  } else {
    out_.push_back('"');
    PrintScalar(key);
    out_.push_back('"');
  }
}

void Printer::PrintList(const Value& value, int level) {
  const bool tuple = json_ == nullptr && value.IsTuple();
  out_.push_back(tuple ? '(' : '[');
  bool first = true;
  for (const Value& item : value.AsList()) {
    if (!Going()) return;
    if (!first) out_ += Separator();
    first = false;
    Break(level + 1);
    Print(item, level + 1);
  }
  if (!first) Break(level);
  if (tuple && value.AsList().size() == 1) out_.push_back(',');
  out_.push_back(tuple ? ')' : ']');
}

void Printer::PrintDict(const Value& value, int level) {
  std::vector<const Entry*> entries;
  for (const Entry& entry : value.AsDict()) entries.push_back(&entry);
  if (json_ != nullptr && json_->sort_keys) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
      return a->first.Is(Kind::kString) && b->first.Is(Kind::kString) &&
             a->first.AsString() < b->first.AsString();
    });
  }
  out_.push_back('{');
  bool first = true;
  for (const Entry* entry : entries) {
    if (!Going()) return;
    if (!first) out_ += Separator();
    first = false;
    Break(level + 1);
    PrintKey(entry->first);
    out_ += json_ ? std::string_view(json_->key_separator) : std::string_view(": ");
    Print(entry->second, level + 1);
  }
  if (!first) Break(level);
  out_.push_back('}');
}

void Printer::Print(const Value& value, int level) {
  if (!Going()) return;
  if (value.Is(Kind::kList)) {
    PrintList(value, level);
  } else if (value.Is(Kind::kDict)) {
    PrintDict(value, level);
  } else {
    PrintScalar(value);
  }
}

}  // namespace

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[64];
  const double size = std::fabs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(text, text + sizeof(text), value,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string result(text, end.ptr);
  if (plain && result.find('.') == std::string::npos) result += ".0";
  return result;
}

std::string ToText(const Value& value, Run* run) {
  if (value.Is(Kind::kUndefined)) return {};
  if (value.Is(Kind::kString))
    return run->SpendBytes(value.AsString().size()) ? value.AsString() : "";
  return ToRepr(value, run);
}

std::string ToRepr(const Value& value, Run* run) {
  Printer printer(run, nullptr);
  printer.Print(value, 0);
  return printer.Take();
}

std::string ToAscii(const Value& value, Run* run) {
  std::string escaped;
  const std::string text = ToRepr(value, run);
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : 0xFFFD;
    at += step.bytes;
    if (c < 0x80) {
      escaped.push_back(static_cast<char>(c));
    } else {
      escaped += Hex(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
  }
  return run->SpendBytes(escaped.size()) ? escaped : std::string();
}

std::string ToJson(const Value& value, const JsonStyle& style, Run* run) {
  Printer printer(run, &style);
  printer.Print(value, 0);
  return printer.Take();
}

}  // namespace tenon::text::jinja
