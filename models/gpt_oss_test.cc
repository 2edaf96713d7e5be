// SPDX-License-Identifier: Apache-2.0
// gpt-oss: sinks, windows, and experts with biases, from both formats.
#include <cmath>
#include <filesystem>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/safetensors_writer.h"
#include "models/testing/tiny_reference.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::CasesOf;
using testing::ConfigOf;
using testing::ExpectMatchesReference;
using testing::GgufTensor;
using testing::GgufTensors;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::Names;
using testing::Recorder;
using testing::Replaced;
using testing::Tiny;
using testing::WithConfig;
using testing::WriteGguf;

std::string ErrorWith(const fs::path& folder, const std::string& from, const std::string& to) {
  return testing::ErrorOf(WithConfig(folder, Replaced(ConfigOf(folder), from, to)));
}

TEST(GptOss, ComputesTheReferenceFromSafetensors) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectMatchesReference(folder, CasesOf(folder));
}

// Column first, first + step, … of each of `count` matrices [rows, columns] as rows.
GgufTensor Turned(const GgufTensor& from, size_t count, size_t first, size_t step) {
  const size_t columns = from.columns;
  const size_t rows = from.values.size() / columns / count;
  GgufTensor out;
  out.columns = rows;
  for (size_t e = 0; e < count; ++e) {
    for (size_t c = first; c < columns; c += step) {
      for (size_t r = 0; r < rows; ++r)
        out.values.push_back(from.values[(e * rows + r) * columns + c]);
    }
  }
  return out;
}

// The experts of a layer as GGUF has them: not transposed, gate and up apart.
void SplitGptOssExperts(std::map<std::string, GgufTensor>& tensors, const std::string& block) {
  const auto take = [&](const char* name) { return tensors.extract(block + name).mapped(); };
  const GgufTensor gate_up = take("gate_up"), down = take("down");
  const GgufTensor gate_up_bias = take("gate_up_bias");
  tensors[block + "ffn_gate_exps.weight"] = Turned(gate_up, 4, 0, 2);
  tensors[block + "ffn_up_exps.weight"] = Turned(gate_up, 4, 1, 2);
  tensors[block + "ffn_down_exps.weight"] = Turned(down, 4, 0, 1);
  for (size_t half = 0; half < 2; ++half) {
    GgufTensor& bias = tensors[block + (half == 0 ? "ffn_gate_exps.bias" : "ffn_up_exps.bias")];
    bias.columns = 160;
    for (size_t i = half; i < gate_up_bias.values.size(); i += 2) {
      bias.values.push_back(gate_up_bias.values[i]);
    }
  }
}

std::map<std::string, GgufTensor> GptOssTensors(const fs::path& folder) {
  Names names = testing::kLlamaNames;
  names["post_attention_layernorm"] = "post_attention_norm";
  names["mlp.router"] = "ffn_gate_inp";
  names["self_attn.sinks"] = "attn_sinks.weight";
  names["mlp.experts.gate_up_proj"] = "gate_up";
  names["mlp.experts.gate_up_proj_bias"] = "gate_up_bias";
  names["mlp.experts.down_proj"] = "down";
  names["mlp.experts.down_proj_bias"] = "ffn_down_exps.bias";
  auto tensors = GgufTensors(folder, names);
  for (const char* block : {"blk.0.", "blk.1.", "blk.2."}) SplitGptOssExperts(tensors, block);
  return tensors;
}

TEST(GptOss, ComputesTheReferenceFromGguf) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  GgufWriter w = testing::SizesOfReference("gpt-oss", 1e-5f);
  w.U32("gpt-oss.expert_count", 4);
  w.U32("gpt-oss.expert_used_count", 2);
  w.U32("gpt-oss.expert_feed_forward_length", 160);
  w.U32("gpt-oss.attention.key_length", 16);
  w.U32("gpt-oss.attention.value_length", 16);
  w.U32("gpt-oss.attention.sliding_window", 8);
  w.F32("gpt-oss.rope.freq_base", 150000);
  w.Text("gpt-oss.rope.scaling.type", "yarn");
  w.F32("gpt-oss.rope.scaling.factor", 32);
  w.U32("gpt-oss.rope.scaling.original_context_length", 4096);
  ExpectMatchesReference(WriteGguf(w, GptOssTensors(folder)), CasesOf(folder));
}

TEST(GptOss, EmitsSinksWindowsAndClampedExperts) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* first = program.Find("layers.0.attention");
  EXPECT_EQ(first->Params<AttentionParams>().has_sinks, 1u);
  EXPECT_EQ(first->Params<AttentionParams>().window, 8);
  EXPECT_EQ(first->Params<AttentionParams>().scale, 0.25f);
  EXPECT_TRUE(first->needs.Has(Capability::kSinks));
  ASSERT_EQ(first->weights.size(), 1u);
  EXPECT_EQ(first->weights[0].tensor.columns, 4);
  EXPECT_EQ(program.Find("layers.1.attention")->Params<AttentionParams>().window, 0);
  EXPECT_FLOAT_EQ(program.Find("layers.0.rope")->Params<RopeParams>().magnitude, 1.34657359f);
  const Recorder::Kept* glu = program.Find("layers.0.experts_glu");
  EXPECT_EQ(glu->kind, kClampedGlu);
  EXPECT_FLOAT_EQ(glu->Params<ClampedGluParams>().alpha, 1.702f);
  EXPECT_FLOAT_EQ(glu->Params<ClampedGluParams>().limit, 7);
  const Recorder::Kept* up = program.Find("layers.0.experts_gate_up");
  EXPECT_EQ(up->Params<GroupedLinearParams>().has_bias, 1u);
  EXPECT_TRUE(up->needs.Has(Capability::kLinearBias));
  EXPECT_EQ(up->weights.size(), 16u);
  EXPECT_EQ(program.Find("layers.0.route")->Params<RouteParams>().score,
            RouteScore::kSoftmaxChosen);
}

