// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "models/load.h"
#include "models/testing/gguf_writer.h"
#include "models/testing/interpreter.h"
#include "models/testing/recorder.h"
#include "models/weights/config.h"
#include "models/weights/safetensors.h"

// Models beside what an independent implementation computes with them, and the parts that rewrite
// such a model as a GGUF file.
namespace tenon::models::testing {

inline std::vector<std::vector<float>> LogitsOf(const std::filesystem::path& path,
                                                const std::vector<int32_t>& ids) {
  const auto model = LoadModel(path.string());
  EXPECT_TRUE(model.ok()) << model.error().message;
  if (!model.ok()) return {};
  Recorder program;
  const auto outputs = (*model)->Emit(program);
  EXPECT_TRUE(outputs.ok());
  return Interpreter::Logits(program, outputs->rows, ids);
}

struct Case {
  std::vector<int32_t> ids, argmax;
  std::vector<float> last_logits;
};

inline std::vector<Case> CasesOf(const std::filesystem::path& folder) {
  std::vector<Case> out;
  const auto json = ConfigFile::Open((folder / "reference.json").string());
  EXPECT_TRUE(json.ok()) << json.error().message;
  for (int64_t i = 0; json.ok() && i < json->ListSize("cases"); ++i) {
    const std::string at = "cases." + std::to_string(i);
    Case one;
    for (int64_t j = 0; j < json->ListSize(at + ".ids"); ++j) {
      const std::string item = "." + std::to_string(j);
      one.ids.push_back(static_cast<int32_t>(json->Find(at + ".ids" + item).integer));
      one.argmax.push_back(static_cast<int32_t>(json->Find(at + ".argmax" + item).integer));
    }
    for (int64_t j = 0; j < json->ListSize(at + ".last_logits"); ++j) {
      const Scalar logit = json->Find(at + ".last_logits." + std::to_string(j));
      one.last_logits.push_back(static_cast<float>(logit.real));
    }
    out.push_back(std::move(one));
  }
  return out;
}

inline void ExpectMatchesReference(const std::filesystem::path& model,
                                   const std::vector<Case>& cases) {
  ASSERT_GE(cases.size(), 3u);
  for (const Case& one : cases) {
    const auto logits = LogitsOf(model, one.ids);
    ASSERT_EQ(logits.size(), one.ids.size());
    ASSERT_EQ(logits.back().size(), one.last_logits.size());
    for (size_t i = 0; i < one.last_logits.size(); ++i) {
      EXPECT_NEAR(logits.back()[i], one.last_logits[i], 1e-3) << "logit " << i;
    }
    for (size_t t = 0; t < one.ids.size(); ++t) {
      const auto best = std::max_element(logits[t].begin(), logits[t].end());
      EXPECT_EQ(best - logits[t].begin(), one.argmax[t]) << "position " << t;
    }
  }
}

inline std::vector<float> Values(const SafetensorsFile& file, const std::string& name) {
  const StoredTensor* stored = file.FindTensor(name);
  EXPECT_NE(stored, nullptr) << name;
  const auto* data = static_cast<const float*>(stored->tensor.data);
  return {data, data + stored->tensor.rows * stored->tensor.columns};
}

inline void Put(GgufWriter& w, const std::string& name, const std::vector<float>& values,
                uint64_t columns) {
  std::vector<uint64_t> axes = {columns};
  if (values.size() > columns) axes.push_back(values.size() / columns);
  w.Tensor(name, axes, 0,
           std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
}

using Names = std::map<std::string, std::string>;  // of a layer: Hugging Face to GGUF

inline const Names kLlamaNames = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};

}  // namespace tenon::models::testing
