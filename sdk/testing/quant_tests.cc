// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"
#include "tenon/testing/linear_stand.h"
#include "tenon/testing/stopwatch.h"
#include "tenon/testing/watch.h"

namespace tenon::testing {
namespace {

// Of a row's norm. int8 activations in blocks of 32 are about 0.6 % off; int8 of whole rows 1 %.
constexpr double kTolerance = 0.02;

constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kF8E4M3, DType::kI8,
                            DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,   DType::kQ8_0,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

DType AnyType(const ComponentInfo& info, size_t skip = 0) {
  DType last = DType::kF32;
  for (const DType type : kTypes) {
    if (!info.capabilities.Has(WeightCapability(type))) continue;
    last = type;
    if (skip-- == 0) break;
  }
  return last;
}

struct Rig {
  Rig(const ComponentInfo& info, const ComponentInfo* on, const LinearSetup& setup,
      int32_t lanes = 0)
      : device(lanes > 0 ? std::make_unique<KitDevice>(lanes) : std::make_unique<KitDevice>(on)),
        instance(info, &host, device.get()),
        stand(instance.As<Quant>(), *device, setup) {}

  KitHost host;
  std::unique_ptr<KitDevice> device;
  Instance instance;
  LinearStand stand;
};

// Runs it for several numbers of rows, and holds the rows against the formula.
Verdict Follow(const Subject& subject, const LinearSetup& setup) {
  Rig rig(*subject.component, subject.device, setup);
  if (rig.stand.status() != Status::kOk) return Failed("Plan refused: " + rig.host.TakeFailure());
  double worst = 0;
  for (const int32_t tokens : {1, 3, 8, setup.tokens}) {
    if (!rig.stand.Run(tokens)) return Failed("the device's Run failed");
    worst = std::max(worst, rig.stand.Worst(tokens));
    if (!(worst <= kTolerance)) {
      return Failed(
          Text("%d rows: off by %.2g of a row's norm; %.2g allowed", tokens, worst, kTolerance));
    }
    if (rig.stand.WroteOutside()) return Failed("wrote behind the columns of its output");
  }
  return Passed(Text("error %.2g", worst));
}

Verdict OfType(const Subject& subject, DType type) {
  std::string note;
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 256}, {96, 768}, {131, 512}}) {
    LinearSetup setup;
    setup.matrices = {{type, rows}};
    setup.columns = columns;
    const Verdict verdict = Follow(subject, setup);
    if (verdict.outcome != Outcome::kPassed) {
      return {
          verdict.outcome,
          Text("[%d, %d]: ", static_cast<int>(rows), static_cast<int>(columns)) + verdict.message};
    }
    note = verdict.message;
  }
  return Passed(note);
}

LinearSetup Stacked(const Subject& subject) {
  LinearSetup setup;
  setup.matrices = {{AnyType(*subject.component), 96},
                    {AnyType(*subject.component, 1), 33},
                    {AnyType(*subject.component, 100), 64}};
  return setup;
}

Verdict StackedMatrices(const Subject& subject) { return Follow(subject, Stacked(subject)); }

Verdict Residual(const Subject& subject) {
  LinearSetup setup = Stacked(subject);
  setup.residual = true;
  return Follow(subject, setup);
}

Verdict Bias(const Subject& subject) {
  LinearSetup setup = Stacked(subject);
  setup.bias = true;
  Verdict verdict = Follow(subject, setup);
  if (verdict.outcome != Outcome::kPassed) return verdict;
  setup.residual = true;
  return Follow(subject, setup);
}

Verdict Scales(const Subject& subject) {
  LinearSetup setup;
  setup.scales = true;
  for (const DType type : {DType::kF8E4M3, DType::kI8, AnyType(*subject.component)}) {
    if (!subject.component->capabilities.Has(WeightCapability(type))) continue;
    setup.matrices = {{type, 96}, {type, 50}};
    const Verdict verdict = Follow(subject, setup);
    if (verdict.outcome != Outcome::kPassed) {
      return {verdict.outcome, std::string(Layout(type).name) + ": " + verdict.message};
    }
    // A role of one byte a value is what scales are for; others need not have them.
    if (Layout(type).block_bytes == 1) return verdict;
  }
  return Passed();
}

Verdict Grouped(const Subject& subject) {
  const bool has_bias = subject.component->capabilities.Has(Capability::kLinearBias);
  for (const bool by_slot : {false, true}) {
    for (const bool routed : {true, false}) {
      LinearSetup setup;
      setup.matrices = {{AnyType(*subject.component), 48}, {AnyType(*subject.component, 1), 48}};
      setup.experts = routed ? 5 : 3;
      setup.slots = routed ? 2 : 3;
      setup.routed = routed;
      setup.input_by_slot = by_slot;
      setup.bias = has_bias && routed;
      const Verdict verdict = Follow(subject, setup);
      if (verdict.outcome == Outcome::kPassed) continue;
      return {verdict.outcome, Text("%s, %s: ", by_slot ? "an input a slot" : "one input",
                                    routed ? "routed" : "a matrix a slot") +
                                   verdict.message};
    }
  }
  return Passed();
}

