// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/descriptor.h"

#include <gtest/gtest.h>

#include "core/plugins/fake_plugin_test.h"
#include "core/plugins/library.h"

namespace tenon::core {
namespace {

PluginInfo* Sound() { return FakePlugin("acme.x", {FakeComponent(Family::kQuant, "acme.x", 0)}); }

std::string Refused(const PluginInfo* info) {
  const auto refusal = CheckDescriptor(info, "/a/x.so");
  return refusal ? refusal->code + " " + refusal->cause : "";
}

TEST(CheckDescriptor, TakesASoundOne) { EXPECT_EQ(Refused(Sound()), ""); }

TEST(CheckDescriptor, TakesOneThatHasGrown) {
  PluginInfo* info = Sound();
  info->size += 8;
  EXPECT_EQ(Refused(info), "");
}

TEST(CheckDescriptor, LooksAtTheAbiBeforeTheRest) {
  PluginInfo* info = Sound();
  info->abi = 7;
  info->stamp = nullptr;
  EXPECT_EQ(Refused(info), "TN103 x.so: needs host ABI 7; this host offers 1");
}

TEST(CheckDescriptor, WantsTheStamp) {
  PluginInfo* info = Sound();
  info->stamp = nullptr;
  EXPECT_TRUE(Refused(info).starts_with("TN104 x.so: built for nothing; this host is "));
}

TEST(CheckDescriptor, WantsIdVersionAndLicence) {
  for (const char* PluginInfo::*field :
       {&PluginInfo::id, &PluginInfo::version, &PluginInfo::licence}) {
    PluginInfo* info = Sound();
    info->*field = "";
    EXPECT_EQ(Refused(info), "TN110 x.so: malformed description: it lacks id, version or licence");
  }
}

TEST(CheckDescriptor, WantsComponents) {
  PluginInfo* info = Sound();
  info->component_count = 0;
  EXPECT_EQ(Refused(info),
            "TN110 x.so: malformed description: lists 0 components; 1 to 256 allowed");
  info->component_count = 4000000000;
  EXPECT_NE(Refused(info), "");
  EXPECT_EQ(Refused(FakePlugin("acme.x", {nullptr})),
            "TN110 x.so: malformed description: lists a component that is not there");
}

TEST(CheckDescriptor, WantsEachNameOnce) {
  const auto* a = FakeComponent(Family::kQuant, "acme.x", 0);
  const auto* b = FakeComponent(Family::kQuant, "acme.x", 0);
  const auto* c = FakeComponent(Family::kAttention, "acme.x", 0);
  EXPECT_EQ(Refused(FakePlugin("acme.x", {a, b})),
            "TN110 x.so: malformed description: lists quant acme.x twice");
  EXPECT_EQ(Refused(FakePlugin("acme.x", {a, c})), "");
}

TEST(CheckDescriptor, WantsWholeComponents) {
  const auto spoiled = [](auto&& spoil) {
    auto* info = const_cast<ComponentInfo*>(FakeComponent(Family::kQuant, "acme.x", 0));
    spoil(*info);
    return Refused(FakePlugin("acme.x", {info}));
  };
  EXPECT_EQ(spoiled([](ComponentInfo&) {}), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.size = 8; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.name = "Acme"; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.doc = nullptr; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.create = nullptr; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.destroy = nullptr; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) { info.option_count = 9999; }), "");
  EXPECT_NE(spoiled([](ComponentInfo& info) {
              info.options = nullptr;
              info.option_count = 1;
            }),
            "");
}

TEST(CheckDescriptor, WantsEachOptionOnce) {
  const OptionInfo tile{"tile", OptionType::kInt, "64", "Keys.", 16, 256};
  EXPECT_EQ(
      Refused(FakePlugin("acme.x", {FakeComponent(Family::kQuant, "acme.x", 0, {tile, tile})})),
      "TN110 x.so: malformed description: acme.x: option tile is there twice");
}

TEST(ExplainLoadFailure, FindsTheMissingLibrary) {
  const Refusal refusal = ExplainLoadFailure(
      "/a/libx.so", "libcudart.so.13: cannot open shared object file: No such file or directory");
  EXPECT_EQ(refusal.code, "TN101");
  EXPECT_EQ(refusal.cause, "libx.so: not loaded: libcudart.so.13 not found");
}

TEST(ExplainLoadFailure, KeepsWhatTheLoaderSaysOfTheFile) {
  EXPECT_EQ(ExplainLoadFailure("/a/libx.so", "/a/libx.so: undefined symbol: foo").cause,
            "libx.so: not loaded: undefined symbol: foo");
  EXPECT_EQ(ExplainLoadFailure("/a/libx.so",
                               "/a/libx.so: cannot open shared object file: Permission denied")
                .cause,
            "libx.so: not loaded: cannot open shared object file: Permission denied");
  EXPECT_EQ(ExplainLoadFailure("/a/libx.so", "").cause, "libx.so: not loaded: no reason given");
}

}  // namespace
}  // namespace tenon::core
