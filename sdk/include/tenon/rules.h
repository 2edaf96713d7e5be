// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/types.h"

// Roles of the decoding family that work on texts, before the model runs and on what it says. A
// pipeline's `decoding:` may have any number of them; they act in its order.
namespace tenon {

// Takes text as a rule gives it out: UTF-8, whole characters in all pieces of a call together.
// Thread: the caller's.
class TextSink {
 public:
  virtual void Append(Str text) noexcept = 0;

 protected:
  ~TextSink() = default;
};

// What a request asks, to a rule.
struct RuleRequest {
  Str user_text;  // the last turn of a user, or a completion's prompt where it was a text
  // Hash of all that the answer depends on: the prompt's ids, how tokens are chosen (the seed too,
  // unless the likeliest is always taken), lengths, stop tokens, adapter, and who may share answers
  // (tenant and salt). Strong: equal means the same.
  uint64_t fingerprint[2];
};

// Answers requests before the model runs. Thread: any, several at once.
class FrontRule {
 public:
  static constexpr const char* kName = "tenon.decoding.front_rule/1";

  // True, with the whole answer in `out`, where it has one; the model does not run then. Nothing is
  // given out otherwise.
  virtual bool Answer(const RuleRequest& request, TextSink& out) noexcept = 0;

  // What the model said to a request that no rule answered, to its own end, before rules of the
  // output changed it.
  virtual void Learn(const RuleRequest& request, Str answer) noexcept = 0;

 protected:
  ~FrontRule() = default;
};

// One text on its way through a back rule. One thread at a time.
class TextFilter {
 public:
  // Takes the next piece, cut anywhere between characters, and gives out what may be seen: nothing
  // that could still become part of a match.
  virtual void Feed(Str text, TextSink& out) noexcept = 0;

  // The end: gives out what was held back.
  virtual void Finish(TextSink& out) noexcept = 0;

  // The text ends here, whatever the model goes on to say; what came before was given out.
  virtual bool Blocked() const noexcept = 0;

 protected:
  ~TextFilter() = default;
};

// Changes or ends what the model says. Thread: any, several at once.
class BackRule {
 public:
  static constexpr const char* kName = "tenon.decoding.back_rule/1";

  // A filter for one text, owned by the component until End; null where memory is out.
  virtual TextFilter* Begin() noexcept = 0;
  virtual void End(TextFilter* filter) noexcept = 0;

 protected:
  ~BackRule() = default;
};

}  // namespace tenon
