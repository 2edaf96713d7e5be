// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tenon/option.h"
#include "tenon/result.h"

// Options as text: how values are read, what a table may hold.
namespace tenon::core {

// Reads `text` as a value of the option; OptionValue::text views `text`. For a number, "auto" is
// the option's default. The error names the value seen and those allowed: "tile is 512; 16 to 256
// allowed" (without code).
// REQUIRES: CheckOption(option) is empty.
Result<OptionValue> ReadOption(const OptionInfo& option, std::string_view text);

// "16 to 256 tokens", "f32, f16, bf16", "true, false", "a whole number", "text".
std::string Allowed(const OptionInfo& option);

// The allowed words of a text option; empty where any text is allowed.
std::vector<std::string> Choices(const OptionInfo& option);

// What is wrong with the description of an option; "" where nothing is.
std::string CheckOption(const OptionInfo& option);

// "bool", "int", "float", "string".
const char* Name(OptionType type);

// Whether `text` is lower_case words, joined by dots where `dots`: "acme.flash".
bool IsName(const char* text, bool dots);

}  // namespace tenon::core
