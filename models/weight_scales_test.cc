// SPDX-License-Identifier: Apache-2.0
// Weights stored as 8-bit floats with factors beside them.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/cpu/half.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/safetensors_writer.h"
#include "models/testing/tiny_reference.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::ConfigOf;
using testing::EmptyFolder;
using ::testing::HasSubstr;
using testing::Recorder;
using testing::Replaced;
using testing::SafetensorsWriter;
using testing::WriteFile;

const fs::path kLlama = fs::path(TENON_SOURCE_DIR) / "tests/data/models/llama";

// How factors lie beside a matrix of [rows, columns].
struct Scheme {
  const char* suffix;
  int64_t rows, columns;  // that share one; 0: all
  const char* dtype;      // of the factors
  const char* config;     // quantization_config
};
constexpr Scheme kBlocks = {"_scale_inv", 48, 40, "F32",
                            R"({"quant_method":"fp8","weight_block_size":[48,40]})"};
constexpr Scheme kRows = {"_scale", 1, 0, "BF16",
                          R"({"quant_method":"compressed-tensors","format":"float-quantized"})"};
constexpr Scheme kOne = {"_scale", 0, 0, "F32", R"({"quant_method":"fp8"})"};

uint8_t NearestCode(float value) {
  uint8_t best = 0;
  for (int code = 0; code < 256; ++code) {
    const float decoded = cpu::F8E4M3ToF32(static_cast<uint8_t>(code));
    if (std::isnan(decoded)) continue;
    if (std::abs(decoded - value) < std::abs(cpu::F8E4M3ToF32(best) - value)) {
      best = static_cast<uint8_t>(code);
    }
  }
  return best;
}

// A matrix of 8-bit floats, its factors, and what the two stand for.
struct Coded {
  std::string codes;
  std::vector<float> scales;
  uint64_t scale_rows, scale_columns;
  std::vector<float> values;
};

Coded Encode(const Tensor& tensor, const Scheme& scheme) {
  const int64_t by_rows = scheme.rows > 0 ? scheme.rows : tensor.rows;
  const int64_t by_columns = scheme.columns > 0 ? scheme.columns : tensor.columns;
  Coded out;
  out.scale_rows = static_cast<uint64_t>((tensor.rows + by_rows - 1) / by_rows);
  out.scale_columns = static_cast<uint64_t>((tensor.columns + by_columns - 1) / by_columns);
  for (size_t i = 0; i < out.scale_rows * out.scale_columns; ++i) {
    out.scales.push_back(0.0078125f * static_cast<float>(1 + i % 5));  // exact in bf16
  }
  const auto* data = static_cast<const float*>(tensor.data);
  for (int64_t i = 0; i < tensor.rows * tensor.columns; ++i) {
    const int64_t at = i / tensor.columns / by_rows * static_cast<int64_t>(out.scale_columns) +
                       i % tensor.columns / by_columns;
    const float scale = out.scales[static_cast<size_t>(at)];
    const uint8_t code = NearestCode(data[i] / scale);
    out.codes += static_cast<char>(code);
    out.values.push_back(cpu::F8E4M3ToF32(code) * scale);
  }
  return out;
}

void PutScales(SafetensorsWriter& w, const std::string& name, const Coded& coded,
               const Scheme& scheme) {
  std::vector<uint64_t> shape = {coded.scale_rows, coded.scale_columns};
  if (coded.scales.size() == 1) shape = {1};
  std::string bytes;
  for (const float scale : coded.scales) {
    if (std::string(scheme.dtype) == "BF16") {
      testing::GgufWriter::Put(bytes, cpu::F32ToBf16(scale));
    } else {
      testing::GgufWriter::Put(bytes, scale);
    }
  }
  w.Raw(name + scheme.suffix, scheme.dtype, shape, bytes);
}

bool IsLinear(const StoredTensor& stored) { return stored.name.find("_proj") != stored.name.npos; }