Verdict Deterministic(const Subject& subject) {
  const LinearSetup setup = Stacked(subject);
  Rig one(*subject.component, subject.device, setup),
      other(*subject.component, subject.device, setup);
  if (one.stand.status() != Status::kOk) return Skipped("not planned");
  if (!one.stand.Run(20) || !other.stand.Run(20)) return Failed("the device's Run failed");
  for (int32_t t = 0; t < 20; ++t) {
    if (one.stand.Row(t) != other.stand.Row(t)) return Failed("the same again gives other bits");
  }
  return Passed();
}

// A row alone, among few and among many, on one lane and on three.
Verdict Invariant(const Subject& subject, int32_t lanes) {
  const LinearSetup setup = Stacked(subject);
  Rig one(*subject.component, subject.device, setup, 1);
  Rig other(*subject.component, subject.device, setup, lanes);
  if (one.stand.status() != Status::kOk) return Skipped("not planned");
  for (const int32_t tokens : {1, 5, 20}) {
    if (!one.stand.Run(20) || !other.stand.Run(tokens)) return Failed("the device's Run failed");
    for (int32_t t = 0; t < tokens; ++t) {
      if (one.stand.Row(t) == other.stand.Row(t)) continue;
      return Warned(Text("row %d has other bits among %d rows on %d lanes than among 20 on one", t,
                         tokens, lanes));
    }
  }
  return Passed();
}

Verdict Unclaimed(const Subject& subject) {
  int refused = 0;
  for (const DType type : kTypes) {
    if (subject.component->capabilities.Has(WeightCapability(type))) continue;
    LinearSetup setup;
    setup.matrices = {{type, 64}};
    Rig rig(*subject.component, subject.device, setup);
    if (rig.stand.status() == Status::kOk) {
      return Warned(std::string("plans ") + Layout(type).name +
                    " weights, which it does not claim; only the host refuses them");
    }
    ++refused;
  }
  LinearSetup setup;
  setup.matrices = {{AnyType(*subject.component), 64}};
  setup.experts = 3;
  if (!subject.component->capabilities.Has(Capability::kGroupedLinear) &&
      Rig(*subject.component, subject.device, setup).stand.status() == Status::kOk) {
    return Warned("plans grouped linears, which it does not claim; only the host refuses them");
  }
  setup.experts = 0;
  setup.scales = true;
  if (!subject.component->capabilities.Has(Capability::kWeightScales) &&
      Rig(*subject.component, subject.device, setup).stand.status() == Status::kOk) {
    return Warned("plans weights with scales, which it does not claim; only the host refuses them");
  }
  return Passed(Text("%d types not claimed", refused));
}

Verdict OutOfMemory(const Subject& subject) {
  KitDevice device(2);
  int64_t refused = 0;
  for (int64_t allowed = 0; allowed < 20; ++allowed) {
    KitHost host;
    device.allocations = 0;
    device.allowed = allowed;
    const Instance instance(*subject.component, &host, &device);
    const LinearStand stand(instance.As<Quant>(), device, Stacked(subject));
    if (stand.status() == Status::kOk) break;
    if (host.TakeFailure().empty()) return Failed("refused without a reason (Host::Fail)");
    ++refused;
  }
  const long long live = device.live;
  if (live != 0) return Failed(Text("%lld blocks of device memory were not freed", live));
  return Passed(Text("%lld allocations", static_cast<long long>(refused)));
}

// What it says that Plan takes is what Plan takes.
Verdict Footprint(const Subject& subject) {
  Rig rig(*subject.component, subject.device, Stacked(subject));
  if (rig.stand.status() != Status::kOk) return Skipped("not planned");
  auto* footprint = rig.instance.As<WeightFootprint>();
  if (footprint == nullptr) return Skipped("offers no tenon.quant.footprint/1");
  const OpSpec& spec = rig.stand.spec();
  Node node;
  node.kind = spec.kind;
  node.name = spec.name;
  node.family = Family::kQuant;
  node.weights = spec.weights;
  node.params = spec.params;
  node.params_bytes = spec.params_bytes;
  const auto said = static_cast<unsigned long long>(footprint->WeightBytes(node));
  const auto taken = static_cast<unsigned long long>(rig.stand.planned().weight_bytes);
  // What stays mapped is the op's, but is not allocated.
  if (said <= taken) return Passed(Text("%llu of %llu bytes are allocated", said, taken));
  return Failed(Text("WeightBytes says %llu, Plan took %llu", said, taken));
}

Verdict Allocations(const Subject& subject) {
  if (!AllocationWatch::Works()) return Skipped("allocations cannot be watched here");
  Rig rig(*subject.component, nullptr, Stacked(subject), 1);
  if (rig.stand.status() != Status::kOk) return Skipped("not planned");
  for (const int32_t tokens : {1, 8, 20}) {
    rig.stand.RunAlone(tokens);
    const int64_t before = rig.device->allocations;
    const AllocationWatch watch;
    rig.stand.RunAlone(tokens);
    const long long count = watch.count() + (rig.device->allocations - before);
    if (count != 0) return Failed(Text("Run allocated %lld times; it may not at all", count));
  }
  return Passed();
}

