// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tenon/testing/attention_cost.h"
#include "tenon/testing/attention_rig.h"
#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"

namespace tenon::testing {
namespace {

std::vector<AttentionStep> TreeSteps() {
  const std::vector<uint64_t> masks = {1, 3, 5, 11, 19, 37, 101};
  return {{{0, 61}, {1, 3}}, {{0, 7, masks, {0, 1, 1, 2, 2, 2, 3}}, {1, 20}}};
}

std::vector<AttentionStep> EncoderSteps() {
  return {{{0, 37}}, {{1, 90}, {2, 1}, {3, 16}}, {{4, 64}}};
}

std::string Show(const AttentionSetup& setup) {
  const AttentionParams& p = setup.layer;
  return Text("%d/%d heads of %d/%d, window %d, cap %g, sinks %u, %s KV", p.heads, p.kv_heads,
              p.head_dim, p.value_dim, p.window, static_cast<double>(p.soft_cap), p.has_sinks,
              setup.kv_type.c_str());
}

// Plays the steps for each setup and holds the rows against the formula.
Verdict Follow(const Subject& subject, const std::vector<AttentionSetup>& setups,
               const std::vector<AttentionStep>& steps, double slack = 1) {
  double worst = 0;
  for (const AttentionSetup& setup : setups) {
    AttentionRig rig(subject, setup);
    const std::string wrong = rig.Play(steps);
    if (!wrong.empty()) return Failed(Show(setup) + ": " + wrong);
    const double tolerance = ToleranceOf(setup.kv_type) * slack;
    if (!(rig.stand.worst() <= tolerance)) {
      return Failed(Show(setup) + Text(": off by %.2g of a row's greatest number; %.2g allowed",
                                       rig.stand.worst(), tolerance));
    }
    worst = std::max(worst, rig.stand.worst());
  }
  return Passed(Text("error %.2g", worst));
}

Verdict KvType(const Subject& subject, const std::string& type) {
  std::vector<AttentionSetup> setups;
  for (const AttentionParams& layer :
       {Layer(1, 1, 16, 16), Layer(9, 3, 64, 64), Layer(4, 1, 80, 80), Layer(4, 4, 32, 32),
        Layer(5, 1, 128, 128)}) {
    setups.push_back(SetupOf(subject, layer));
    setups.back().kv_type = type;
  }
  return Follow(subject, setups, MixedSteps());
}

Verdict Window(const Subject& subject) {
  std::vector<AttentionSetup> setups;
  for (const int32_t window : {1, 3, 16, 70}) {
    setups.push_back(SetupOf(subject, Layer(4, 2, 64, 64)));
    setups.back().layer.window = window;
  }
  return Follow(subject, setups, MixedSteps());
}

Verdict SoftCap(const Subject& subject) {
  std::vector<AttentionSetup> setups;
  for (const float cap : {2.0f, 50.0f}) {
    setups.push_back(SetupOf(subject, Layer(4, 2, 64, 64)));
    setups.back().layer.soft_cap = cap;
    setups.back().layer.scale = 0.5f;
  }
  return Follow(subject, setups, MixedSteps(), 4);
}

Verdict Sinks(const Subject& subject) {
  AttentionSetup setup = SetupOf(subject, Layer(8, 2, 64, 64));
  setup.layer.has_sinks = 1;
  AttentionSetup windowed = setup;
  const bool both = subject.component->capabilities.Has(Capability::kSlidingWindow);
  windowed.layer.window = both ? 3 : 0;
  return Follow(subject, {setup, windowed}, MixedSteps());
}

Verdict Tree(const Subject& subject) {
  AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  AttentionSetup windowed = SetupOf(subject, Layer(4, 1, 64, 64));
  const bool both = subject.component->capabilities.Has(Capability::kSlidingWindow);
  windowed.layer.window = both ? 3 : 0;
  return Follow(subject, {setup, windowed}, TreeSteps());
}

Verdict Latent(const Subject& subject) {
  std::vector<AttentionSetup> setups;
  for (const AttentionParams& layer : {Layer(16, 1, 128, 96), Layer(3, 1, 40, 32)}) {
    setups.push_back(SetupOf(subject, layer));
    setups.back().kind = AttentionKind::kLatent;
  }
  return Follow(subject, setups, MixedSteps());
}

Verdict Bidirectional(const Subject& subject) {
  std::vector<AttentionSetup> setups;
  for (const AttentionParams& layer : {Layer(12, 12, 32, 32), Layer(4, 2, 64, 64)}) {
    setups.push_back(SetupOf(subject, layer));
    setups.back().kind = AttentionKind::kBidirectional;
  }
  return Follow(subject, setups, EncoderSteps());
}

// A second sequence that begins with pages of the first.
Verdict SharedPages(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(4, 2, 64, 64));
  AttentionRig rig(subject, setup);
  std::string wrong = rig.Play({{{0, 150}}});
  if (!wrong.empty()) return Failed(wrong);
  const int32_t page = rig.stand.layout().page_tokens;
  if (page > 150) return Failed(Text("claims shared pages, with pages of %d tokens", page));
  rig.stand.Share(0, 1, 150 / page);
  wrong = rig.Play({{{1, 20}, {0, 1}}, {{0, 1}, {1, 1}}});
  if (!wrong.empty()) return Failed(wrong);
  const double tolerance = ToleranceOf(setup.kv_type);
  if (!(rig.stand.worst() <= tolerance)) {
    return Failed(Text("off by %.2g; %.2g allowed", rig.stand.worst(), tolerance));
  }
  return Passed(Text("error %.2g", rig.stand.worst()));
}

// Pages change hands between batches: what another sequence left in them must not be seen.
Verdict PagesReused(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(4, 2, 64, 64));
  AttentionRig rig(subject, setup);
  std::string wrong = rig.Play({{{3, 100}, {4, 60}}, {{3, 1}, {4, 90}}});
  if (!wrong.empty()) return Failed(wrong);
  rig.stand.Reset();
  wrong = rig.Play(MixedSteps());
  if (!wrong.empty()) return Failed(wrong);
  const double tolerance = ToleranceOf(setup.kv_type);
  if (rig.stand.worst() <= tolerance) return Passed();
  return Failed(
      Text("off by %.2g when pages are used again; %.2g allowed", rig.stand.worst(), tolerance));
}

