// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>

namespace tenon::core {
namespace {

constexpr size_t kMostFindings = 50;
constexpr size_t kShownBytes = 120;  // of a source line

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string_view LineOf(const Source& source, int32_t line) {
  std::string_view rest = source.text;
  for (int32_t i = 1; i < line; ++i) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) return "";
    rest.remove_prefix(end + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  return rest.substr(0, rest.find('\r'));
}

// The byte at which the character of `column` begins.
size_t ByteOfColumn(std::string_view line, int32_t column) {
  size_t byte = 0;
  for (int32_t left = column - 1; left > 0 && byte < line.size(); --left) {
    do {
      ++byte;
    } while (byte < line.size() && ContinuesCharacter(line[byte]));
  }
  return byte;
}

// The source line with a caret under the place; "" where there is none to show.
std::string Excerpt(const Mark& mark) {
  if (mark.source == nullptr || mark.source->command_line || mark.line == 0) return "";
  std::string_view line = LineOf(*mark.source, mark.line);
  size_t caret = ByteOfColumn(line, mark.column);
  if (caret > kShownBytes * 3 / 4) {
    size_t cut = caret - kShownBytes / 2;
    while (cut < caret && ContinuesCharacter(line[cut])) ++cut;
    line.remove_prefix(cut);
    caret -= cut;
  }
  size_t end = std::min(line.size(), kShownBytes);
  while (end < line.size() && ContinuesCharacter(line[end])) ++end;
  std::string shown;
  std::string under;
  for (size_t i = 0; i < end; ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    shown += byte < 0x20 || byte == 0x7f ? ' ' : line[i];
    if (i < caret && !ContinuesCharacter(line[i])) under += ' ';
  }
  return fmt::format("\n{:>5} | {}\n      | {}^", mark.line, shown, under);
}

}  // namespace

std::string Where(const Mark& mark) {
  if (mark.source == nullptr) return "";
  if (mark.source->command_line || mark.line == 0) return mark.source->name;
  return fmt::format("{}:{}:{}", mark.source->name, mark.line, mark.column);
}

void Diagnostics::Add(const std::string& code, const Mark& mark, const std::string& text) {
  // What is said of a place after the first error there follows from it.
  for (const Found& found : found_) {
    const Mark& there = found.mark;
    if (mark.line > 0 && there.source == mark.source && there.line == mark.line &&
        there.column == mark.column) {
      return;
    }
  }
  found_.push_back({code, mark, text});
}

Error Diagnostics::Join() const {
  std::vector<Found> sorted = found_;
  const auto place = [](const Found& found) {
    const int32_t order = found.mark.source == nullptr ? -1 : found.mark.source->order;
    return std::make_tuple(order, found.mark.line, found.mark.column);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Found& a, const Found& b) { return place(a) < place(b); });
  std::string message;
  for (size_t i = 0; i < sorted.size() && i < kMostFindings; ++i) {
    const Found& found = sorted[i];
    message += fmt::format("{}{} {}: {}{}", i == 0 ? "" : "\n", found.code, Where(found.mark),
                           found.text, Excerpt(found.mark));
  }
  if (sorted.size() > kMostFindings) {
    message += fmt::format("\nand {} more", sorted.size() - kMostFindings);
  }
  return {Status::kInvalid, std::move(message), sorted.front().code};
}

}  // namespace tenon::core
