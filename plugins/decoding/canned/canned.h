// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>

#include "tenon/component.h"
#include "tenon/rules.h"

namespace tenon::decoding {

// Answers questions that a file lists, without the model. Questions are compared without regard to
// ASCII's case, to spaces at the ends and their number, and to . ! ? at the end.
class Canned final : public Component, public FrontRule {
 public:
  // Reads the file of the option `file`; throws where it cannot be, naming the line.
  explicit Canned(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<FrontRule>(this, name); }
  bool Answer(const RuleRequest& request, TextSink& out) noexcept override;
  void Learn(const RuleRequest&, Str) noexcept override {}

 private:
  std::unordered_map<std::string, std::string> answers_;  // by the question, made plain
  size_t longest_ = 0;                                    // bytes of a question
};

}  // namespace tenon::decoding
