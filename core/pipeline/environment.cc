// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/environment.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/plugins/host.h"

namespace tenon::core {
namespace {

constexpr size_t kMostBytes = 1 << 20;

bool IsVariable(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

class Expander {
 public:
  explicit Expander(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void Visit(YamlNode& node) {
    if (node.IsScalar() && node.text.find("${") != std::string::npos) {
      node.text = Expand(node.text, node.mark);
    }
    for (YamlNode& item : node.items) Visit(item);
    for (YamlNode::Entry& entry : node.entries) Visit(entry.value);
  }

 private:
  std::string Expand(std::string_view text, const Mark& mark) {
    std::string out;
    while (true) {
      const size_t start = text.find("${");
      if (start == std::string_view::npos) return out += text;
      if (start > 0 && text[start - 1] == '$') {
        out += text.substr(0, start - 1);
        out += "${";
        text.remove_prefix(start + 2);
        continue;
      }
      out += text.substr(0, start);
      const size_t end = text.find('}', start);
      if (end == std::string_view::npos) {
        diagnostics_.Add("TN202", mark, "\"${\" without \"}\"; write \"$${\" for a plain \"${\"");
        return "";
      }
      out += Value(text.substr(start + 2, end - start - 2), mark);
      text.remove_prefix(end + 1);
    }
  }

  // The value of `inside`: VAR or VAR:-default.
  std::string Value(std::string_view inside, const Mark& mark) {
    const size_t colon = inside.find(":-");
    const std::string name(inside.substr(0, colon));
    if (!IsVariable(name)) {
      diagnostics_.Add("TN202", mark,
                       fmt::format("\"${{{}}}\" names no variable; ${{VAR}} or ${{VAR:-default}} "
                                   "allowed",
                                   OneLine(inside, 80)));
      return "";
    }
    const char* set = std::getenv(name.c_str());
    std::string value = set == nullptr ? "" : set;
    if (colon != std::string_view::npos && value.empty()) value = inside.substr(colon + 2);
    if (set == nullptr && colon == std::string_view::npos) {
      diagnostics_.Add("TN206", mark,
                       fmt::format("the environment variable {} is not set; set it, or write "
                                   "${{{}:-default}}",
                                   name, name));
    }
    if (!IsText(value)) {
      diagnostics_.Add("TN202", mark,
                       fmt::format("the environment variable {} is {}", name, kNotText));
      return "";
    }
    if (value.size() > kMostBytes - bytes_) {
      if (!told_) diagnostics_.Add("TN202", mark, "variables beyond 1 MiB in all");
      told_ = true;
      return "";
    }
    bytes_ += value.size();
    return value;
  }

  Diagnostics& diagnostics_;
  size_t bytes_ = 0;
  bool told_ = false;
};

}  // namespace

void ExpandEnvironment(YamlNode& node, Diagnostics& diagnostics) {
  Expander(diagnostics).Visit(node);
}

}  // namespace tenon::core
