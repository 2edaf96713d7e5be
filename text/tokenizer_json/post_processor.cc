// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/post_processor.h"

#include <iterator>

namespace tenon::text::tokenizer_json {
namespace {

constexpr size_t kMaxAround = 64;

Result<void> Add(const Node& node, int32_t vocab_size, Surroundings* out);

Result<int32_t> ReadId(const Node& node, int32_t vocab_size) {
  const nlohmann::json& id = *node.value;
  if (id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(vocab_size)) {
    return id.get<int32_t>();
  }
  return node.Wrong("an id below " + std::to_string(vocab_size));
}

// ["[SEP]", 102]
Result<int32_t> ReadPair(Fields& fields, const char* key, int32_t vocab_size) {
  const Node pair = fields.Child(key);
  if (!pair.value->is_array() || pair.value->size() != 2 || !(*pair.value)[0].is_string()) {
    return pair.Wrong("[token, id]");
  }
  return ReadId(pair.At(1), vocab_size);
}

Result<void> AddClsAndSep(Fields& fields, int32_t vocab_size, Surroundings* out) {
  const auto cls = ReadPair(fields, "cls", vocab_size), sep = ReadPair(fields, "sep", vocab_size);
  fields.FlagOr("trim_offsets", true);  // of offsets, which are not kept
  fields.FlagOr("add_prefix_space", true);
  TENON_RETURN_IF_ERROR(fields.Done());
  if (!cls.ok()) return cls.error();
  if (!sep.ok()) return sep.error();
  out->before.insert(out->before.begin(), *cls);
  out->after.push_back(*sep);
  return {};
}

Result<void> AddByteLevel(Fields& fields, int32_t, Surroundings*) {
  for (const char* option : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    fields.FlagOr(option, true);
  }
  return fields.Done();
}

Result<void> AddSequence(Fields& fields, int32_t vocab_size, Surroundings* out) {
  const std::vector<Node> nodes = fields.List("processors");
  TENON_RETURN_IF_ERROR(fields.Done());
  for (const Node& node : nodes) TENON_RETURN_IF_ERROR(Add(node, vocab_size, out));
  return {};
}

// "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
Result<std::vector<int32_t>> ReadIds(const Node& tokens, const std::string& name,
                                     int32_t vocab_size) {
  if (!tokens.value->is_object() || !tokens.value->contains(name)) {
    return tokens.Says("special token \"" + name.substr(0, 64) + "\" of the template is missing");
  }
  Fields token(Node{&(*tokens.value)[name], tokens.where + "." + name.substr(0, 64)});
  token.Text("id");
  const std::vector<Node> ids = token.List("ids");
  token.List("tokens");
  TENON_RETURN_IF_ERROR(token.Done());
  if (ids.size() > kMaxAround) return token.node().Says("too many ids; at most 64 allowed");
  std::vector<int32_t> out;
  for (const Node& node : ids) {
    const auto id = ReadId(node, vocab_size);
    if (!id.ok()) return id.error();
    out.push_back(*id);
  }
  return out;
}

// One part of a template: its name, and whether it stands for a text.
Result<std::pair<std::string, bool>> ReadPart(const Node& node) {
  Fields part(node);
  const bool is_text = part.Has("Sequence");
  const Node inner = part.Child(is_text ? "Sequence" : "SpecialToken");
  part.Ignore("Sequence");
  TENON_RETURN_IF_ERROR(part.Done());
  Fields fields(inner);
  std::string name = fields.Text("id");
  fields.IntegerOr("type_id", 0, 0, UINT32_MAX);
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::pair(std::move(name), is_text);
}

Result<void> AddTemplate(Fields& fields, int32_t vocab_size, Surroundings* out) {
  const std::vector<Node> parts = fields.List("single");
  const Node tokens = fields.Child("special_tokens");
  fields.Ignore("pair");  // two texts at once are never encoded
  TENON_RETURN_IF_ERROR(fields.Done());
  const Node single = fields.Child("single");
  if (parts.size() > kMaxAround) return single.Says("too many parts; at most 64 allowed");
  Surroundings around;
  bool seen = false;
  for (const Node& node : parts) {
    const auto part = ReadPart(node);
    if (!part.ok()) return part.error();
    if (part->second) {
      if (seen || part->first != "A") return single.Says("the text, A, must be there once");
      seen = true;
      continue;
    }
    const auto ids = ReadIds(tokens, part->first, vocab_size);
    if (!ids.ok()) return ids.error();
    std::vector<int32_t>& side = seen ? around.after : around.before;
    side.insert(side.end(), ids->begin(), ids->end());
  }
  if (!seen) return single.Says("the text, A, must be there once");
  out->before.insert(out->before.begin(), around.before.begin(), around.before.end());
  out->after.insert(out->after.end(), around.after.begin(), around.after.end());
  return {};
}

// In the order of kPostProcessorKinds.
constexpr Result<void> (*kReaders[])(Fields&, int32_t, Surroundings*) = {
    AddClsAndSep, AddByteLevel, AddClsAndSep, AddSequence, AddTemplate};
static_assert(std::size(kReaders) == std::size(kPostProcessorKinds));

Result<void> Add(const Node& node, int32_t vocab_size, Surroundings* out) {
  const auto type = TypeOf(node);
  if (!type.ok()) return type.error();
  const auto kind = KindOf(node, *type, kPostProcessorKinds);
  if (!kind.ok()) return kind.error();
  Fields fields(node);
  fields.Ignore("type");
  TENON_RETURN_IF_ERROR(kReaders[*kind](fields, vocab_size, out));
  if (out->before.size() > kMaxAround || out->after.size() > kMaxAround) {
    return node.Says("too many tokens around a text; at most 64 allowed on each side");
  }
  return {};
}

}  // namespace

Result<Surroundings> ReadPostProcessor(const Node& node, int32_t vocab_size) {
  Surroundings out;
  if (!node.value->is_null()) TENON_RETURN_IF_ERROR(Add(node, vocab_size, &out));
  return out;
}

}  // namespace tenon::text::tokenizer_json