// Every claimed KV type can be chosen, and every one that can be chosen is claimed.
Verdict KvChoices(const Subject& subject) {
  const OptionInfo* option = FindOption(*subject.component, "kv_type");
  const std::vector<std::string> words =
      option == nullptr ? std::vector<std::string>{} : ChoicesOf(*option);
  for (const char* type : kKvTypes) {
    const bool claimed = subject.component->capabilities.Has(KvBit(type));
    const bool offered = std::find(words.begin(), words.end(), type) != words.end();
    if (offered && !claimed) {
      return Failed(std::string("kv_type offers ") + type + ", which it does not claim");
    }
    if (claimed && !offered) {
      return Failed(std::string("it claims ") + type + " KV, which kv_type does not offer");
    }
  }
  return Passed();
}

// What it does not claim the host refuses for it; best it refuses too.
Verdict Unclaimed(const Subject& subject) {
  struct Case {
    Capability bit;
    AttentionSetup setup;
  };
  std::vector<Case> cases;
  for (const Capability bit : {Capability::kSlidingWindow, Capability::kSoftCap, Capability::kSinks,
                               Capability::kLatentKv, Capability::kBidirectional}) {
    AttentionSetup setup = SetupOf(subject, Layer(4, 2, 64, 64));
    if (bit == Capability::kSlidingWindow) setup.layer.window = 8;
    if (bit == Capability::kSoftCap) setup.layer.soft_cap = 5;
    if (bit == Capability::kSinks) setup.layer.has_sinks = 1;
    if (bit == Capability::kLatentKv) setup.layer = Layer(4, 1, 48, 32);
    if (bit == Capability::kLatentKv) setup.kind = AttentionKind::kLatent;
    if (bit == Capability::kBidirectional) setup.kind = AttentionKind::kBidirectional;
    if (!subject.component->capabilities.Has(bit)) cases.push_back({bit, setup});
  }
  for (const Case& c : cases) {
    AttentionRig rig(subject, c.setup);
    if (rig.stand.status() == Status::kOk) {
      return Warned(std::string("plans an op with ") + Describe(c.bit) +
                    ", which it does not claim; only the host refuses it");
    }
  }
  return Passed(Text("%zu bits not claimed", cases.size()));
}

