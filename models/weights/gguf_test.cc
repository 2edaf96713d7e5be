// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/gguf_visit.h"
#include "models/testing/gguf_writer.h"
#include "models/testing/hostile.h"

namespace tenon::models {
namespace {

using testing::EachByteChanged;
using testing::EachPrefix;
using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::SeedGguf;
using testing::VisitEverything;

Result<GgufFile> Read(const std::string& bytes) {
  return GgufFile::Read(std::as_bytes(std::span(bytes)), "seed.gguf");
}

std::string ErrorOf(const GgufWriter& writer) {
  const Result<GgufFile> file = Read(writer.Bytes());
  return file.ok() ? "no error" : file.error().message;
}

TEST(Gguf, ReadsEveryValueType) {
  const std::string bytes = SeedGguf().Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  const GgufMetadata& m = file->Metadata();
  EXPECT_EQ(m.size(), 17u);
  EXPECT_EQ(*m.Integer("a.u8"), 200);
  EXPECT_EQ(*m.Integer("a.i8"), -3);
  EXPECT_EQ(*m.Integer("a.u16"), 60000);
  EXPECT_EQ(*m.Integer("a.i16"), -30000);
  EXPECT_EQ(*m.Integer("a.u32"), 4000000000);
  EXPECT_EQ(*m.Integer("a.i32"), -5);
  EXPECT_EQ(*m.Integer("a.i64"), -7);
  EXPECT_EQ(*m.Real("a.f32"), 0.5);
  EXPECT_EQ(*m.Real("a.f64"), 0.25);
  EXPECT_EQ(*m.Real("a.u64"), 0x1p63);
  EXPECT_TRUE(*m.Flag("a.bool"));
  EXPECT_EQ(*m.Text("general.architecture"), "llama");
  EXPECT_THAT(*m.Texts("b.texts"), ElementsAre("one", "", "three"));
  EXPECT_THAT(*m.Floats("b.floats"), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(*m.Integers("b.ints"), ElementsAre(3, -1));
}

TEST(Gguf, KeepsStringsAsViewsIntoTheFile) {
  const std::string bytes = SeedGguf().Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok());
  const std::string_view text = *file->Metadata().Text("general.architecture");
  EXPECT_GE(text.data(), bytes.data());
  EXPECT_LT(text.data(), bytes.data() + bytes.size());
}

TEST(Gguf, GettersNameKeyAndTypes) {
  const std::string bytes = SeedGguf().Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok());
  const GgufMetadata& m = file->Metadata();
  EXPECT_EQ(m.Integer("none").error().status, Status::kNotFound);
  EXPECT_EQ(m.Integer("none").error().message,
            "seed.gguf: metadata key \"none\" is missing; an integer (below 2^63) expected");
  EXPECT_EQ(m.Integer("b.texts").error().message,
            "seed.gguf: metadata key \"b.texts\" is of type array of string; an integer (below "
            "2^63) expected");
  EXPECT_FALSE(m.Integer("a.u64").ok());
  EXPECT_THAT(m.Flag("a.u8").error().message, HasSubstr("is of type u8; a bool expected"));
  EXPECT_THAT(m.Text("a.bool").error().message, HasSubstr("is of type bool; a string expected"));
  EXPECT_THAT(m.Texts("b.nested").error().message, HasSubstr("array of array"));
  EXPECT_THAT(m.Floats("b.ints").error().message, HasSubstr("array of i32"));
  EXPECT_THAT(m.Integers("b.floats").error().message, HasSubstr("array of f32"));
}

TEST(Gguf, FindsElementsOfLists) {
  const std::string bytes = SeedGguf().Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok());
  const GgufMetadata& m = file->Metadata();
  EXPECT_EQ(m.Find("b.texts.2").text, "three");
  EXPECT_EQ(m.Find("b.ints.1").integer, -1);
  EXPECT_EQ(m.Find("b.ints.2").kind, Scalar::Kind::kMissing);
  EXPECT_EQ(m.Find("b.ints.x").kind, Scalar::Kind::kMissing);
  EXPECT_EQ(m.ListSize("b.texts"), 3);
  EXPECT_EQ(m.ListSize("a.u8"), -1);
}

