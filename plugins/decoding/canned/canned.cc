// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/canned/canned.h"

#include <algorithm>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string_view>

namespace tenon::decoding {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string Plain(std::string_view question) {
  std::string out;
  for (const char c : question) {
    if (!IsBlank(c)) {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (!out.empty() && std::string_view(" .!?").find(out.back()) != std::string_view::npos) {
    out.pop_back();
  }
  return out;
}

// \n and \\ as escapes.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && at + 1 < text.size();
    if (escape) ++at;
    out += escape && text[at] == 'n' ? '\n' : text[at];
  }
  return out;
}

}  // namespace

Canned::Canned(const CreateArgs& args) {
  const std::string path(std::string_view(args.options.Text("file")));
  if (path.empty()) return;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("file " + path + " cannot be read");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const size_t tab = line.find('\t');
    std::string question = Plain(std::string_view(line).substr(0, std::min(tab, line.size())));
    if (tab == std::string::npos || question.empty() || tab + 1 == line.size()) {
      throw std::runtime_error(path + ":" + std::to_string(number) +
                               ": a question, a tab and its answer are wanted");
    }
    longest_ = std::max(longest_, question.size());
    answers_[std::move(question)] = Unescaped(std::string_view(line).substr(tab + 1));
  }
}

bool Canned::Answer(const RuleRequest& request, TextSink& out) noexcept {
  const std::string_view asked = request.user_text;
  // Spaces and the end aside, no question is longer; a prompt of megabytes is not looked at.
  if (answers_.empty() || asked.size() > 4 * longest_ + 64) return false;
  try {
    const auto found = answers_.find(Plain(asked));
    if (found == answers_.end()) return false;
    out.Append(std::string_view(found->second));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace tenon::decoding
