// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/components.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "core/plugins/fake_plugin_test.h"

namespace tenon::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What happened, in order.
std::vector<std::string>& Events() {
  static auto& events = *new std::vector<std::string>;
  return events;
}

// Writes down when it is made and ended, and with which device.
class Recorded {
 public:
  Recorded(std::string name, const CreateArgs& args) : name_(std::move(name)) {
    Events().push_back("+" + name_ + (args.device != nullptr ? " on a device" : ""));
  }
  ~Recorded() { Events().push_back("-" + name_); }

 private:
  std::string name_;
};

class FakeDevice final : public Component, public Device, Recorded {
 public:
  explicit FakeDevice(const CreateArgs& args) : Recorded("device", args) {}
  void* Query(const char* name) noexcept override { return Offer<Device>(this, name); }
  DeviceInfo Info() const noexcept override { return {"fake", "", "", 1, 0, 0}; }
  void* Allocate(uint64_t) noexcept override { return nullptr; }
  void Free(void*) noexcept override {}
  Status Copy(void*, const void*, uint64_t, CopyKind) noexcept override { return Status::kOk; }
  Status Run(Span<const Step>, const Batch&, uint64_t*) noexcept override { return Status::kOk; }
  void ParallelFor(int64_t, void (*)(void*, int64_t) noexcept, void*) noexcept override {}
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }
};

class FakeAttention final : public Component, public Attention, public Pass, Recorded {
 public:
  explicit FakeAttention(const CreateArgs& args) : Recorded("attention", args) {
    if (args.options.Int("fail") == 1) throw std::invalid_argument("fail must be 0");
  }
  void* Query(const char* name) noexcept override { return Offer<Attention, Pass>(this, name); }
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }
  Status LayOut(const AttentionParams&, int32_t, KvLayout*) noexcept override {
    return Status::kOk;
  }
  Status Rewrite(ProgramEditor&) noexcept override { return Status::kOk; }
};

class FakeQuant final : public Component, public Quant, Recorded {
 public:
  explicit FakeQuant(const CreateArgs& args) : Recorded("quant", args) {}
  void* Query(const char* name) noexcept override { return Offer<Quant>(this, name); }
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }
};

class FakeScheduler final : public Component, public Scheduler, Recorded {
 public:
  explicit FakeScheduler(const CreateArgs& args) : Recorded("scheduler", args) {}
  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }
  Status Schedule(const SchedulerView&, SchedulePlan*) noexcept override { return Status::kOk; }
};

class FakeParallel final : public Component, public Strategy, public Pass, Recorded {
 public:
  explicit FakeParallel(const CreateArgs& args) : Recorded("parallel", args) {}
  void* Query(const char* name) noexcept override { return Offer<Strategy, Pass>(this, name); }
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }
  Status Rewrite(ProgramEditor&, Communicator*) noexcept override { return Status::kOk; }
  Status Rewrite(ProgramEditor&) noexcept override { return Status::kOk; }
};

class FakeProcessor final : public Component, public LogitProcessor, Recorded {
 public:
  explicit FakeProcessor(const CreateArgs& args) : Recorded("processor", args) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float>) noexcept override {}
};

class FakeSampler final : public Component, public Sampler, Recorded {
 public:
  explicit FakeSampler(const CreateArgs& args) : Recorded("sampler", args) {}
  void* Query(const char* name) noexcept override { return Offer<Sampler>(this, name); }
  uint64_t ScratchBytes(int32_t) const noexcept override { return 0; }
  int32_t Sample(const DecodePoint&, Span<float>, void*) noexcept override { return 7; }
  void Distribution(const DecodePoint&, Span<float>, void*) noexcept override {}
};

class FakeDrafter final : public Component, public Drafter, Recorded {
 public:
  explicit FakeDrafter(const CreateArgs& args) : Recorded("drafter", args) {}
  void* Query(const char* name) noexcept override { return Offer<Drafter>(this, name); }
  int32_t MaxTokens() const noexcept override { return 4; }
  int32_t Propose(const DecodePoint&, Span<int32_t>) noexcept override { return 0; }
};

class FakeAdapter final : public Component, public Adapter, Recorded {
 public:
  explicit FakeAdapter(const CreateArgs& args) : Recorded("adapter", args) {
    if (args.options.Int("level") != 3) throw std::invalid_argument("level must be 3");
  }
  void* Query(const char* name) noexcept override { return Offer<Adapter>(this, name); }
  Status Plan(const OpSpec&, PlannedOp*) noexcept override { return Status::kUnsupported; }
  Status Rewrite(ProgramEditor&, Span<const AdapterDelta>) noexcept override { return Status::kOk; }
};

class Hollow final : public Component {
 public:
  explicit Hollow(const CreateArgs&) {}
  void* Query(const char*) noexcept override { return nullptr; }
};

constexpr OptionInfo kLevel[] = {{"level", OptionType::kInt, "3", "A default.", 0, 9}};
constexpr OptionInfo kFail[] = {{"fail", OptionType::kInt, "0", "Whether to.", 0, 1}};

template <typename T>
const ComponentInfo* Described(Family family, const char* name, int32_t rank) {
  static const ComponentInfo info = Describe<T>(family, name, "A fake.", rank, {});
  return &info;
}

