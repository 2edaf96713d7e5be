// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// How tokens become text where that is more than putting their bytes one behind the other, made so
// that it can be done while they come.
namespace tenon::text {

// Rewrites a text that comes in parts. All that Push and Flush give, joined, is the text rewritten
// as a whole. One per stream, one thread.
class TextFilter {
 public:
  virtual ~TextFilter() = default;
  virtual std::string Push(std::string_view part) = 0;
  virtual std::string Flush() = 0;  // the end; the filter is then as new
};

// Replaces `from` (not empty) by `to`, from left to right.
std::unique_ptr<TextFilter> MakeReplaceFilter(std::string from, std::string to);

// Takes off up to `start` characters `c` at the start and up to `stop` at the end.
std::unique_ptr<TextFilter> MakeStripFilter(char32_t c, size_t start, size_t stop);

// Immutable: any thread.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;

  // What a token gives, which may be part of a character. `first`: no other is before it in the
  // text; `last`: none is behind it. REQUIRES: well-formed UTF-8
  virtual std::string Bytes(std::string_view token, bool first, bool last) const = 0;

  // Whether `last` matters: then a token waits until the next one comes.
  virtual bool NeedsLast() const { return false; }

  // Whether each byte that is no character becomes a U+FFFD of its own, rather than what could have
  // become one character together.
  virtual bool ReplacesByteByByte() const { return false; }

  // What the text goes through afterwards, in order; `continues`: it does not start here.
  virtual std::vector<std::unique_ptr<TextFilter>> Filters(bool continues) const = 0;
};

}  // namespace tenon::text
