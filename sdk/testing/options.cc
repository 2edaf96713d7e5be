// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "tenon/testing/verdict.h"

namespace tenon::testing {
namespace {

bool IsBounded(const OptionInfo& option) { return option.minimum != option.maximum; }

bool InRange(const OptionInfo& option, double value) {
  return !IsBounded(option) || (value >= option.minimum && value <= option.maximum);
}

template <typename T>
bool ReadNumber(const std::string& text, T* out) {
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, *out);
  return read.ec == std::errc() && read.ptr == end;
}

template <typename T>
const T& OneOf(const std::vector<T>& values, std::mt19937_64& random) {
  return values[random() % values.size()];
}

std::string RandomNumber(const OptionInfo& option, std::mt19937_64& random) {
  if (!IsBounded(option)) return OneOf<std::string>({option.default_text, "0", "1"}, random);
  const double part = static_cast<double>(random() >> 11) * 0x1p-53;
  const double value = OneOf<double>(
      {option.minimum, option.maximum, option.minimum + part * (option.maximum - option.minimum),
       option.minimum + part * part * part * (option.maximum - option.minimum)},
      random);
  char text[64];
  char* end = option.type == OptionType::kInt
                  ? std::to_chars(text, text + 64, static_cast<int64_t>(std::floor(value))).ptr
                  : std::to_chars(text, text + 64, value).ptr;
  const std::string written(text, end);
  OptionValue read;
  return ReadValue(option, written, &read) ? written : option.default_text;
}

std::string RandomValue(const OptionInfo& option, std::mt19937_64& random) {
  if (random() % 4 == 0) return option.default_text;
  switch (option.type) {
    case OptionType::kBool:
      return random() % 2 == 0 ? "true" : "false";
    case OptionType::kInt:
    case OptionType::kFloat:
      return RandomNumber(option, random);
    case OptionType::kString:
      break;
  }
  const std::vector<std::string> choices = ChoicesOf(option);
  if (!choices.empty()) return OneOf(choices, random);
  return OneOf<std::string>({"", "1", "no such thing", std::string(4096, 'x'), "\xc3\xa4/../"},
                            random);
}

std::string CheckOption(const OptionInfo& option) {
  const std::string name = option.name == nullptr ? "" : option.name;
  if (name.empty()) return "an option has no name";
  if (option.doc == nullptr || *option.doc == 0) return "option " + name + " has no doc";
  if (option.default_text == nullptr || option.choices == nullptr || option.unit == nullptr) {
    return "option " + name + " lacks its default, choices or unit";
  }
  if (!(option.minimum <= option.maximum)) {
    return Text("option %s allows %g to %g, which is nothing", option.name, option.minimum,
                option.maximum);
  }
  OptionValue value;
  if (ReadValue(option, option.default_text, &value)) return "";
  return Text(
      "option %s has the default \"%s\", which its type, range (%g to %g) or choices (%s) "
      "do not allow",
      option.name, option.default_text, option.minimum, option.maximum, option.choices);
}

}  // namespace

OptionSet::OptionSet(const ComponentInfo& info, const std::map<std::string, std::string>& overrides)
    : info_(info) {
  for (uint32_t i = 0; i < info.option_count; ++i) {
    const auto found = overrides.find(info.options[i].name);
    texts_.push_back(found != overrides.end() ? found->second : info.options[i].default_text);
  }
  values_.resize(texts_.size());
  for (size_t i = 0; i < texts_.size(); ++i) ReadValue(info.options[i], texts_[i], &values_[i]);
}

Options OptionSet::View() const {
  Options options;
  options.infos = {info_.options, info_.option_count};
  options.values = {values_.data(), values_.size()};
  return options;
}

std::string OptionSet::Describe() const {
  std::string text;
  for (size_t i = 0; i < texts_.size(); ++i) {
    text.append(i == 0 ? "" : ", ").append(info_.options[i].name).append(" ");
    text.append(texts_[i].substr(0, 40));
  }
  return text.empty() ? "no options" : text;
}

std::string CheckOptionTable(const ComponentInfo& info) {
  if (info.option_count > 0 && info.options == nullptr) return "the option table is not there";
  std::set<std::string> names;
  for (uint32_t i = 0; i < info.option_count; ++i) {
    const std::string wrong = CheckOption(info.options[i]);
    if (!wrong.empty()) return wrong;
    if (!names.insert(info.options[i].name).second) {
      return std::string("option ") + info.options[i].name + " is there twice";
    }
  }
  return "";
}

std::map<std::string, std::string> RandomOptions(const ComponentInfo& info,
                                                 std::mt19937_64& random) {
  std::map<std::string, std::string> values;
  for (uint32_t i = 0; i < info.option_count; ++i) {
    values[info.options[i].name] = RandomValue(info.options[i], random);
  }
  return values;
}

std::vector<std::string> ChoicesOf(const OptionInfo& option) {
  std::vector<std::string> words;
  std::string_view rest = option.choices;
  while (!rest.empty()) {
    const size_t bar = std::min(rest.find('|'), rest.size());
    words.emplace_back(rest.substr(0, bar));
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  return words;
}

const OptionInfo* FindOption(const ComponentInfo& info, const char* name) {
  for (uint32_t i = 0; i < info.option_count; ++i) {
    if (std::string_view(info.options[i].name) == name) return &info.options[i];
  }
  return nullptr;
}

bool ReadValue(const OptionInfo& option, const std::string& text, OptionValue* out) {
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
      out->text = Str(text.data(), text.size());
      const std::vector<std::string> choices = ChoicesOf(option);
      return choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end();
    }
  }
  return false;
}

}  // namespace tenon::testing
