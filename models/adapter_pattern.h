// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::models {

// A key of rank_pattern, alpha_pattern or target_modules in an adapter's config: the end of
// modules' names, or a regular expression (PCRE2's, without back references). At most 256 bytes,
// and all of its states walk at once, so that matching takes time in proportion to the name.
// Thread: const methods from any.
class ModulePattern {
 public:
  // What the expression must cover.
  enum class Covers {
    kEnd,   // the whole name, or its part after some "."
    kWhole  // the whole name
  };

  static Result<ModulePattern> Parse(std::string_view text, Covers covers);

  // False too where matching would take more memory than is allowed.
  bool Matches(std::string_view module) const;

 private:
  std::string text_;
  Covers covers_ = Covers::kEnd;
  std::shared_ptr<const void> expression_;  // PCRE2 code; null: `text_` is matched as it stands
};

}  // namespace tenon::models