// Parameters that contradict themselves are refused, with a reason.
Verdict BadParameters(const Subject& subject) {
  struct Case {
    const char* what;
    AttentionParams layer;
  };
  AttentionParams none = Layer(4, 2, 64, 64);
  none.heads = 0;
  for (const Case& c :
       {Case{"5 heads over 2 KV heads", Layer(5, 2, 64, 64)}, Case{"no heads", none}}) {
    const AttentionSetup setup = SetupOf(subject, c.layer);
    AttentionRig rig(subject, setup);
    if (rig.instance.get() == nullptr) return Failed("not made: " + rig.host.TakeFailure());
    if (rig.stand.status() == Status::kOk) return Failed(std::string("plans ") + c.what);
    if (rig.host.TakeFailure().empty()) {
      return Failed(std::string("refuses ") + c.what + " without a reason (Host::Fail)");
    }
  }
  return Passed();
}

// Without memory Plan refuses; what it took it gives back.
Verdict OutOfMemory(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(4, 2, 64, 64));
  KitDevice device(2);
  int64_t refused = 0;
  for (int64_t allowed = 0; allowed < 20; ++allowed) {
    KitHost host;
    device.allocations = 0;
    device.allowed = allowed;
    Instance instance(*subject.component, &host, &device,
                      KvOption(*subject.component, setup.kv_type));
    const AttentionStand stand(instance.As<Attention>(), device, setup);
    if (stand.status() == Status::kOk) break;
    if (host.TakeFailure().empty()) return Failed("refused without a reason (Host::Fail)");
    ++refused;
  }
  const long long live = device.live;
  if (live != 0) return Failed(Text("%lld blocks of device memory were not freed", live));
  return Passed(Text("%lld allocations", static_cast<long long>(refused)));
}

class Attending final : public Exercise {
 public:
  Attending(const Instance& instance, KitDevice& device, uint64_t seed)
      : stand_(instance.As<Attention>(), device, Setup(seed)) {}

  std::vector<double> Run() override {
    std::vector<double> out;
    if (stand_.status() != Status::kOk) return out;
    stand_.Reset();
    for (const AttentionStep& step :
         {AttentionStep{{0, 21}, {1, 4}}, AttentionStep{{1, 9}, {0, 1}}}) {
      stand_.Run(step);
    }
    for (const auto& [key, row] : stand_.rows()) out.insert(out.end(), row.begin(), row.end());
    return out;
  }

 private:
  static AttentionSetup Setup(uint64_t seed) {
    AttentionSetup setup;
    setup.layer = seed == 1 ? Layer(4, 2, 32, 32) : Layer(6, 1, 64, 64);
    setup.seed = seed;
    return setup;
  }
  AttentionStand stand_;
};

}  // namespace

std::unique_ptr<Exercise> AttentionExercise(const Instance& instance, KitDevice& device,
                                            uint64_t seed) {
  return std::make_unique<Attending>(instance, device, seed);
}

void AddAttentionTests(const ComponentInfo& component, std::vector<Test>* tests) {
  if (!component.capabilities.Has(Capability::kDeviceCpu)) {
    tests->push_back({"attention.numbers.device", [](const Subject&) {
                        return Skipped("works on CUDA alone; the kit runs ops on the CPU");
                      }});
    return;
  }
  for (const char* type : kKvTypes) {
    if (!component.capabilities.Has(KvBit(type))) continue;
    tests->push_back({std::string("attention.numbers.") + type,
                      [type](const Subject& subject) { return KvType(subject, type); }});
  }
  const struct {
    Capability bit;
    const char* name;
    Verdict (*run)(const Subject&);
  } claimed[] = {{Capability::kSlidingWindow, "attention.numbers.window", Window},
                 {Capability::kSoftCap, "attention.numbers.soft_cap", SoftCap},
                 {Capability::kSinks, "attention.numbers.sinks", Sinks},
                 {Capability::kTreeMask, "attention.numbers.tree_mask", Tree},
                 {Capability::kLatentKv, "attention.numbers.latent", Latent},
                 {Capability::kBidirectional, "attention.numbers.bidirectional", Bidirectional},
                 {Capability::kSharedPages, "attention.pages.shared", SharedPages}};
  for (const auto& test : claimed) {
    if (component.capabilities.Has(test.bit)) tests->push_back({test.name, test.run});
  }
  tests->insert(tests->end(), {{"attention.pages.reused", PagesReused},
                               {"attention.refuses.kv_choices", KvChoices},
                               {"attention.refuses.unclaimed", Unclaimed},
                               {"attention.refuses.bad_parameters", BadParameters},
                               {"attention.refuses.no_memory", OutOfMemory}});
  AddAttentionBatchTests(tests);
  AddAttentionCost(component, tests);
}

}  // namespace tenon::testing