TEST(GptOss, RefusesWhatItCannotFollow) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  EXPECT_THAT(ErrorWith(folder, "\"swiglu_limit\": 7.0", "\"swiglu_limit\": 0"),
              HasSubstr("swiglu_limit is 0; a number"));
  EXPECT_THAT(ErrorWith(folder, "\"num_local_experts\": 4", "\"num_local_experts\": 5"),
              HasSubstr("\"model.layers.0.mlp.experts.gate_up_proj\" is [256, 320], [320, 320] "
                        "expected"));
}

// ---- MXFP4

constexpr float kValues[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

uint8_t NearestCode(float value) {
  uint8_t best = 0;
  for (uint8_t code = 0; code < 8; ++code) {
    const float distance = std::abs(kValues[code] - std::abs(value));
    if (distance < std::abs(kValues[best] - std::abs(value))) best = code;
  }
  return static_cast<uint8_t>(value < 0 ? best | 8 : best);
}

// Experts' matrices in MXFP4, and what they stand for, as the reference has them: transposed.
struct Packed {
  std::string blocks, scales;
  std::vector<float> values;
};

Packed Pack(const std::vector<float>& transposed, size_t count, size_t columns, size_t rows) {
  Packed out;
  out.values.resize(transposed.size());
  for (size_t i = 0; i < transposed.size(); ++i) {
    const size_t c = i % columns, r = i / columns % rows, e = i / columns / rows;
    const size_t at = (e * columns + c) * rows + r;
    const int power = static_cast<int>((e + r + c / 32) % 3) - 5;
    const uint8_t code = NearestCode(std::ldexp(transposed[at], -power));
    out.values[at] = std::ldexp(kValues[code & 7], power) * (code > 7 ? -1.0f : 1.0f);
    if (c % 32 == 0) out.scales += static_cast<char>(power + 127);
    if (c % 2 == 0) {
      out.blocks += static_cast<char>(code);
    } else {
      out.blocks.back() = static_cast<char>(static_cast<uint8_t>(out.blocks.back()) | code << 4);
    }
  }
  EXPECT_EQ(transposed.size(), count * columns * rows);
  return out;
}

// Writes the reference with its experts in MXFP4 to one folder, and the same numbers to the other.
// One block of each down_proj has the factor 2^first_power.
void WritePacked(const fs::path& folder, const fs::path& packed, const fs::path& plain,
                 int first_power) {
  const auto file = SafetensorsFile::OpenFolder(folder.string());
  ASSERT_TRUE(file.ok());
  testing::SafetensorsWriter to_packed, to_plain;
  for (size_t i = 0; i < file->TensorCount(); ++i) {
    const StoredTensor& stored = file->TensorAt(i);
    const std::string name(stored.name);
    const auto rows = static_cast<uint64_t>(stored.tensor.rows);
    const auto columns = static_cast<uint64_t>(stored.tensor.columns);
    std::vector<uint64_t> shape = {rows, columns};
    if (rows == 1) shape = {columns};
    if (!name.ends_with("experts.gate_up_proj") && !name.ends_with("experts.down_proj")) {
      to_packed.F32(name, shape, testing::Values(*file, name));
      to_plain.F32(name, shape, testing::Values(*file, name));
      continue;
    }
    Packed one = Pack(testing::Values(*file, name), 4, rows / 4, columns);
    if (name.ends_with("experts.down_proj")) {
      one.scales[0] = static_cast<char>(first_power + 127);
    }
    to_packed.Raw(name + "_blocks", "U8", {4, columns, rows / 4 / 32, 16}, one.blocks);
    to_packed.Raw(name + "_scales", "U8", {4, columns, rows / 4 / 32}, one.scales);
    to_plain.F32(name, {4, rows / 4, columns}, one.values);
  }
  testing::WriteFile(packed / "model.safetensors", to_packed.Bytes());
  testing::WriteFile(plain / "model.safetensors", to_plain.Bytes());
  testing::WriteFile(plain / "config.json", ConfigOf(folder));
  testing::WriteFile(packed / "config.json",
                     Replaced(ConfigOf(folder), "\"model_type\"",
                              "\"quantization_config\": {\"quant_method\": \"mxfp4\"}, "
                              "\"model_type\""));
}

TEST(GptOss, ReadsMxfp4WithoutLoss) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const fs::path packed = testing::EmptyFolder("packed"), plain = testing::EmptyFolder("plain");
  WritePacked(folder, packed, plain, -5);
  const std::vector<int32_t> ids = {7, 200, 31, 4, 90};
  const auto got = testing::LogitsOf(packed, ids);
  const auto wanted = testing::LogitsOf(plain, ids);
  ASSERT_EQ(got.size(), ids.size());
  for (size_t t = 0; t < ids.size(); ++t) EXPECT_EQ(got[t], wanted[t]) << "token " << t;
  const auto model = LoadModel(packed.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  EXPECT_TRUE(program.Find("layers.0.experts_down")->needs.Has(WeightCapability(DType::kQ5_0)));
}

TEST(GptOss, RefusesMxfp4BeyondItsRange) {
  const fs::path folder = Tiny("gpt_oss");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  const fs::path packed = testing::EmptyFolder("packed"), plain = testing::EmptyFolder("plain");
  WritePacked(folder, packed, plain, -24);
  EXPECT_THAT(testing::ErrorOf(packed),
              HasSubstr("down_proj_scales\" has a factor 2^-24; 2^-23 to 2^16 can be read"));
}

}  // namespace
}  // namespace tenon::models
