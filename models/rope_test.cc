// SPDX-License-Identifier: Apache-2.0
#include "models/rope.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/settings.h"
#include "models/testing/tiny_llama.h"
#include "models/weights/config.h"

namespace tenon::models {
namespace {

using ::testing::HasSubstr;

// A table of heads of `head_dim` columns from that config; problems go to `problem`.
RopeSpec Read(const std::string& config, int32_t head_dim, std::string* problem) {
  const auto folder = testing::EmptyFolder("rope");
  const auto file = ConfigFile::Open(testing::WriteFile(folder / "config.json", config));
  EXPECT_TRUE(file.ok());
  if (!file.ok()) return {};
  Settings in(*file);
  const RopeSpec spec = ReadConfigRope(in, "rope_parameters", head_dim, 10000);
  if (const auto checked = in.Check(); !checked.ok()) *problem = checked.error().message;
  return spec;
}

std::string ProblemOf(const std::string& parameters) {
  std::string problem;
  Read("{\"max_position_embeddings\":64,\"rope_parameters\":{" + parameters + "}}", 16, &problem);
  return problem;
}

TEST(Rope, StretchesSlowPairsWithYarn) {
  std::string problem;
  const RopeSpec spec =
      Read(R"({"max_position_embeddings":131072,"rope_parameters":{"rope_type":"yarn",)"
           R"("rope_theta":1000000,"factor":4,"original_max_position_embeddings":32768}})",
           128, &problem);
  EXPECT_EQ(problem, "");
  EXPECT_FLOAT_EQ(spec.magnitude, 1.138629436f);
  const std::vector<float> table = InverseFrequencies(spec);
  ASSERT_EQ(table.size(), 64u);
  EXPECT_FLOAT_EQ(table[0], 1);
  EXPECT_FLOAT_EQ(table[23], 0.00697830585f);   // the last that is kept
  EXPECT_FLOAT_EQ(table[30], 0.00106436098f);   // on the ramp
  EXPECT_FLOAT_EQ(table[40], 4.44569853e-05f);  // the first that is divided by 4
  EXPECT_FLOAT_EQ(table[63], 3.1023444e-07f);
}

TEST(Rope, RampsBetweenWholePairsOrNot) {
  std::string problem;
  const RopeSpec spec =
      Read(R"({"rope_theta":150000,"rope_scaling":{"rope_type":"yarn","factor":32,"beta_fast":32,)"
           R"("beta_slow":1,"truncate":false,"original_max_position_embeddings":4096}})",
           64, &problem);
  EXPECT_EQ(problem, "");
  EXPECT_FLOAT_EQ(spec.magnitude, 1.34657359f);
  const std::vector<float> table = InverseFrequencies(spec);
  EXPECT_FLOAT_EQ(table[8], 0.0508132748f);
  EXPECT_FLOAT_EQ(table[9], 0.0317056962f);
  EXPECT_FLOAT_EQ(table[17], 0.000129318701f);
  EXPECT_FLOAT_EQ(table[18], 3.83088124e-05f);
}

TEST(Rope, TakesYarnsMagnitudeFromTheConfig) {
  std::string problem;
  const std::string yarn =
      R"({"max_position_embeddings":64,"rope_parameters":{"rope_type":"yarn",)";
  EXPECT_EQ(Read(yarn + R"("factor":4,"attention_factor":0.5}})", 16, &problem).magnitude, 0.5f);
  EXPECT_EQ(Read(yarn + R"("factor":4,"mscale":1,"mscale_all_dim":1}})", 16, &problem).magnitude,
            1);
  EXPECT_EQ(Read(yarn + R"("factor":1}})", 16, &problem).magnitude, 1);
  EXPECT_EQ(problem, "");
}

TEST(Rope, IsDefaultWithinTheContextOfDynamicScaling) {
  std::string problem;
  const RopeSpec dynamic =
      Read(R"({"rope_parameters":{"rope_type":"dynamic","factor":2}})", 16, &problem);
  const RopeSpec plain = Read(R"({"rope_parameters":{"rope_type":"default"}})", 16, &problem);
  EXPECT_EQ(problem, "");
  EXPECT_EQ(InverseFrequencies(dynamic), InverseFrequencies(plain));
}

TEST(Rope, GivesScoresAMagnitudeInDeepSeeksForm) {
  std::string problem;
  const std::string yarn =
      R"({"max_position_embeddings":64,"rope_scaling":{"type":"yarn","factor":40,)";
  const RopeSpec spec = Read(yarn + R"("mscale":0.707,"mscale_all_dim":0.707}})", 16, &problem);
  EXPECT_FLOAT_EQ(spec.magnitude, 1);
  EXPECT_FLOAT_EQ(spec.score_magnitude, 1.26080407f);
  EXPECT_EQ(Read(yarn + R"("mscale":1}})", 16, &problem).score_magnitude, 1);
  EXPECT_EQ(problem, "");
}

TEST(Rope, RefusesParametersThatAreNoGroup) {
  std::string problem;
  Read(R"({"rope_parameters":3})", 16, &problem);
  EXPECT_THAT(problem, HasSubstr("rope_parameters is 3; an object expected"));
  Read(R"({"rope_scaling":["linear"]})", 16, &problem);
  EXPECT_THAT(problem, HasSubstr("rope_scaling is a list; an object expected"));
}

TEST(Rope, RefusesYarnThatCannotBe) {
  EXPECT_THAT(ProblemOf(R"("rope_type":"yarn")"), HasSubstr("rope_parameters.factor is missing"));
  EXPECT_THAT(ProblemOf(R"("rope_type":"yarn","factor":2,"beta_fast":1)"),
              HasSubstr("YaRN's beta_fast is 1; more than beta_slow (1) expected"));
  EXPECT_THAT(ProblemOf(R"("rope_type":"yarn","factor":2,"rope_theta":1)"),
              HasSubstr("RoPE's theta is 1; more than 1 expected with YaRN"));
  EXPECT_THAT(ProblemOf(R"("rope_type":"yarn","factor":2,"original_max_position_embeddings":0)"),
              HasSubstr("original_max_position_embeddings is 0"));
  EXPECT_THAT(ProblemOf(R"("rope_type":"longrope","factor":2)"),
              HasSubstr("the type of rope_parameters is \"longrope\"; default, linear, dynamic, "
                        "llama3 and yarn are known"));
}

}  // namespace
}  // namespace tenon::models
