// SPDX-License-Identifier: Apache-2.0
#include "models/weights/gguf_parts.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/gguf_writer.h"
#include "models/weights/gguf.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::GgufWriter;
using ::testing::HasSubstr;

class GgufParts : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / ("tenon-parts-" + name + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Part `number` (from 0) of `count`, with one tensor "t<number>" unless told otherwise.
  static GgufWriter Part(uint16_t number, uint16_t count, const std::string& tensor = "") {
    GgufWriter w;
    if (number == 0) w.Text("general.architecture", "llama");
    w.Number("split.no", GgufType::kU16, number);
    w.Number("split.count", GgufType::kU16, count);
    w.Number<int32_t>("split.tensors.count", GgufType::kI32, count);
    w.Tensor(tensor.empty() ? "t" + std::to_string(number) : tensor, {4}, 0,
             std::string(16, static_cast<char>('a' + number)));
    return w;
  }

  std::string Write(const std::string& name, const GgufWriter& writer) const {
    std::ofstream(folder_ / name, std::ios::binary) << writer.Bytes();
    return (folder_ / name).string();
  }

  static std::string ErrorOf(const std::string& path) {
    const Result<GgufFile> file = GgufFile::Open(path);
    return file.ok() ? "no error" : file.error().message;
  }

  fs::path folder_;
};

TEST_F(GgufParts, OpenTogetherByAnyOfThem) {
  std::vector<std::string> paths;
  for (uint16_t i = 0; i < 3; ++i) {
    paths.push_back(Write("m-0000" + std::to_string(i + 1) + "-of-00003.gguf", Part(i, 3)));
  }
  for (const std::string& path : paths) {
    const Result<GgufFile> file = GgufFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(*file->Metadata().Text("general.architecture"), "llama");
    ASSERT_EQ(file->TensorCount(), 3u);
    for (int i = 0; i < 3; ++i) {
      const StoredTensor* tensor = file->FindTensor("t" + std::to_string(i));
      ASSERT_NE(tensor, nullptr);
      EXPECT_EQ(*static_cast<const char*>(tensor->tensor.data), 'a' + i);
    }
  }
}

TEST_F(GgufParts, AllMustBeThere) {
  const std::string first = Write("m-00001-of-00002.gguf", Part(0, 2));
  EXPECT_THAT(ErrorOf(first), HasSubstr("m-00002-of-00002.gguf"));
}

TEST_F(GgufParts, AreFoundByTheirNames) {
  const std::string first = Write("model.gguf", Part(0, 2));
  EXPECT_THAT(ErrorOf(first), HasSubstr("its name must end in \"-00001-of-00002.gguf\""));
}

TEST_F(GgufParts, MustSayWhatTheirNamesSay) {
  const std::string first = Write("m-00001-of-00002.gguf", Part(0, 2));
  Write("m-00002-of-00002.gguf", Part(0, 2));
  EXPECT_THAT(ErrorOf(first), HasSubstr("it says that it is part 1 of 2; part 2 of 2 expected"));
}

TEST_F(GgufParts, MayNotShareTensors) {
  const std::string first = Write("m-00001-of-00002.gguf", Part(0, 2));
  Write("m-00002-of-00002.gguf", Part(1, 2, "t0"));
  EXPECT_THAT(ErrorOf(first), HasSubstr("tensor \"t0\" is there twice"));
}

TEST_F(GgufParts, HoldAsManyTensorsAsTheFirstSays) {
  GgufWriter second = Part(1, 2);
  second.Tensor("more", {4}, 0, std::string(16, 'x'));
  const std::string first = Write("m-00001-of-00002.gguf", Part(0, 2));
  Write("m-00002-of-00002.gguf", second);
  EXPECT_THAT(ErrorOf(first), HasSubstr("hold 3 tensors; split.tensors.count says 2"));
}

TEST_F(GgufParts, HaveNumbersBelowTheirCount) {
  const std::string path = Write("m-00006-of-00002.gguf", Part(5, 2));
  EXPECT_THAT(ErrorOf(path), HasSubstr("split.no is 5 and split.count is 2"));
  GgufWriter text;
  text.Text("split.count", "two");
  EXPECT_THAT(ErrorOf(Write("t.gguf", text)), HasSubstr("split.count"));
}

}  // namespace
}  // namespace tenon::models
