// SPDX-License-Identifier: Apache-2.0
#include "models/weights/safetensors.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/hostile.h"
#include "models/testing/safetensors_writer.h"
#include "models/weights/safetensors_header.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::EachByteChanged;
using testing::EachPrefix;
using ::testing::HasSubstr;
using testing::SafetensorsBytes;
using testing::SafetensorsWriter;
using testing::SeedSafetensors;

Result<SafetensorsFile> Read(const std::string& bytes) {
  return SafetensorsFile::Read(std::as_bytes(std::span(bytes)), "m.safetensors");
}

// The error for a header and that many bytes of data.
std::string ErrorOf(const std::string& header, size_t data_bytes = 0) {
  const std::string bytes = SafetensorsBytes(header, std::string(data_bytes, '\0'));
  const Result<SafetensorsFile> file = Read(bytes);
  return file.ok() ? "no error" : file.error().message;
}

uint64_t Touch(const SafetensorsFile& file) {
  uint64_t sum = 0;
  for (size_t i = 0; i < file.TensorCount(); ++i) {
    const StoredTensor& stored = file.TensorAt(i);
    const auto* data = static_cast<const unsigned char*>(stored.tensor.data);
    const uint64_t values = uint64_t(stored.tensor.rows) * uint64_t(stored.tensor.columns);
    sum += data[0] + data[BytesOf(stored.tensor.dtype, values) - 1] + stored.name.size();
  }
  return sum;
}

fs::path EmptyFolder(const char* name) {
  const fs::path folder = fs::path(::testing::TempDir()) / "models_safetensors_test" / name;
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

TEST(Safetensors, ReadsShapesTypesAndNames) {
  const std::string bytes = SeedSafetensors();
  const Result<SafetensorsFile> file = Read(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->TensorCount(), 4u);
  const StoredTensor* a = file->FindTensor("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->tensor.rows, 2);
  EXPECT_EQ(a->tensor.columns, 3);
  EXPECT_EQ(a->tensor.dtype, DType::kF32);
  EXPECT_EQ(static_cast<const char*>(a->tensor.data), bytes.data() + bytes.size() - 44);
  ASSERT_NE(file->FindTensor("bA"), nullptr);
  EXPECT_EQ(file->FindTensor("bA")->tensor.rows, 1);
  EXPECT_EQ(file->FindTensor("c")->tensor.rows, 2);
  EXPECT_EQ(file->FindTensor("c")->tensor.dtype, DType::kBF16);
  EXPECT_EQ(file->FindTensor("scalar")->tensor.columns, 1);
  EXPECT_EQ(file->FindTensor("__metadata__"), nullptr);
}

TEST(Safetensors, RefusesTypesByName) {
  EXPECT_EQ(ErrorOf(R"({"t":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8),
            "m.safetensors: not a valid safetensors file: tensor \"t\" is stored as \"I64\"; F32, "
            "F16, BF16, F8_E4M3 can be read");
}

TEST(Safetensors, ChecksOffsets) {
  const auto error = [](const char* shape, const char* offsets, size_t data) {
    return ErrorOf(std::string(R"({"t":{"dtype":"F32","shape":)") + shape + R"(,"data_offsets":)" +
                       offsets + "}}",
                   data);
  };
  EXPECT_EQ(error("[2]", "[0,8]", 8), "no error");
  EXPECT_THAT(error("[2]", "[0,4]", 8), HasSubstr("its shape takes 8 bytes"));
  EXPECT_THAT(error("[2]", "[0,8]", 7), HasSubstr("the data has 7; was the download interrupted?"));
  EXPECT_THAT(error("[2]", "[8,0]", 8), HasSubstr("lies at [8, 0)"));
  EXPECT_THAT(error("[2]", "[4,12]", 12), HasSubstr("starts at byte 4"));
  EXPECT_THAT(error("[2]", "[0,8]", 12), HasSubstr("take 8 bytes, but there are 12"));
  EXPECT_THAT(error("[2]", "[18446744073709551615,7]", 8), HasSubstr("lies at"));
  EXPECT_THAT(error("[4294967296,4294967296]", "[0,8]", 8), HasSubstr("axis 1"));
  EXPECT_THAT(error("[0]", "[0,0]", 0), HasSubstr("axis 0 is 0"));
  EXPECT_THAT(error("[1,1,1,1,1,1,1,1,2]", "[0,8]", 8), HasSubstr("more than 8 axes"));
  EXPECT_THAT(error("[2]", "[0,8,9]", 8), HasSubstr("too long"));
  EXPECT_THAT(error("[2]", "[0]", 8), HasSubstr("has 1 numbers; 2 expected"));
  EXPECT_THAT(error("[-2]", "[0,8]", 8), HasSubstr("a negative number"));
  EXPECT_THAT(error("[2.0]", "[0,8]", 8), HasSubstr("a fraction"));
  EXPECT_THAT(error("[[2]]", "[0,8]", 8), HasSubstr("a list where none belongs"));
}

TEST(Safetensors, RefusesOverlapAndDuplicates) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string b = R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]})";
  const std::string twin = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]})";
  EXPECT_THAT(ErrorOf("{" + a + "," + b + "}", 12), HasSubstr("starts at byte 4"));
  EXPECT_THAT(ErrorOf("{" + a + "," + twin + "}", 12), HasSubstr("tensor \"a\" is there twice"));
}

