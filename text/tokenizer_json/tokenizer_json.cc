// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/tokenizer_json.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "text/tokenizer_json/decoders.h"
#include "text/tokenizer_json/pipeline.h"
#include "text/tokenizer_json/post_processor.h"
#include "text/tokenizer_json/tokenizer_config.h"

namespace tenon::text {
namespace {

using namespace tokenizer_json;  // NOLINT: this file is its door

constexpr size_t kMaxTemplateBytes = size_t{4} << 20;

// The parts of a tokenizer.json as they are put together.
struct Assembly {
  const TokenizerConfig& config;
  const TokenizerFiles& files;
  PipelineSteps steps;
  ReadModel model;
  TokenizerParts parts;
  Surroundings around;
};

// Adds what only tokenizer_config.json lists.
Result<void> MergeAdded(const Node& root, const std::vector<AddedToken>& more,
                        std::vector<AddedToken>* added) {
  for (const AddedToken& token : more) {
    const auto same = std::find_if(added->begin(), added->end(), [&](const AddedToken& other) {
      return other.id == token.id || other.content == token.content;
    });
    if (same == added->end()) {
      added->push_back(token);
    } else if (same->id != token.id || same->content != token.content) {
      return root.Says("added token \"" + same->content.substr(0, 64) + "\" has id " +
                       std::to_string(same->id) + ", but tokenizer_config.json gives \"" +
                       token.content.substr(0, 64) + "\" the id " + std::to_string(token.id));
    }
  }
  return {};
}

// Joins the model's tokens and the added ones into a vocabulary.
Result<void> FillVocabulary(const Node& root, Assembly* all) {
  ModelTokens& tokens = all->model.vocabulary;
  for (const AddedToken& token : all->steps.added) {
    const auto index = static_cast<size_t>(token.id);
    if (index < tokens.tokens.size() && tokens.used[index]) {
      if (tokens.tokens[index] == token.content) continue;
      return root.Says("token " + std::to_string(index) + " is \"" +
                       tokens.tokens[index].substr(0, 64) + "\" in the model and \"" +
                       token.content.substr(0, 64) + "\" among the added tokens");
    }
    TENON_RETURN_IF_ERROR(tokens.Add(root, token.content, token.id));
  }
  Vocabulary& v = all->parts.vocabulary;
  v.kind = std::string(kTokenizerJson);
  v.types.assign(tokens.tokens.size(), TokenType::kNormal);
  for (size_t id = 0; id < tokens.tokens.size(); ++id) {
    if (!tokens.used[id] || tokens.tokens[id].empty()) v.types[id] = TokenType::kUnused;
  }
  for (const AddedToken& token : all->steps.added) {
    v.types[static_cast<size_t>(token.id)] =
        token.special ? TokenType::kControl : TokenType::kUserDefined;
  }
  v.tokens = std::move(tokens.tokens);
  return {};
}

// How the added tokens that are looked for in normalised text read there.
Result<void> NormalizeAdded(Assembly* all) {
  PipelineSteps& steps = all->steps;
  for (const AddedToken& token : steps.added) {
    std::string text = token.content;
    if (token.normalized && steps.normalizer != nullptr) {
      TENON_RETURN_IF_ERROR(steps.normalizer->Run(&text));
      if (text != token.content) all->parts.decoded_as[token.id] = text;
    }
    steps.normal_texts.push_back(std::move(text));
  }
  return {};
}

int32_t Find(const Vocabulary& v, const std::string& token) {
  if (token.empty()) return -1;
  const auto at = std::find(v.tokens.begin(), v.tokens.end(), token);
  return at == v.tokens.end() ? -1 : static_cast<int32_t>(at - v.tokens.begin());
}

// Of config.json and tokenizer_config.json: the first names ids, the second tokens.
Result<void> ChooseSpecialIds(const Node& root, Assembly* all) {
  const TokenizerConfig& config = all->config;
  const TokenizerFiles& files = all->files;
  Vocabulary& v = all->parts.vocabulary;
  const int32_t bos = Find(v, config.bos), eos = Find(v, config.eos);
  for (const auto& [name, text, id] :
       {std::tuple("bos_token", &config.bos, bos), std::tuple("eos_token", &config.eos, eos)}) {
    if (!text->empty() && id < 0) {
      return root.Says("tokenizer_config.json has " + std::string(name) + " \"" +
                       text->substr(0, 64) + "\", which is no token");
    }
  }
  v.bos = files.bos >= 0 ? files.bos : bos;
  v.eot = files.eot;
  v.unk = files.unk >= 0 ? files.unk : all->model.unk;
  v.pad = files.pad >= 0 ? files.pad : Find(v, config.pad);
  // Of several ends the tokenizer's own is what a chat template calls eos_token.
  v.eos = files.eos;
  v.more_eos = files.more_eos;
  if (eos >= 0 && v.eos != eos) {
    std::erase(v.more_eos, eos);
    if (v.eos >= 0) v.more_eos.push_back(v.eos);
    v.eos = eos;
  }
  return {};
}

// Explicit add_bos_token and add_eos_token go before what the post-processor says.
Result<void> ChooseSurroundings(const Node& root, Assembly* all) {
  const TokenizerConfig& config = all->config;
  Vocabulary& v = all->parts.vocabulary;
  auto& before = all->around.before;
  auto& after = all->around.after;
  const int32_t bos = config.bos.empty() ? v.bos : Find(v, config.bos);
  for (const auto& [name, wanted, id] : {std::tuple("add_bos_token", config.add_bos, bos),
                                         std::tuple("add_eos_token", config.add_eos, v.eos)}) {
    if (wanted == true && id < 0) {
      return root.Says("tokenizer_config.json has " + std::string(name) +
                       ", but there is no such token");
    }
  }
  const auto has = [](const std::vector<int32_t>& list, int32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  if (config.add_bos == true && !has(before, bos)) before.insert(before.begin(), bos);
  if (config.add_bos == false) std::erase(before, bos);
  if (config.add_eos == true && !has(after, v.eos)) after.push_back(v.eos);
  if (config.add_eos == false) std::erase(after, v.eos);
  v.add_bos = v.bos >= 0 && has(before, v.bos);
  v.add_eos = v.eos >= 0 && has(after, v.eos);
  all->parts.before = before;
  all->parts.after = after;
  return {};
}

// Reads what is there; null and absent are the same.
template <typename Read, typename Out>
Result<void> Optional(const Node& node, const Read& read, Out* out) {
  if (node.value->is_null()) return {};
  auto made = read(node);
  if (!made.ok()) return made.error();
  *out = *std::move(made);
  return {};
}

std::vector<bool> SpecialIds(const std::vector<AddedToken>& added) {
  std::vector<bool> special;
  for (const AddedToken& token : added) {
    const auto index = static_cast<size_t>(token.id);
    if (token.special && index >= special.size()) special.resize(index + 1);
    if (token.special) special[index] = true;
  }
  return special;
}

Result<void> Assemble(const Node& root, Assembly* all) {
  Fields fields(root);
  fields.TextOr("version", "1.0");
  fields.Ignore("truncation");
  fields.Ignore("padding");
  const Node added = fields.Child("added_tokens"), normalizer = fields.Child("normalizer"),
             pre_tokenizer = fields.Child("pre_tokenizer"), decoder = fields.Child("decoder"),
             post_processor = fields.Child("post_processor"), model = fields.Child("model");
  TENON_RETURN_IF_ERROR(fields.Done());
  auto tokens = ReadAddedTokens(added);
  if (!tokens.ok()) return tokens.error();
  all->steps.added = *std::move(tokens);
  TENON_RETURN_IF_ERROR(MergeAdded(root, all->config.added, &all->steps.added));
  TENON_RETURN_IF_ERROR(Optional(normalizer, ReadNormalizer, &all->steps.normalizer));
  TENON_RETURN_IF_ERROR(Optional(pre_tokenizer, ReadPreTokenizer, &all->steps.pre_tokenizer));
  auto read = ReadTheModel(model, SpecialIds(all->steps.added));
  if (!read.ok()) return read.error();
  all->model = *std::move(read);
  all->steps.model = std::move(all->model.model);
  const bool is_bpe = !all->model.word_pieces && !model.value->contains("unk_id");
  auto decode = ReadDecoder(decoder, all->config.clean_up_spaces && !is_bpe);
  if (!decode.ok()) return decode.error();
  all->parts.decoder = *std::move(decode);
  TENON_RETURN_IF_ERROR(FillVocabulary(root, all));
  TENON_RETURN_IF_ERROR(NormalizeAdded(all));
  auto around =
      ReadPostProcessor(post_processor, static_cast<int32_t>(all->parts.vocabulary.tokens.size()));
  if (!around.ok()) return around.error();
  all->around = *std::move(around);
  TENON_RETURN_IF_ERROR(ChooseSpecialIds(root, all));
  return ChooseSurroundings(root, all);
}

Result<Tokenizer> Make(const nlohmann::json& document, const std::string& name,
                       const TokenizerConfig& config, const TokenizerFiles& files) {
  Assembly all{config, files, {}, {}, {}, {}};
  TENON_RETURN_IF_ERROR(Assemble(Node{&document, name + ":"}, &all));
  all.parts.vocabulary.chat_template = config.chat_template;
  all.parts.encoder = MakePipeline(std::move(all.steps));
  auto made = Tokenizer::Make(std::move(all.parts));
  if (!made.ok()) return Error{made.error().status, name + ": " + made.error().message};
  return made;
}

Result<std::string> ReadText(const std::string& path, size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open()) return Error{Status::kNotFound, path + ": cannot be opened"};
  if (text.size() > max_bytes) {
    return Error{Status::kInvalid, path + ": " + std::to_string(text.size()) + " bytes; at most " +
                                       std::to_string(max_bytes) + " allowed"};
  }
  return text;
}

}  // namespace

Result<Tokenizer> OpenTokenizerJson(const TokenizerFiles& files) {
  TokenizerConfig config;
  if (!files.tokenizer_config_json.empty()) {
    const auto document = ReadJson(files.tokenizer_config_json);
    if (!document.ok()) return document.error();
    auto read = ReadTokenizerConfig({&*document, files.tokenizer_config_json + ":"});
    if (!read.ok()) return read.error();
    config = *std::move(read);
  }
  if (!files.chat_template_jinja.empty()) {
    auto text = ReadText(files.chat_template_jinja, kMaxTemplateBytes);
    if (!text.ok()) return text.error();
    config.chat_template = *std::move(text);
  }
  const auto document = ReadJson(files.tokenizer_json);
  if (!document.ok()) return document.error();
  return Make(*document, files.tokenizer_json, config, files);
}

Result<Tokenizer> ParseTokenizerJson(std::string_view json, std::string_view config,
                                     const std::string& name, const TokenizerFiles& files) {
  TokenizerConfig said;
  if (!config.empty()) {
    const auto document = ParseJson(config, "tokenizer_config.json");
    if (!document.ok()) return document.error();
    auto read = ReadTokenizerConfig({&*document, "tokenizer_config.json:"});
    if (!read.ok()) return read.error();
    said = *std::move(read);
  }
  const auto document = ParseJson(json, name);
  if (!document.ok()) return document.error();
  return Make(*document, name, said, files);
}

}  // namespace tenon::text
