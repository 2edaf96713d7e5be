// SPDX-License-Identifier: Apache-2.0
// Configs with values that nobody meant.
#include <filesystem>

#include "gtest/gtest.h"
#include "models/testing/recorder.h"
#include "models/testing/reference.h"
#include "models/testing/tiny_reference.h"

namespace tenon::models {
namespace {

namespace fs = std::filesystem;
using testing::ConfigOf;
using testing::Recorder;
using testing::Replaced;
using testing::Tiny;
using testing::WithConfig;

// Loads the model with each line of its config in turn given other values.
void ExpectSurvivesConfigs(const fs::path& folder, int* read, int* refused) {
  const std::string config = ConfigOf(folder);
  for (size_t begin = config.find('\n') + 1; begin < config.size();) {
    const size_t end = config.find('\n', begin);
    const std::string line = config.substr(begin, end - begin);
    const size_t colon = line.find("\": ");
    begin = end == config.npos ? config.size() : end + 1;
    if (colon == line.npos || line.ends_with("{") || line.ends_with("[")) continue;
    const std::string comma = line.ends_with(",") ? "," : "";
    for (const char* value : {"0", "-1", "1", "3", "7", "65536", "2147483647", "1e300", "\"x\"",
                              "null", "[]", "{}", "true"}) {
      const std::string changed = line.substr(0, colon + 3) + value + comma;
      const auto model = LoadModel(WithConfig(folder, Replaced(config, line, changed)).string());
      ++*(model.ok() ? read : refused);
      if (!model.ok()) {
        EXPECT_FALSE(model.error().message.empty()) << changed;
        continue;
      }
      Recorder program;
      EXPECT_TRUE((*model)->Emit(program).ok()) << changed;
    }
  }
}

TEST(HostileConfig, IsReadOrRefused) {
  for (const char* name :
       {"mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v2", "deepseek_v3", "gpt_oss"}) {
    SCOPED_TRACE(name);
    const fs::path folder = Tiny(name);
    if (folder.empty()) GTEST_SKIP() << "the reference data is not here";
    int read = 0, refused = 0;
    ExpectSurvivesConfigs(folder, &read, &refused);
    EXPECT_GT(read, 50);
    EXPECT_GT(refused, 100);
  }
}

}  // namespace
}  // namespace tenon::models