// The model with its linears as 8-bit floats, and with the same values as f32.
struct Pair {
  fs::path coded, plain;
};

Pair WriteBoth(const fs::path& folder, const Scheme& scheme) {
  const auto file = SafetensorsFile::OpenFolder(folder.string());
  EXPECT_TRUE(file.ok());
  SafetensorsWriter coded, plain;
  for (size_t i = 0; file.ok() && i < file->TensorCount(); ++i) {
    const StoredTensor& stored = file->TensorAt(i);
    const std::string name(stored.name);
    std::vector<uint64_t> shape = {static_cast<uint64_t>(stored.tensor.rows),
                                   static_cast<uint64_t>(stored.tensor.columns)};
    if (shape[0] == 1) shape.erase(shape.begin());
    if (!IsLinear(stored)) {
      coded.F32(name, shape, testing::Values(*file, name));
      plain.F32(name, shape, testing::Values(*file, name));
      continue;
    }
    const Coded one = Encode(stored.tensor, scheme);
    coded.Raw(name, "F8_E4M3", shape, one.codes);
    PutScales(coded, name, one, scheme);
    plain.F32(name, shape, one.values);
  }
  const Pair out = {EmptyFolder("coded"), EmptyFolder("plain")};
  WriteFile(out.coded / "model.safetensors", coded.Bytes());
  WriteFile(out.plain / "model.safetensors", plain.Bytes());
  WriteFile(out.plain / "config.json", ConfigOf(folder));
  WriteFile(
      out.coded / "config.json",
      Replaced(ConfigOf(folder), "\"model_type\"",
               "\"quantization_config\": " + std::string(scheme.config) + ", \"model_type\""));
  return out;
}

void ExpectSameLogits(const Pair& pair) {
  const std::vector<int32_t> ids = {5, 17, 3, 200};
  const auto coded = testing::LogitsOf(pair.coded, ids);
  const auto plain = testing::LogitsOf(pair.plain, ids);
  ASSERT_EQ(coded.size(), ids.size());
  ASSERT_EQ(plain.size(), ids.size());
  for (size_t t = 0; t < ids.size(); ++t) {
    for (size_t i = 0; i < plain[t].size(); ++i) {
      ASSERT_NEAR(coded[t][i], plain[t][i], 1e-4) << "token " << t << ", logit " << i;
    }
  }
}

TEST(WeightScales, StandBesideMatricesInBlocks) { ExpectSameLogits(WriteBoth(kLlama, kBlocks)); }

TEST(WeightScales, StandBesideEachRow) { ExpectSameLogits(WriteBoth(kLlama, kRows)); }

TEST(WeightScales, StandBesideTheWholeMatrix) { ExpectSameLogits(WriteBoth(kLlama, kOne)); }

