// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/tokenizer_config.h"

#include "text/vocabulary.h"

namespace tenon::text::tokenizer_json {
namespace {

// "</s>", or {"content": "</s>", …}.
std::string ReadToken(Fields& fields, const char* key) {
  if (!fields.Has(key)) return {};
  const Node token = fields.Child(key);
  if (!token.value->is_object()) return fields.Text(key);
  Fields inner(token);
  std::string text = inner.Text("content");
  for (const char* known :
       {"__type", "id", "lstrip", "normalized", "rstrip", "single_word", "special"}) {
    inner.Ignore(known);
  }
  if (auto done = inner.Done(); !done.ok()) fields.Fail(done.error());
  return text;
}

// One template, or a list of {"name": …, "template": …}.
std::string ReadTemplate(Fields& fields) {
  if (!fields.Has("chat_template")) return {};
  const Node node = fields.Child("chat_template");
  if (!node.value->is_array()) return fields.Text("chat_template");
  std::string names;
  for (const Node& item : fields.List("chat_template")) {
    Fields one(item);
    const std::string name = one.Text("name"), text = one.Text("template");
    if (auto done = one.Done(); !done.ok()) {
      fields.Fail(done.error());
      return {};
    }
    if (name == "default") return text;
    names += (names.empty() ? "" : ", ") + name.substr(0, 64);
  }
  fields.Fail(node.Says("none of the templates is named default; there are: " + names));
  return {};
}

// {"128000": {"content": …}, …}
void ReadAdded(Fields& fields, std::vector<AddedToken>* out) {
  if (!fields.Has("added_tokens_decoder")) return;
  const Node list = fields.Child("added_tokens_decoder");
  if (!list.value->is_object()) return fields.Fail(list.Wrong("an object of added tokens"));
  for (const auto& item : list.value->items()) {
    const std::string& key = item.key();
    const Node node{&item.value(), list.where + "." + key.substr(0, 64)};
    if (key.empty() || key.size() > 7 || key.find_first_not_of("0123456789") != key.npos) {
      return fields.Fail(node.Says("is not the id of a token"));
    }
    Fields one(node);
    AddedToken token = ReadAddedToken(one);
    token.id = static_cast<int32_t>(std::stol(key));
    if (auto done = one.Done(); !done.ok()) return fields.Fail(done.error());
    out->push_back(std::move(token));
  }
}

}  // namespace

Result<TokenizerConfig> ReadTokenizerConfig(const Node& node) {
  TokenizerConfig out;
  Fields fields(node);
  out.chat_template = ReadTemplate(fields);
  out.bos = ReadToken(fields, "bos_token");
  out.eos = ReadToken(fields, "eos_token");
  out.unk = ReadToken(fields, "unk_token");
  out.pad = ReadToken(fields, "pad_token");
  out.add_bos = fields.FlagIfThere("add_bos_token");
  out.add_eos = fields.FlagIfThere("add_eos_token");
  out.clean_up_spaces = fields.FlagOr("clean_up_tokenization_spaces", false);
  ReadAdded(fields, &out.added);
  if (node.value->is_object()) {
    for (const auto& item : node.value->items()) fields.Ignore(item.key().c_str());
  }
  TENON_RETURN_IF_ERROR(fields.Done());
  return out;
}

}  // namespace tenon::text::tokenizer_json
