// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/option_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/plugins/host.h"
#include "core/plugins/nearest.h"

namespace tenon::core {
namespace {

constexpr size_t kLongestText = 4096;

template <typename T>
bool ReadNumber(std::string_view text, T* out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return problem == std::errc() && end == text.data() + text.size();
}

bool IsBounded(const OptionInfo& option) { return option.minimum != option.maximum; }

bool IsNumber(const OptionInfo& option) {
  return option.type == OptionType::kInt || option.type == OptionType::kFloat;
}

bool InRange(const OptionInfo& option, double value) {
  return !IsBounded(option) || (value >= option.minimum && value <= option.maximum);
}

// Whether `text` is a value of the option; fills `out`.
bool Read(const OptionInfo& option, std::string_view text, OptionValue* out) {
  out->type = option.type;
  switch (option.type) {
    case OptionType::kBool:
      out->boolean = text == "true";
      return text == "true" || text == "false";
    case OptionType::kInt:
      return ReadNumber(text, &out->integer) && InRange(option, static_cast<double>(out->integer));
    case OptionType::kFloat:
      return ReadNumber(text, &out->number) && std::isfinite(out->number) &&
             InRange(option, out->number);
    case OptionType::kString: {
      out->text = text;
      const std::vector<std::string> choices = Choices(option);
      return text.size() <= kLongestText &&
             (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end());
    }
  }
  return false;
}

std::string Quoted(std::string_view text) { return fmt::format("\"{}\"", OneLine(text, 80)); }

// A value as the user reads it: numbers bare, everything else quoted.
std::string Shown(std::string_view text) {
  double number = 0;
  return ReadNumber(text, &number) ? std::string(text) : Quoted(text);
}

bool IsText(const char* text) { return text != nullptr; }

}  // namespace

const char* Name(OptionType type) {
  constexpr const char* kNames[] = {"bool", "int", "float", "string"};
  return kNames[static_cast<uint32_t>(type)];
}

std::vector<std::string> Choices(const OptionInfo& option) {
  std::vector<std::string> words;
  std::string_view rest = option.choices;
  while (!rest.empty()) {
    const size_t bar = std::min(rest.find('|'), rest.size());
    words.emplace_back(rest.substr(0, bar));
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  return words;
}

std::string Allowed(const OptionInfo& option) {
  const std::string unit = *option.unit == 0 ? "" : std::string(" ") + option.unit;
  switch (option.type) {
    case OptionType::kBool:
      return "true, false";
    case OptionType::kInt:
      if (!IsBounded(option)) return "a whole number" + (unit.empty() ? "" : " of" + unit);
      return fmt::format("{:.0f} to {:.0f}{}", option.minimum, option.maximum, unit);
    case OptionType::kFloat:
      if (!IsBounded(option)) return "a number" + (unit.empty() ? "" : " of" + unit);
      return fmt::format("{} to {}{}", option.minimum, option.maximum, unit);
    case OptionType::kString:
      break;
  }
  const std::vector<std::string> choices = Choices(option);
  return choices.empty() ? "text" : fmt::format("{}", fmt::join(choices, ", "));
}

Result<OptionValue> ReadOption(const OptionInfo& option, std::string_view text) {
  if (IsNumber(option) && text == "auto") text = option.default_text;
  OptionValue value;
  if (Read(option, text, &value)) return value;
  std::string cause =
      fmt::format("{} is {}; {} allowed", option.name, Shown(text), Allowed(option));
  if (option.type == OptionType::kString) cause += DidYouMean(text, Choices(option));
  return Error{Status::kInvalid, std::move(cause), "TN202"};
}

bool IsName(const char* text, bool dots) {
  if (text == nullptr || *text < 'a' || *text > 'z') return false;
  for (const char* c = text; *c != 0; ++c) {
    const bool word = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
    const bool dot = dots && *c == '.' && c[1] != 0 && c[1] != '.';
    if ((!word && !dot) || c - text > 100) return false;
  }
  return true;
}

std::string CheckOption(const OptionInfo& option) {
  if (!IsName(option.name, false)) return "an option's name is not lower_case";
  const std::string name = option.name;
  if (name == "use") return "an option is called \"use\", which names the component";
  if (static_cast<uint32_t>(option.type) > static_cast<uint32_t>(OptionType::kString)) {
    return "option " + name + " has an unknown type";
  }
  if (!IsText(option.default_text) || !IsText(option.doc) || !IsText(option.choices) ||
      !IsText(option.unit)) {
    return "option " + name + " lacks its default, doc, choices or unit";
  }
  if (!(option.minimum <= option.maximum)) {
    return fmt::format("option {} allows {} to {}, which is nothing", name, option.minimum,
                       option.maximum);
  }
  OptionValue value;
  if (Read(option, option.default_text, &value)) return "";
  return fmt::format("option {} has the default {}; {} allowed", name, Shown(option.default_text),
                     Allowed(option));
}

}  // namespace tenon::core