TEST(Gguf, ReversesAxesAndFindsTensorsByName) {
  const GgufWriter writer = SeedGguf();
  const std::string bytes = writer.Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->TensorCount(), 11u);
  const StoredTensor* half = file->FindTensor("half");
  ASSERT_NE(half, nullptr);
  EXPECT_EQ(half->tensor.columns, 2);
  EXPECT_EQ(half->tensor.rows, 3);
  EXPECT_EQ(half->tensor.dtype, DType::kF16);
  EXPECT_EQ(static_cast<const char*>(half->tensor.data), bytes.data() + writer.HeaderBytes() + 32);
  EXPECT_EQ(file->FindTensor("brain")->tensor.rows, 6);
  EXPECT_EQ(file->FindTensor("norm")->tensor.rows, 1);
  EXPECT_EQ(file->FindTensor("q4_k")->tensor.dtype, DType::kQ4_K);
  EXPECT_EQ(*static_cast<const char*>(file->FindTensor("q6_k")->tensor.data), '\x0b');
  EXPECT_EQ(file->FindTensor("other"), nullptr);
}

TEST(Gguf, ReadsVersion2AndRefusesOthers) {
  GgufWriter writer = SeedGguf();
  writer.version = 2;
  EXPECT_EQ(ErrorOf(writer), "no error");
  writer.version = 1;
  EXPECT_THAT(ErrorOf(writer), HasSubstr("version 1; versions 2 and 3 can be read"));
  writer.version = 0x03000000;
  EXPECT_THAT(ErrorOf(writer), HasSubstr("big endian"));
}

TEST(Gguf, HonoursAlignment) {
  GgufWriter writer;
  writer.alignment = 64;
  writer.U32("general.alignment", 64);
  writer.Tensor("a", {1}, 0, std::string(4, '\1'));
  writer.Tensor("b", {1}, 0, std::string(4, '\2'));
  const std::string bytes = writer.Bytes();
  const Result<GgufFile> file = Read(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(*static_cast<const char*>(file->FindTensor("b")->tensor.data), '\2');
  EXPECT_EQ((static_cast<const char*>(file->FindTensor("a")->tensor.data) - bytes.data()) % 64, 0);
  for (const uint32_t bad : {0u, 1u, 7u, 48u, 1u << 31}) {
    GgufWriter wrong;
    wrong.U32("general.alignment", bad);
    EXPECT_THAT(ErrorOf(wrong), HasSubstr("general.alignment is " + std::to_string(bad)));
  }
}

TEST(Gguf, RefusesStoredTypesByName) {
  GgufWriter writer;
  writer.Tensor("w", {256}, 10, std::string(84, '\0'));
  EXPECT_EQ(ErrorOf(writer),
            "seed.gguf: not a valid GGUF file: tensor \"w\" is stored as Q2_K; F32, F16, Q4_0, "
            "Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16 can be read");
  GgufWriter unknown;
  unknown.Tensor("w", {256}, 99, std::string(84, '\0'));
  EXPECT_THAT(ErrorOf(unknown), HasSubstr("is stored as type 99"));
}

TEST(Gguf, RefusesSplitModels) {
  GgufWriter writer;
  writer.Number<uint16_t>("split.count", GgufType::kU16, 3);
  EXPECT_THAT(ErrorOf(writer), HasSubstr("one of 3 parts of a split model"));
}

TEST(Gguf, RefusesImpossibleTensors) {
  const auto error = [](const std::vector<uint64_t>& axes, uint32_t type, uint64_t offset) {
    GgufWriter writer;
    writer.Tensor("first", {8}, 0, std::string(32, '\0'));
    writer.TensorAt("bad", axes, type, offset);
    return ErrorOf(writer);
  };
  const uint64_t huge = uint64_t{1} << 32;
  EXPECT_THAT(error({huge, huge, huge, huge}, 0, 32), HasSubstr("axis 1 is 4294967296"));
  EXPECT_THAT(error({UINT64_MAX}, 0, 32), HasSubstr("1 to 2^48 values"));
  EXPECT_THAT(error({0}, 0, 32), HasSubstr("axis 0 is 0"));
  EXPECT_THAT(error({}, 0, 32), HasSubstr("has 0 axes; 1 to 4 allowed"));
  EXPECT_THAT(error({1, 1, 1, 1, 1}, 0, 32), HasSubstr("has 5 axes; 1 to 4 allowed"));
  EXPECT_THAT(error({33}, 2, 32), HasSubstr("a multiple of 32 expected"));
  EXPECT_THAT(error({8}, 0, 4), HasSubstr("starts at byte 4 of the data; a multiple of 32"));
  EXPECT_THAT(error({1}, 0, 32), HasSubstr("takes 4 bytes from byte 32 of the data, which has 32"));
  EXPECT_THAT(error({8}, 0, ~uint64_t{31}), HasSubstr("of the data, which has 32"));
  EXPECT_THAT(error({4}, 0, 0), HasSubstr("overlap"));
}

TEST(Gguf, RefusesDuplicatesAndEmptyNames) {
  GgufWriter keys;
  keys.U32("k", 1);
  keys.U32("k", 2);
  EXPECT_THAT(ErrorOf(keys), HasSubstr("metadata key \"k\" is there twice"));
  GgufWriter no_key;
  no_key.U32("", 1);
  EXPECT_THAT(ErrorOf(no_key), HasSubstr("metadata key 0 is empty"));
  GgufWriter tensors;
  tensors.Tensor("t", {8}, 0, std::string(32, '\0'));
  tensors.Tensor("t", {8}, 0, std::string(32, '\0'));
  EXPECT_THAT(ErrorOf(tensors), HasSubstr("tensor \"t\" is there twice"));
  GgufWriter no_name;
  no_name.Tensor("", {8}, 0, std::string(32, '\0'));
  EXPECT_THAT(ErrorOf(no_name), HasSubstr("has no name"));
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  GgufWriter pairs = SeedGguf();
  pairs.announced_pairs = 60000;
  EXPECT_THAT(ErrorOf(pairs), HasSubstr("announces 60000 metadata keys"));
  pairs.announced_pairs = UINT64_MAX - 1;
  EXPECT_THAT(ErrorOf(pairs), HasSubstr("at most 65536 allowed"));
  GgufWriter tensors = SeedGguf();
  tensors.announced_tensors = 100000;
  EXPECT_THAT(ErrorOf(tensors), HasSubstr("announces 100000 tensors"));
  GgufWriter array;
  array.Raw("k", GgufType::kArray, GgufWriter::ArrayHead(GgufType::kU64, UINT64_MAX / 8 + 2));
  EXPECT_THAT(ErrorOf(array), HasSubstr("array elements"));
  GgufWriter text;
  std::string size;
  GgufWriter::Put<uint64_t>(size, UINT64_MAX);
  text.Raw("k", GgufType::kString, size);
  EXPECT_THAT(ErrorOf(text), HasSubstr("was the download interrupted?"));
}

TEST(Gguf, RefusesDeepNesting) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += GgufWriter::ArrayHead(GgufType::kArray, 1);
  GgufWriter writer;
  writer.Raw("k", GgufType::kArray, deep + GgufWriter::ArrayHead(GgufType::kU8, 0));
  EXPECT_THAT(ErrorOf(writer), HasSubstr("arrays nested deeper than 4"));
}

