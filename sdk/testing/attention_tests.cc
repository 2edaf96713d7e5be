// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string_view>

#include "tenon/testing/attention_cost.h"
#include "tenon/testing/attention_stand.h"
#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"

namespace tenon::testing {
namespace {

constexpr const char* kKvTypes[] = {"f32", "f16", "bf16", "int8"};

Capability KvBit(const std::string& type) {
  if (type == "f32") return Capability::kKvF32;
  if (type == "f16") return Capability::kKvF16;
  return type == "bf16" ? Capability::kKvBF16 : Capability::kKvI8;
}

// Of a row's greatest number; what is stored in a type is rounded to it in the formula, int8 not.
double ToleranceOf(const std::string& type) {
  if (type == "f32") return 1e-4;
  if (type == "f16") return 1e-3;
  return type == "bf16" ? 4e-3 : 5e-2;
}

// Prompts in pieces beside decodes, sequences of several pages.
std::vector<AttentionStep> MixedSteps() {
  return {{{0, 37}},
          {{0, 1}, {1, 90}},
          {{0, 1}, {1, 1}, {2, 7}},
          {{2, 40}, {0, 1}, {1, 17}},
          {{0, 1}, {1, 1}, {2, 1}}};
}

std::vector<AttentionStep> TreeSteps() {
  const std::vector<uint64_t> masks = {1, 3, 5, 11, 19, 37, 101};
  return {{{0, 61}, {1, 3}}, {{0, 7, masks, {0, 1, 1, 2, 2, 2, 3}}, {1, 20}}};
}

std::vector<AttentionStep> EncoderSteps() {
  return {{{0, 37}}, {{1, 90}, {2, 1}, {3, 16}}, {{4, 64}}};
}

AttentionParams Layer(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t value_dim) {
  return {0, heads, kv_heads, head_dim, value_dim, 1 / std::sqrt(static_cast<float>(head_dim)),
          0, 0,     0};
}

// The first KV type that it claims.
std::string AnyKvType(const ComponentInfo& info) {
  for (const char* type : kKvTypes) {
    if (info.capabilities.Has(KvBit(type))) return type;
  }
  return "f32";
}

std::map<std::string, std::string> KvOption(const ComponentInfo& info, const std::string& type) {
  if (FindOption(info, "kv_type") == nullptr) return {};
  return {{"kv_type", type}};
}

// A component with its stand, ended in the right order.
struct Rig {
  Rig(const Subject& subject, const AttentionSetup& setup, int32_t lanes = 0)
      : device(lanes > 0 ? std::make_unique<KitDevice>(lanes)
                         : std::make_unique<KitDevice>(subject.device)),
        instance(*subject.component, &host, device.get(),
                 KvOption(*subject.component, setup.kv_type)),
        stand(instance.As<Attention>(), *device, setup) {}

  // Runs the steps; "" or what is wrong besides the numbers.
  std::string Play(const std::vector<AttentionStep>& steps) {
    if (instance.get() == nullptr) return "not made: " + host.TakeFailure();
    if (stand.status() != Status::kOk) return "LayOut or Plan refused: " + host.TakeFailure();
    for (const AttentionStep& step : steps) {
      const std::string wrong = stand.Run(step);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

  KitHost host;
  std::unique_ptr<KitDevice> device;
  Instance instance;
  AttentionStand stand;
};

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
    Rig rig(subject, setup);
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

AttentionSetup SetupOf(const Subject& subject, AttentionParams layer) {
  AttentionSetup setup;
  setup.layer = layer;
  setup.kv_type = AnyKvType(*subject.component);
  return setup;
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
  Rig rig(subject, setup);
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
  Rig rig(subject, setup);
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

// The rows of one way to run must have the bits of another.
Verdict SameBits(const AttentionStand::Rows& rows, const AttentionStand::Rows& expected,
                 const char* what) {
  for (const auto& [key, row] : rows) {
    const auto found = expected.find(key);
    if (found != expected.end() && found->second != row) {
      return Warned(
          Text("%s gives other bits (slot %d of sequence %d)", what, key.second, key.first));
    }
  }
  return Passed();
}

Verdict Deterministic(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  Rig one(subject, setup), other(subject, setup);
  std::string wrong = one.Play(MixedSteps());
  if (wrong.empty()) wrong = other.Play(MixedSteps());
  if (!wrong.empty()) return Failed(wrong);
  const Verdict same = SameBits(one.stand.rows(), other.stand.rows(), "the same again");
  return same.outcome == Outcome::kPassed ? same : Failed(same.message);
}

// Sequence 1 in one step alone, in pieces alone, and in pieces beside others.
Verdict Chunked(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  Rig whole(subject, setup), pieces(subject, setup);
  std::string wrong = whole.Play({{{1, 109}}});
  if (wrong.empty()) wrong = pieces.Play({{{1, 17}}, {{1, 1}}, {{1, 64}}, {{1, 27}}});
  if (!wrong.empty()) return Failed(wrong);
  const double tolerance = ToleranceOf(setup.kv_type);
  if (!(pieces.stand.worst() <= tolerance)) {
    return Failed(
        Text("a prompt in pieces is off by %.2g; %.2g allowed", pieces.stand.worst(), tolerance));
  }
  return SameBits(pieces.stand.rows(), whole.stand.rows(), "a prompt in pieces");
}

Verdict BatchInvariant(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  Rig alone(subject, setup), beside(subject, setup);
  std::string wrong = alone.Play({{{1, 90}}, {{1, 1}}, {{1, 17}}, {{1, 1}}});
  if (wrong.empty()) wrong = beside.Play(MixedSteps());
  return wrong.empty() ? SameBits(alone.stand.rows(), beside.stand.rows(), "company in the batch")
                       : Failed(wrong);
}

Verdict LanesAlike(const Subject& subject) {
  const AttentionSetup setup = SetupOf(subject, Layer(9, 3, 64, 64));
  Rig one(subject, setup, 1), three(subject, setup, 3);
  std::string wrong = one.Play(MixedSteps());
  if (wrong.empty()) wrong = three.Play(MixedSteps());
  if (!wrong.empty()) return Failed(wrong);
  if (!(three.stand.worst() <= ToleranceOf(setup.kv_type))) {
    return Failed(Text("off by %.2g with three lanes", three.stand.worst()));
  }
  return SameBits(three.stand.rows(), one.stand.rows(), "three lanes instead of one");
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
    Rig rig(subject, c.setup);
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
    Rig rig(subject, setup);
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
                               {"attention.batch.deterministic", Deterministic},
                               {"attention.batch.chunked", Chunked},
                               {"attention.batch.invariant", BatchInvariant},
                               {"attention.batch.lanes", LanesAlike},
                               {"attention.refuses.kv_choices", KvChoices},
                               {"attention.refuses.unclaimed", Unclaimed},
                               {"attention.refuses.bad_parameters", BadParameters},
                               {"attention.refuses.no_memory", OutOfMemory}});
  AddAttentionCost(component, tests);
}

}  // namespace tenon::testing
