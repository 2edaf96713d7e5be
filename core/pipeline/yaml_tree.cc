// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "core/plugins/host.h"

namespace tenon::core {
namespace {

// Ends the parse from within the parser's callbacks.
struct Refused {
  Mark mark;
  std::string text;
};

// In flow style YAML would take the braces of ${VAR} for a mapping's: while it parses, these bytes
// stand for them, which no UTF-8 has and no escape of YAML makes.
constexpr char kOpenBrace = '\xfe';
constexpr char kCloseBrace = '\xff';

std::string HideBraces(std::string text) {
  constexpr const char* kNameBytes =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  size_t close = 0;  // the first brace or line end behind the last default
  size_t at = text.find("${");
  while (at != std::string::npos) {
    size_t end = text.find_first_not_of(kNameBytes, at + 2);
    if (end != std::string::npos && text.compare(end, 2, ":-") == 0) {
      if (close < end) close = text.find_first_of("}\n", end);
      end = close;
    }
    if (end != std::string::npos && text[end] == '}') {
      text[at + 1] = kOpenBrace;
      text[end] = kCloseBrace;
    }
    at = text.find("${", at + 1);
  }
  return text;
}

std::string ShowBraces(std::string text) {
  std::replace(text.begin(), text.end(), kOpenBrace, '{');
  std::replace(text.begin(), text.end(), kCloseBrace, '}');
  return text;
}

// Where each line of a text begins; turns yaml-cpp's places (lines and bytes from 0) into marks.
class Lines {
 public:
  explicit Lines(const Source& source) : source_(source), starts_{0} {
    for (size_t i = 0; i < source.text.size(); ++i) {
      if (source.text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  Mark At(const YAML::Mark& mark) const {
    const auto line = static_cast<size_t>(std::max(mark.line, 0));
    int32_t column = 1;
    if (line < starts_.size()) {
      const std::string_view text = source_.text;
      const auto bytes = static_cast<size_t>(std::max(mark.column, 0));
      for (char c : text.substr(starts_[line], bytes)) {
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++column;
      }
    }
    return {&source_, static_cast<int32_t>(line) + 1, column};
  }

 private:
  const Source& source_;
  std::vector<size_t> starts_;
};

// Builds the tree from the parser's events. Parsing by events, not by yaml-cpp's own nodes, keeps
// the places of keys, and lets nesting and aliases be limited while they are read.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Lines& lines, Diagnostics& diagnostics)
      : lines_(lines), diagnostics_(diagnostics) {}

  YamlNode Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw Refused{At(mark), "a second document; a pipeline is one"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.mark = At(mark);
    Done(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{At(mark), "an alias to what it is part of"};
    YamlNode copy = found->second;
    Count(copy, At(mark));
    Done(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = ScalarNode(At(mark), ShowBraces(value));
    Count(node, node.mark);
    Done(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(ListNode(At(mark)), anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(MapNode(At(mark)), anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;  // of a map: the next event is the value
    YamlNode key;
  };

  Mark At(const YAML::Mark& mark) const { return lines_.At(mark); }

  // Adds what is in `node` to the totals.
  void Count(const YamlNode& node, const Mark& mark) {
    text_ += node.text.size();
    if (++nodes_ > kMostYamlNodes || text_ > kMostYamlText) {
      throw Refused{mark, "more values than a pipeline needs (aliases count each time)"};
    }
    for (const YamlNode& item : node.items) Count(item, mark);
    for (const YamlNode::Entry& entry : node.entries) {
      text_ += entry.key.size();
      Count(entry.value, mark);
    }
  }

  void Open(YamlNode node, YAML::anchor_t anchor) {
    if (stack_.size() >= kMostYamlDepth) {
      throw Refused{node.mark, fmt::format("nested deeper than {} levels", kMostYamlDepth)};
    }
    Count(node, node.mark);
    stack_.push_back({std::move(node), anchor});
  }

  void Close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    Done(std::move(frame.node), frame.anchor);
  }

  void Done(YamlNode node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      Count(node, node.mark);
      anchors_[anchor] = node;
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.IsList()) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.has_key) {
      if (!node.IsScalar()) throw Refused{node.mark, "a key that is not text"};
      frame.key = std::move(node);
      frame.has_key = true;
    } else {
      frame.has_key = false;
      AddEntry(frame, std::move(node));
    }
  }

  void AddEntry(Frame& frame, YamlNode value) {
    const YamlNode& key = frame.key;
    for (const YamlNode::Entry& entry : frame.node.entries) {
      if (entry.key != key.text) continue;
      diagnostics_.Add("TN204", key.mark,
                       fmt::format("the key \"{}\" is there twice; first in line {}",
                                   OneLine(key.text, 80), entry.mark.line));
      return;
    }
    frame.node.entries.push_back({key.text, key.mark, std::move(value)});
  }

  const Lines& lines_;
  Diagnostics& diagnostics_;
  YamlNode root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  size_t nodes_ = 0;
  size_t text_ = 0;
  int documents_ = 0;
};

}  // namespace

const YamlNode* YamlNode::Get(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

YamlNode* YamlNode::Get(std::string_view key) {
  return const_cast<YamlNode*>(std::as_const(*this).Get(key));
}

void YamlNode::Set(std::string_view key, const Mark& at, YamlNode value) {
  for (Entry& entry : entries) {
    if (entry.key != key) continue;
    entry = {std::string(key), at, std::move(value)};
    return;
  }
  entries.push_back({std::string(key), at, std::move(value)});
}

void YamlNode::Erase(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

YamlNode ScalarNode(const Mark& mark, std::string_view text) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.mark = mark;
  node.text = text;
  return node;
}

YamlNode MapNode(const Mark& mark) {
  YamlNode node;
  node.kind = YamlNode::Kind::kMap;
  node.mark = mark;
  return node;
}

YamlNode ListNode(const Mark& mark) {
  YamlNode node;
  node.kind = YamlNode::Kind::kList;
  node.mark = mark;
  return node;
}

const char* Name(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "empty";
    case YamlNode::Kind::kScalar:
      return "text";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      break;
  }
  return "a mapping";
}

bool IsText(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0xf8 || (byte < 0x20 && c != '\t' && c != '\n' && c != '\r');
  });
}

std::optional<YamlNode> ParseYaml(const Source& source, Diagnostics& diagnostics) {
  if (source.text.size() > kMostYamlBytes) {
    diagnostics.Add("TN200", {&source},
                    fmt::format("more than {} bytes; a pipeline has fewer", kMostYamlBytes));
    return std::nullopt;
  }
  if (!IsText(source.text)) {
    diagnostics.Add("TN200", {&source}, fmt::format("this is {}", kNotText));
    return std::nullopt;
  }
  const Lines lines(source);
  try {
    TreeBuilder builder(lines, diagnostics);
    std::istringstream in(HideBraces(source.text));
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
    YamlNode root = builder.Take();
    if (!root.IsNull()) return root;
    return MapNode({&source, 1, 1});
  } catch (const Refused& refused) {
    diagnostics.Add("TN200", refused.mark, refused.text);
  } catch (const YAML::Exception& error) {
    diagnostics.Add("TN200", lines.At(error.mark), "this is not YAML: " + OneLine(error.msg, 200));
  } catch (const std::exception& error) {
    diagnostics.Add("TN200", {&source}, std::string("this is not YAML: ") + error.what());
  }
  return std::nullopt;
}

}  // namespace tenon::core