// Parts of fused matrices begin inside a block.
TEST(WeightScales, FollowSlicesOfFusedMatrices) {
  const fs::path folder = testing::Tiny("phi3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectSameLogits(WriteBoth(folder, kBlocks));
  ExpectSameLogits(WriteBoth(folder, kRows));
}

// W_uk is transposed, and q_b and kv_b are cut into heads.
TEST(WeightScales, FollowTransposedSlices) {
  const fs::path folder = testing::Tiny("deepseek_v3");
  if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
  ExpectSameLogits(WriteBoth(folder, kBlocks));
  ExpectSameLogits(WriteBoth(folder, kRows));
}

TEST(WeightScales, AreNotNeededWhereThereAreNone) {
  SafetensorsWriter w;
  const auto file = SafetensorsFile::OpenFolder(kLlama.string());
  ASSERT_TRUE(file.ok());
  for (size_t i = 0; i < file->TensorCount(); ++i) {
    const StoredTensor& stored = file->TensorAt(i);
    const Coded one = Encode(stored.tensor, kOne);
    std::vector<uint64_t> shape = {static_cast<uint64_t>(stored.tensor.rows),
                                   static_cast<uint64_t>(stored.tensor.columns)};
    if (shape[0] == 1) shape.erase(shape.begin());
    const std::string name(stored.name);
    if (IsLinear(stored)) {
      w.Raw(name, "F8_E4M3", shape, one.codes);
    } else {
      w.F32(name, shape, testing::Values(*file, name));
    }
  }
  const fs::path folder = EmptyFolder("bare");
  WriteFile(folder / "model.safetensors", w.Bytes());
  WriteFile(folder / "config.json", ConfigOf(kLlama));
  const auto model = LoadModel(folder.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* qkv = program.Find("layers.0.qkv");
  EXPECT_TRUE(qkv->needs.Has(WeightCapability(DType::kF8E4M3)));
  EXPECT_FALSE(qkv->needs.Has(Capability::kWeightScales));
  EXPECT_EQ(qkv->weights.at(0).scales.data, nullptr);
}

TEST(WeightScales, AreSaidToBeNeeded) {
  const Pair pair = WriteBoth(kLlama, kBlocks);
  const auto model = LoadModel(pair.coded.string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  Recorder program;
  ASSERT_TRUE((*model)->Emit(program).ok());
  const Recorder::Kept* qkv = program.Find("layers.0.qkv");
  EXPECT_TRUE(qkv->needs.Has(Capability::kWeightScales));
  EXPECT_TRUE(qkv->needs.Has(WeightCapability(DType::kF8E4M3)));
  EXPECT_EQ(qkv->weights.at(0).scale_rows, 48);
  EXPECT_EQ(qkv->weights.at(0).scale_columns, 40);
  EXPECT_EQ(qkv->weights.at(0).scales.rows, 2);
  EXPECT_EQ(qkv->weights.at(0).scales.columns, 2);
  EXPECT_FALSE(program.Find("head")->needs.Has(Capability::kWeightScales));
}

TEST(WeightScales, OfAnotherShapeAreRefused) {
  const Pair pair = WriteBoth(kLlama, kBlocks);
  WriteFile(pair.coded / "config.json", Replaced(ConfigOf(pair.coded), "[48,40]", "[32,40]"));
  EXPECT_THAT(testing::ErrorOf(pair.coded),
              HasSubstr("_proj.weight_scale_inv\" is [4, 2], one number, one for each of 160 rows, "
                        "or [5, 2] expected"));
}

// ---- what is said of quantised models

TEST(Quantization, RefusesUnknownMethodsByName) {
  const auto error = [](const std::string& group) {
    return testing::ErrorOf(testing::WithConfig(
        kLlama, Replaced(ConfigOf(kLlama), "\"model_type\"",
                         "\"quantization_config\": " + group + ", \"model_type\"")));
  };
  for (const char* method : {"gptq", "awq", "bitsandbytes"}) {
    EXPECT_THAT(error("{\"quant_method\": \"" + std::string(method) + "\"}"),
                HasSubstr("quantization_config.quant_method is \"" + std::string(method) +
                          "\"; fp8, fbgemm_fp8, mxfp4 and compressed-tensors"));
  }
  EXPECT_THAT(error(R"({"quant_method": "compressed-tensors", "format": "pack-quantized"})"),
              HasSubstr("quantization_config.format is \"pack-quantized\"; float-quantized"));
  EXPECT_THAT(error("7"), HasSubstr("quantization_config is 7; an object expected"));
  EXPECT_THAT(error(R"({"quant_method": "fp8", "weight_block_size": [128]})"),
              HasSubstr("weight_block_size is no list of two integers"));
  EXPECT_THAT(error(R"({"quant_method": "fp8", "weight_block_size": [0, 128]})"),
              HasSubstr("weight_block_size.0 is 0; an integer from 1"));
  EXPECT_EQ(error("null"), "no error");
}

}  // namespace
}  // namespace tenon::models