Registry& Fakes() {
  static const ComponentInfo attention =
      Describe<FakeAttention>(Family::kAttention, "attention", "A fake.", 1, {}, kFail);
  static const ComponentInfo adapter =
      Describe<FakeAdapter>(Family::kQuant, "adapter", "A fake.", 0, {}, kLevel);
  static Registry& registry = *[] {
    auto* made = new Registry;
    made->AddBuiltIn(FakeEntry(
        FakePlugin("tenon.made", {Described<FakeDevice>(Family::kDevice, "device", 1), &attention,
                                  Described<FakeQuant>(Family::kQuant, "quant", 1),
                                  Described<FakeScheduler>(Family::kScheduler, "scheduler", 1),
                                  Described<FakeParallel>(Family::kParallel, "parallel", 1),
                                  Described<FakeProcessor>(Family::kDecoding, "processor", 2),
                                  Described<FakeSampler>(Family::kDecoding, "sampler", 1),
                                  Described<FakeDrafter>(Family::kDecoding, "drafter", 0),
                                  FakeComponent(Family::kQuant, "broken", 0), &adapter,
                                  Described<Hollow>(Family::kScheduler, "hollow", 0)})));
    return made;
  }();
  return registry;
}

Result<std::unique_ptr<Components>> Create(const std::string& yaml) {
  Events().clear();
  const auto pipeline = LoadPipelineText("model: a\n" + yaml, "p.yaml", "", {}, Fakes());
  if (!pipeline.ok()) return pipeline.error();
  return Components::Create(*pipeline);
}

std::string ErrorIn(const std::string& yaml) {
  const auto components = Create(yaml);
  return components.ok() ? "made" : components.error().message;
}

TEST(Components, AreMadeInOrderAndEndedInReverse) {
  {
    auto components = Create("");
    ASSERT_TRUE(components.ok()) << components.error().message;
    EXPECT_THAT(Events(), ElementsAre("+device", "+attention on a device", "+quant on a device",
                                      "+scheduler on a device", "+parallel on a device",
                                      "+processor on a device", "+sampler on a device"));
    Events().clear();
  }
  EXPECT_THAT(Events(), ElementsAre("-sampler", "-processor", "-parallel", "-scheduler", "-quant",
                                    "-attention", "-device"));
}

TEST(Components, OfferTheirInterfaces) {
  auto made = Create("decoding: [processor, processor, drafter, sampler]\n");
  ASSERT_TRUE(made.ok()) << made.error().message;
  const Components& components = **made;
  EXPECT_EQ(std::string_view(components.device().Info().kind), "fake");
  EXPECT_EQ(components.processors().size(), 2u);
  ASSERT_NE(components.drafter(), nullptr);
  EXPECT_EQ(components.drafter()->MaxTokens(), 4);
  EXPECT_EQ(components.sampler().Sample({}, {}, nullptr), 7);
  EXPECT_EQ(components.communicator(), nullptr);
  ASSERT_EQ(components.passes().size(), 2u);
  EXPECT_EQ(
      static_cast<void*>(components.passes()[0]),
      static_cast<void*>(static_cast<Pass*>(static_cast<FakeParallel*>(&components.strategy()))))
      << "parallel comes first";
}

TEST(Components, AdapterIsMadeLastAndEndedFirst) {
  {
    auto components = Create("");
    ASSERT_TRUE(components.ok()) << components.error().message;
    Events().clear();
    const auto find = [](const char* name) { return *Fakes().Find(Family::kQuant, name); };
    const auto adapter = (*components)->MakeAdapter(*find("adapter"), "p.yaml: adapters");
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    EXPECT_NE(*adapter, nullptr);
    const auto quant = (*components)->MakeAdapter(*find("quant"), "p.yaml: adapters");
    ASSERT_FALSE(quant.ok());
    EXPECT_EQ(quant.error().message,
              "TN108 p.yaml: adapters: quant: it offers no tenon.quant.adapter/1, which a quant "
              "component has to; its plugin built in is at fault");
    EXPECT_THAT(Events(), ElementsAre("+adapter on a device", "+quant on a device"));
    Events().clear();
  }
  EXPECT_THAT(Events(), ElementsAre("-quant", "-adapter", "-sampler", "-processor", "-parallel",
                                    "-scheduler", "-quant", "-attention", "-device"));
}

TEST(Components, ConstructorThatThrowsEndsWhatWasMade) {
  EXPECT_EQ(ErrorIn("attention:\n  use: attention\n  fail: 1\n"),
            "TN108 p.yaml:3:8: attention: fail must be 0");
  EXPECT_THAT(Events(), ElementsAre("+device", "+attention on a device", "-attention", "-device"));
}

TEST(Components, CreateThatFailsTellsItsText) {
  EXPECT_EQ(ErrorIn("quant: {use: broken}\n"), "TN108 p.yaml:2:14: broken: a fake cannot be made");
}

TEST(Components, InterfaceThatIsNotOfferedIsRefused) {
  EXPECT_EQ(ErrorIn("scheduler: hollow\n"),
            "TN108 p.yaml:2:12: hollow: it offers no tenon.scheduler/1, which a scheduler "
            "component has to; its plugin built in is at fault");
}

TEST(Components, ChainHasExactlyOneSampler) {
  EXPECT_EQ(ErrorIn("decoding: [processor]\n"),
            "TN108 p.yaml:2:12: decoding: nothing in the chain picks tokens; add a sampler at its "
            "end");
  EXPECT_EQ(ErrorIn("decoding: [sampler, processor, sampler]\n"),
            "TN108 p.yaml:2:32: sampler: a second sampler after sampler (p.yaml:2:12); one picks "
            "the tokens, remove the other");
  EXPECT_EQ(ErrorIn("decoding: [drafter, drafter, sampler]\n"),
            "TN108 p.yaml:2:21: drafter: a second drafter; one is allowed, remove the other");
}

}  // namespace
}  // namespace tenon::core