// Seconds of one row and of many.
bool Measure(const ComponentInfo& info, const LinearSetup& setup, double* one, double* many) {
  Rig rig(info, nullptr, setup, 1);
  if (rig.stand.status() != Status::kOk) return false;
  *one = FastestSeconds([&] { rig.stand.RunAlone(1); });
  *many = FastestSeconds([&] { rig.stand.RunAlone(setup.tokens); });
  return true;
}

Verdict Time(const Subject& subject) {
  LinearSetup setup;
  setup.tokens = 64;
  setup.columns = 1024;
  DType type = DType::kQ4_1;
  if (!subject.component->capabilities.Has(WeightCapability(type))) {
    type = AnyType(*subject.component);
  }
  setup.matrices = {{type, 2048}};
  double one = 0, many = 0;
  if (!Measure(*subject.component, setup, &one, &many)) return Skipped("not planned");
  const double bytes = static_cast<double>(BytesOf(type, 2048 * 1024));
  const double products = 2048.0 * 1024;
  std::string text = Text(
      "%s [2048, 1024], one lane: 1 row %.0f us, %.1f GB/s; 64 rows %.0f us, "
      "%.0f GOP/s",
      Layout(type).name, one * 1e6, bytes / one / 1e9, many * 1e6, 2 * 64 * products / many / 1e9);
  double their_one = 0, their_many = 0;
  if (subject.yardstick != nullptr && Measure(*subject.yardstick, setup, &their_one, &their_many)) {
    text += Text("; %s takes %.2f and %.2f times as long", subject.yardstick->name, their_one / one,
                 their_many / many);
  }
  return {Outcome::kPassed,
          text,
          {{"1 row", bytes / one, true}, {"64 rows", 2 * 64 * products / many, false}}};
}

class Multiplying final : public Exercise {
 public:
  Multiplying(const ComponentInfo& info, const Instance& instance, KitDevice& device, uint64_t seed)
      : stand_(instance.As<Quant>(), device, Setup(info, seed)) {}

  std::vector<double> Run() override {
    std::vector<double> out;
    if (stand_.status() != Status::kOk || !stand_.Run(9)) return out;
    for (int32_t t = 0; t < 9; ++t) {
      for (const float x : stand_.Row(t)) out.push_back(static_cast<double>(x));
    }
    return out;
  }

 private:
  static LinearSetup Setup(const ComponentInfo& info, uint64_t seed) {
    LinearSetup setup;
    setup.matrices = {{AnyType(info), seed == 1 ? 64 : 96}, {AnyType(info, 1), 32}};
    setup.columns = seed == 1 ? 256 : 512;
    setup.seed = seed;
    return setup;
  }
  LinearStand stand_;
};

}  // namespace

std::unique_ptr<Exercise> QuantExercise(const ComponentInfo& info, const Instance& instance,
                                        KitDevice& device, uint64_t seed) {
  if (info.capabilities.Has(Capability::kAdapter)) return nullptr;
  return std::make_unique<Multiplying>(info, instance, device, seed);
}

void AddQuantTests(const ComponentInfo& component, std::vector<Test>* tests) {
  const Capabilities& claims = component.capabilities;
  if (!claims.Has(Capability::kDeviceCpu)) {
    tests->push_back({"quant.numbers.device", [](const Subject&) {
                        return Skipped("works on CUDA alone; the kit runs ops on the CPU");
                      }});
    return;
  }
  if (claims.Has(Capability::kAdapter)) return AddAdapterTests(tests);
  for (const DType type : kTypes) {
    if (!claims.Has(WeightCapability(type))) continue;
    // Integers stand for themselves only with their scales.
    if (type == DType::kI8 && claims.Has(Capability::kWeightScales)) continue;
    tests->push_back({std::string("quant.numbers.") + Layout(type).name,
                      [type](const Subject& subject) { return OfType(subject, type); }});
  }
  tests->push_back({"quant.numbers.stacked", StackedMatrices});
  tests->push_back({"quant.numbers.residual", Residual});
  if (claims.Has(Capability::kLinearBias)) tests->push_back({"quant.numbers.bias", Bias});
  if (claims.Has(Capability::kWeightScales)) tests->push_back({"quant.numbers.scales", Scales});
  if (claims.Has(Capability::kGroupedLinear)) tests->push_back({"quant.numbers.grouped", Grouped});
  tests->insert(tests->end(),
                {{"quant.batch.deterministic", Deterministic},
                 {"quant.batch.invariant", [](const Subject& s) { return Invariant(s, 1); }},
                 {"quant.batch.lanes", [](const Subject& s) { return Invariant(s, 3); }},
                 {"quant.refuses.unclaimed", Unclaimed},
                 {"quant.refuses.no_memory", OutOfMemory},
                 {"quant.footprint.true", Footprint},
                 {"quant.cost.allocations", Allocations},
                 {"quant.cost.time", Time}});
}

}  // namespace tenon::testing
