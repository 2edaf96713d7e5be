// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plugins/fake_plugin_test.h"

namespace tenon::core {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

int probes = 0;

Status Counted(Host*) noexcept {
  ++probes;
  return Status::kOk;
}

Status NoCard(Host* host) noexcept {
  return host->Fail(Status::kUnsupported, "found no CUDA device");
}

void Add(Registry& registry, const char* id, std::vector<const ComponentInfo*> components) {
  const PluginInfo* info = FakePlugin(id, std::move(components));
  registry.AddBuiltIn(FakeEntry(info));
}

std::vector<std::string> Names(const std::vector<const RegisteredComponent*>& components) {
  std::vector<std::string> names;
  for (const auto* component : components) names.push_back(component->name);
  return names;
}

TEST(Registry, DefaultHasTheHighestRank) {
  Registry registry;
  Add(registry, "tenon.a",
      {FakeComponent(Family::kAttention, "reference", 1),
       FakeComponent(Family::kAttention, "paged", 20),
       FakeComponent(Family::kAttention, "flash", 10)});
  EXPECT_EQ(registry.Default(Family::kAttention)->name, "paged");
  EXPECT_EQ(registry.Default(Family::kQuant), nullptr);
}

TEST(Registry, EqualRanksAreSettledByName) {
  Registry registry;
  Add(registry, "tenon.b", {FakeComponent(Family::kAttention, "paged", 5)});
  Add(registry, "tenon.c", {FakeComponent(Family::kAttention, "flash", 5)});
  EXPECT_EQ(registry.Default(Family::kAttention)->name, "flash");
}

TEST(Registry, ThirdPartyIsNoDefaultWhateverItsRank) {
  Registry registry;
  Add(registry, "acme.a", {FakeComponent(Family::kAttention, "acme.flash", 1000)});
  EXPECT_EQ(registry.Default(Family::kAttention), nullptr);
  Add(registry, "tenon.d", {FakeComponent(Family::kAttention, "paged", 1)});
  EXPECT_EQ(registry.Default(Family::kAttention)->name, "paged");
  EXPECT_TRUE(registry.Find(Family::kAttention, "acme.flash").ok());
}

TEST(Registry, DefaultPassesOverWhatTheMachineCannotRun) {
  Registry registry;
  Add(registry, "tenon.e",
      {FakeComponent(Family::kDevice, "cuda", 20, {}, {}, &NoCard),
       FakeComponent(Family::kDevice, "cpu", 10)});
  EXPECT_EQ(registry.Default(Family::kDevice)->name, "cpu");
  EXPECT_THAT(Names(registry.Usable(Family::kDevice)), ElementsAre("cpu"));
}

TEST(Registry, DecodingsDefaultIsAChainByRank) {
  Registry registry;
  Add(registry, "tenon.f",
      {FakeComponent(Family::kDecoding, "sampler", 10),
       FakeComponent(Family::kDecoding, "penalties", 20),
       FakeComponent(Family::kDecoding, "ngram", 0)});
  EXPECT_THAT(Names(registry.DefaultChain(Family::kDecoding)), ElementsAre("penalties", "sampler"));
}

TEST(Registry, ProbesOnlyWhatIsAskedFor) {
  Registry registry;
  probes = 0;
  Add(registry, "tenon.g",
      {FakeComponent(Family::kDevice, "cuda", 5, {}, {}, &Counted),
       FakeComponent(Family::kDevice, "cpu", 10)});
  EXPECT_TRUE(registry.Find(Family::kDevice, "cpu").ok());
  EXPECT_EQ(registry.Default(Family::kDevice)->name, "cpu");
  EXPECT_EQ(probes, 0);
  EXPECT_TRUE(registry.Find(Family::kDevice, "cuda").ok());
  EXPECT_TRUE(registry.Find(Family::kDevice, "cuda").ok());
  EXPECT_EQ(probes, 1);
}

TEST(Registry, WrongFamilyNamesTheRightOnes) {
  Registry registry;
  Add(registry, "tenon.h",
      {FakeComponent(Family::kAttention, "paged", 5), FakeComponent(Family::kAttention, "flash", 4),
       FakeComponent(Family::kDecoding, "acme.top_p", 0)});
  const auto found = registry.Find(Family::kAttention, "acme.top_p");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN107");
  EXPECT_EQ(found.error().message,
            "\"acme.top_p\" is a decoding component; attention expected. Attention: flash, paged");
}

TEST(Registry, UnknownNameGetsASuggestion) {
  Registry registry;
  Add(registry, "tenon.i", {FakeComponent(Family::kAttention, "paged", 5)});
  const auto found = registry.Find(Family::kAttention, "pagd");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, "TN203");
  EXPECT_EQ(found.error().message,
            "there is no attention component \"pagd\"; did you mean \"paged\"? Attention: paged");
  const auto none = registry.Find(Family::kQuant, "native");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message,
            "there is no quant component \"native\". There is no usable quant component");
}

TEST(Registry, MalformedBuiltInIsRefused) {
  Registry registry;
  Add(registry, "tenon.j", {FakeComponent(Family::kAttention, "Paged", 5)});
  ASSERT_THAT(registry.Refusals(), SizeIs(1));
  EXPECT_EQ(registry.Refusals()[0].code, "TN110");
  EXPECT_EQ(registry.Refusals()[0].file, "built in");
}

TEST(Registry, OneNameMayBeInTwoFamilies) {
  Registry registry;
  Add(registry, "tenon.k",
      {FakeComponent(Family::kAttention, "none", 5), FakeComponent(Family::kParallel, "none", 5)});
  EXPECT_EQ((*registry.Find(Family::kParallel, "none"))->family(), Family::kParallel);
  EXPECT_EQ((*registry.Find(Family::kAttention, "none"))->family(), Family::kAttention);
}

}  // namespace
}  // namespace tenon::core
