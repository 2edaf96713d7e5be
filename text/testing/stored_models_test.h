// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tenon/result.h"
#include "text/vocabulary.h"

// Models that `tenon pull` has stored, for tests and benchmarks with whole vocabularies.
namespace tenon::text::testing {

// The path of <name>.gguf under ${TENON_HOME:-~/.cache/tenon}/models; empty where it is not stored.
std::string StoredModel(const std::string& name);

// The vocabulary of a GGUF file.
Result<Vocabulary> ReadVocabulary(const std::string& path);

}  // namespace tenon::text::testing