TEST(Gguf, ShowsHostileNamesHarmlessly) {
  GgufWriter writer;
  writer.TensorAt(std::string(100000, '\x1b'), {0}, 0, 0);
  const std::string message = ErrorOf(writer);
  EXPECT_THAT(message, HasSubstr("\\x1b\\x1b"));
  EXPECT_LT(message.size(), 600u);
}

TEST(Gguf, EveryPrefixIsOneClearError) {
  EachPrefix(SeedGguf().Bytes(), [](std::span<const std::byte> bytes, const std::string& what) {
    const Result<GgufFile> file = GgufFile::Read(bytes, "seed.gguf");
    ASSERT_FALSE(file.ok()) << what;
    EXPECT_THAT(file.error().message, ::testing::StartsWith("seed.gguf: ")) << what;
  });
}

TEST(Gguf, EveryChangedHeaderByteIsReadOrRefused) {
  const GgufWriter seed = SeedGguf();
  int read = 0, refused = 0;
  EachByteChanged(seed.Bytes(), seed.HeaderBytes(),
                  [&](std::span<const std::byte> bytes, const std::string& what) {
                    const Result<GgufFile> file = GgufFile::Read(bytes, "seed.gguf");
                    if (file.ok()) {
                      ++read;
                      VisitEverything(*file);
                    } else {
                      ++refused;
                      EXPECT_FALSE(file.error().message.empty()) << what;
                    }
                  });
  EXPECT_GT(read, 100);  // names and values may change freely
  EXPECT_GT(refused, 1000);
}

TEST(Gguf, OpensFilesAndKeepsViewsWhenMoved) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "models_gguf_test.gguf";
  const std::string bytes = SeedGguf().Bytes();
  std::ofstream(path, std::ios::binary) << bytes;
  Result<GgufFile> file = GgufFile::Open(path.string());
  ASSERT_TRUE(file.ok()) << file.error().message;
  const GgufFile moved = std::move(*file);
  EXPECT_EQ(moved.Path(), path.string());
  EXPECT_EQ(*moved.Metadata().Text("general.architecture"), "llama");
  EXPECT_EQ(*static_cast<const char*>(moved.FindTensor("half")->tensor.data), '\2');
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace tenon::models
