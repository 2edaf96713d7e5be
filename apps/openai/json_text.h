// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// JSON written by appending, without a document in memory: what is done for each token.
namespace tenon::apps::openai {

// Appends `text` as it stands within quotes. REQUIRES: it is UTF-8.
void AppendEscaped(std::string_view text, std::string* out);

// The same with the quotes.
void AppendQuoted(std::string_view text, std::string* out);

// The first characters of `text`, `bytes` at most. REQUIRES: it is UTF-8.
std::string_view FirstCharacters(std::string_view text, size_t bytes);

void AppendNumber(int64_t value, std::string* out);

// The shortest text that reads back as the same float; null for what JSON has not: infinities, NaN.
void AppendFloat(float value, std::string* out);

// The same, but -9999 for what is not finite, as OpenAI writes the log-probability of what cannot
// be.
void AppendLogprob(float value, std::string* out);

}  // namespace tenon::apps::openai