TEST(Safetensors, RefusesOddHeaders) {
  EXPECT_THAT(ErrorOf(R"({"t":{"dtype":"F32","shape":[1]}})"),
              HasSubstr("tensor \"t\" must have dtype, shape and data_offsets"));
  EXPECT_THAT(ErrorOf(R"({"t":{"dtype":"F32","dtype":"F32"}})"), HasSubstr("there twice"));
  EXPECT_THAT(ErrorOf(R"({"t":{"other":1}})"), HasSubstr("unknown field \"other\""));
  EXPECT_THAT(ErrorOf(R"({"t":{"dtype":{"x":1}}})"), HasSubstr("an object inside tensor \"t\""));
  EXPECT_THAT(ErrorOf(R"({"t":null})"), HasSubstr("null where it does not belong"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":{"a":["b"]}})"), HasSubstr("a list where none belongs"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":"a"})"), HasSubstr("a string"));
  EXPECT_THAT(ErrorOf(R"({"":{}})"), HasSubstr("a tensor has no name"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("does not start with"));
  EXPECT_THAT(ErrorOf("{\"\xff\":1}"), HasSubstr("no valid JSON at byte"));
  EXPECT_THAT(ErrorOf(R"({"t":{"shape":[1e999]}})"), HasSubstr("no valid JSON at byte"));
  EXPECT_THAT(ErrorOf("{\"t\":" + std::string(1000000, '[')), HasSubstr("a list"));
}

TEST(Safetensors, EveryPrefixIsOneClearError) {
  EachPrefix(SeedSafetensors(), [](std::span<const std::byte> bytes, const std::string& what) {
    const Result<SafetensorsFile> file = SafetensorsFile::Read(bytes, "m.safetensors");
    ASSERT_FALSE(file.ok()) << what;
    EXPECT_THAT(file.error().message, ::testing::StartsWith("m.safetensors: ")) << what;
  });
}

TEST(Safetensors, EveryChangedHeaderByteIsReadOrRefused) {
  const std::string seed = SeedSafetensors();
  int read = 0, refused = 0;
  EachByteChanged(seed, seed.size() - 44,
                  [&](std::span<const std::byte> bytes, const std::string& what) {
                    const Result<SafetensorsFile> file = SafetensorsFile::Read(bytes, "m");
                    if (file.ok()) {
                      ++read;
                      EXPECT_GT(Touch(*file), 0u);
                    } else {
                      ++refused;
                      EXPECT_FALSE(file.error().message.empty()) << what;
                    }
                  });
  EXPECT_GT(read, 4);  // names may change freely
  EXPECT_GT(refused, 1000);
}

TEST(Safetensors, OpensShards) {
  const fs::path folder = EmptyFolder("shards");
  SafetensorsWriter one, two;
  one.F32("a", {2}, {1, 2});
  two.F32("b", {1, 2}, {3, 4});
  std::ofstream(folder / "one.safetensors", std::ios::binary) << one.Bytes();
  std::ofstream(folder / "two.safetensors", std::ios::binary) << two.Bytes();
  const fs::path index = folder / "model.safetensors.index.json";
  const auto open = [&](const char* json) {
    std::ofstream(index) << json;
    return SafetensorsFile::OpenFolder(folder.string());
  };
  const auto good = open(
      R"({"metadata":{"total_size":16},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  ASSERT_TRUE(good.ok()) << good.error().message;
  EXPECT_EQ(good->TensorCount(), 2u);
  EXPECT_EQ(static_cast<const float*>(good->FindTensor("b")->tensor.data)[1], 4);

  EXPECT_THAT(
      open(R"({"weight_map":{"b":"one.safetensors","a":"two.safetensors"}})").error().message,
      HasSubstr("puts tensor \"b\" into \"one.safetensors\", which does not have it"));
  EXPECT_THAT(
      open(R"({"weight_map":{"a":"one.safetensors","c":"two.safetensors"}})").error().message,
      HasSubstr("puts tensor \"c\""));
  EXPECT_THAT(open(R"({"weight_map":{"a":"three.safetensors"}})").error().message,
              HasSubstr("there is no such file"));
  EXPECT_THAT(open(R"({"weight_map":{"a":"../one.safetensors"}})").error().message,
              HasSubstr("is no plain file name"));
  EXPECT_THAT(open(R"({"weight_map":{"a":["one.safetensors"]}})").error().message,
              HasSubstr("a list in weight_map"));
  EXPECT_THAT(open(R"({"metadata":{}})").error().message, HasSubstr("has no weight_map"));
  EXPECT_THAT(open(R"({"weight_map":{}})").error().message, HasSubstr("weight_map is empty"));
  EXPECT_THAT(open(R"({"weight_map":{"a":"one.saf)").error().message, HasSubstr("no valid JSON"));
}

TEST(Safetensors, RefusesAShardWithTensorsThatTheIndexOmits) {
  const fs::path folder = EmptyFolder("omits");
  SafetensorsWriter one;
  one.F32("a", {1}, {1});
  one.F32("b", {1}, {2});
  std::ofstream(folder / "one.safetensors", std::ios::binary) << one.Bytes();
  const fs::path index = folder / "model.safetensors.index.json";
  std::ofstream(index) << R"({"weight_map":{"a":"one.safetensors"}})";
  const auto file = SafetensorsFile::OpenSharded(index.string());
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.error().message, HasSubstr("names 1 tensors, its files hold 2"));
}

TEST(Safetensors, FindsTheOnlyFileOfAFolder) {
  const fs::path folder = EmptyFolder("only");
  EXPECT_THAT(SafetensorsFile::OpenFolder(folder.string()).error().message,
              HasSubstr("holds neither model.safetensors nor"));
  std::ofstream(folder / "weights.safetensors", std::ios::binary) << SeedSafetensors();
  EXPECT_TRUE(SafetensorsFile::OpenFolder(folder.string()).ok());
  std::ofstream(folder / "more.safetensors", std::ios::binary) << SeedSafetensors();
  EXPECT_THAT(SafetensorsFile::OpenFolder(folder.string()).error().message,
              HasSubstr("2 other *.safetensors"));
}

}  // namespace
}  // namespace tenon::models
