// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <vector>

#include "tenon/ops.h"
#include "tenon/testing/families.h"
#include "tenon/testing/numbers.h"
#include "tenon/testing/stand.h"

namespace tenon::testing {
namespace {

struct Rig {
  explicit Rig(const Subject& subject)
      : instance(*subject.component, &host, nullptr), device(instance.As<Device>()) {}
  KitHost host;
  Instance instance;
  Device* device;
};

Verdict NotMade(Rig& rig) { return Failed("not made: " + rig.host.TakeFailure()); }

Verdict Memory(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  std::vector<void*> blocks;
  for (const uint64_t bytes : {1, 63, 64, 4097, 1 << 20, 5 << 20}) {
    auto* memory = static_cast<uint8_t*>(rig.device->Allocate(bytes));
    if (memory == nullptr) return Failed(Text("no %d bytes", static_cast<int>(bytes)));
    if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) return Failed("memory not aligned to 64");
    for (uint64_t i = 0; i < bytes; ++i) {
      if (memory[i] != 0) return Failed("memory is not zeroed");
    }
    std::memset(memory, 0xee, bytes);
    blocks.push_back(memory);
  }
  // The last one is left to the device.
  for (size_t i = 0; i + 1 < blocks.size(); ++i) rig.device->Free(blocks[i]);
  if (rig.device->Allocate(uint64_t{1} << 62) != nullptr) return Failed("gave 2^62 bytes");
  rig.device->Free(nullptr);
  return Passed();
}

Verdict Copies(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  std::vector<uint8_t> from(100000), back(from.size());
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<uint8_t>(i * 7 + i / 256);
  void* a = rig.device->Allocate(from.size());
  void* b = rig.device->Allocate(from.size());
  if (a == nullptr || b == nullptr) return Failed("no memory");
  const bool done =
      rig.device->Copy(a, from.data(), from.size(), CopyKind::kToDevice) == Status::kOk &&
      rig.device->Copy(b, a, from.size(), CopyKind::kOnDevice) == Status::kOk &&
      rig.device->Copy(back.data(), b, from.size(), CopyKind::kToHost) == Status::kOk;
  return done && back == from ? Passed() : Failed("what was copied there and back differs");
}

Verdict EachOnce(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  for (const int64_t count : {0, 1, 7, 10000}) {
    std::vector<int32_t> times(static_cast<size_t>(count) + 1);
    rig.device->ParallelFor(
        count,
        [](void* context, int64_t i) noexcept {
          __atomic_fetch_add(static_cast<int32_t*>(context) + i, 1, __ATOMIC_RELAXED);
        },
        times.data());
    for (int64_t i = 0; i <= count; ++i) {
      const int32_t seen = times[static_cast<size_t>(i)];
      if (seen != (i < count ? 1 : 0)) {
        return Failed(Text("ParallelFor of %d called %d: %d times", static_cast<int>(count),
                           static_cast<int>(i), seen));
      }
    }
  }
  return Passed();
}

// Every lane runs; lanes meet; pieces are given out once; a failure reaches the caller.
class Probe final : public Op {
 public:
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    lane.Meet();
    if (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) % lane.count != 0) early = true;
    lane.Meet();
    for (int64_t piece = lane.Claim(); piece < 1000; piece = lane.Claim()) {
      __atomic_fetch_add(&pieces[piece], 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&lanes, lane.count, __ATOMIC_RELAXED);
    if (batch.tokens == 2) lane.Fail(Status::kIo);
  }
  int32_t arrived = 0, lanes = 0;
  bool early = false;
  int32_t pieces[1000] = {};
};

Verdict Lanes(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  Probe probe;
  const Step steps[] = {{&probe, 1}, {&probe, 1}};
  Batch batch{};
  batch.tokens = 1;
  uint64_t nanoseconds[2] = {0, 0};
  for (int i = 0; i < 20; ++i) {
    if (rig.device->Run({steps, 2}, batch, nanoseconds) != Status::kOk) return Failed("Run failed");
  }
  if (probe.early) return Failed("lanes left a meeting before all had come");
  if (probe.arrived != 40 * probe.lanes || probe.lanes != rig.device->Info().lanes) {
    return Failed(Text("%d lanes ran, Info says %d", probe.arrived / 40, rig.device->Info().lanes));
  }
  for (const int32_t times : probe.pieces) {
    if (times != 40) return Failed("next_piece does not begin at 0 for each op of each step");
  }
  if (nanoseconds[0] == 0) return Failed("the time of a step was not added");
  batch.tokens = 2;
  if (rig.device->Run({steps, 1}, batch, nullptr) != Status::kIo) {
    return Failed("Lane::Fail does not reach the caller of Run");
  }
  batch.tokens = 1;
  return rig.device->Run({steps, 1}, batch, nullptr) == Status::kOk
             ? Passed(Text("%d lanes", probe.lanes))
             : Failed("a failure outlives its Run");
}

// One op over rows of `columns`, from inputs that are given as numbers, to one output.
class RowOp {
 public:
  RowOp(Rig& rig, int32_t columns, int inputs) : rig_(rig), columns_(columns) {
    for (int i = 0; i <= inputs; ++i) {
      buffers_.push_back({rig.device->Allocate(static_cast<uint64_t>(kRows * columns) * 4),
                          DType::kF32, RowSet::kTokens, kRows, columns, int64_t{4} * columns});
      for (int32_t j = 0; i < inputs && j < kRows * columns; ++j) In(i)[j] = Number(i, j);
    }
  }

  // Greatest difference from `expected(row, column)`; or why it does not run.
  template <typename Params, typename Expected>
  std::string Try(const char* kind, const Params& params, Span<const Weight> weights,
                  double tolerance, Expected expected) {
    const size_t inputs = buffers_.size() - 1;
    const OpSpec spec = {kind,
                         "op",
                         {buffers_.data(), inputs},
                         {&buffers_[inputs], 1},
                         weights,
                         &params,
                         sizeof(params),
                         nullptr,
                         0};
    PlannedOp planned;
    if (rig_.device->Plan(spec, &planned) != Status::kOk || planned.op == nullptr) {
      return std::string(kind) + ": Plan refused: " + rig_.host.TakeFailure();
    }
    const Step steps[] = {{planned.op, 1}};
    Batch batch{};
    batch.tokens = kRows;
    if (rig_.device->Run({steps, 1}, batch, nullptr) != Status::kOk) return "Run failed";
    for (int32_t r = 0; r < kRows; ++r) {
      for (int32_t c = 0; c < columns_; ++c) {
        const double got = static_cast<double>(In(static_cast<int>(inputs))[r * columns_ + c]);
        const double wanted = expected(r, c);
        if (std::abs(got - wanted) <= tolerance) continue;
        return Text("%s gives %g; %g by the formula", kind, got, wanted);
      }
    }
    return "";
  }

  double At(int input, int32_t row, int32_t column) const {
    return static_cast<double>(Number(input, row * columns_ + column));
  }

  static constexpr int32_t kRows = 7;

 private:
  static float Number(int input, int32_t i) {
    return 2 * NumberAt(3, static_cast<uint64_t>(input), static_cast<uint64_t>(i), 0);
  }
  float* In(int i) { return static_cast<float*>(buffers_[static_cast<size_t>(i)].data); }

  Rig& rig_;
  int32_t columns_;
  std::vector<Buffer> buffers_;
};

double Silu(double x) { return x / (1 + std::exp(-x)); }

Verdict Elementwise(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  RowOp two(rig, 96, 2), one(rig, 96, 1);
  std::string wrong = two.Try(kAdd, AddParams{0}, {}, 1e-6, [&](int32_t r, int32_t c) {
    return two.At(0, r, c) + two.At(1, r, c);
  });
  if (wrong.empty()) {
    wrong = two.Try(kGlu, GluParams{Activation::kSilu}, {}, 1e-5,
                    [&](int32_t r, int32_t c) { return Silu(two.At(0, r, c)) * two.At(1, r, c); });
  }
  if (wrong.empty()) {
    wrong = one.Try(kSoftCap, SoftCapParams{1.5f}, {}, 1e-5,
                    [&](int32_t r, int32_t c) { return 1.5 * std::tanh(one.At(0, r, c) / 1.5); });
  }
  return wrong.empty() ? Passed() : Failed(wrong);
}

Verdict RmsNorm(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  std::vector<float> weight;
  for (uint64_t i = 0; i < 96; ++i) weight.push_back(NumberAt(4, 0, i, 0));
  const Weight weights[] = {{"w", {DType::kF32, weight.data(), 1, 96}, 96 * 4}};
  RowOp op(rig, 96, 1);
  const std::string wrong =
      op.Try(kRmsNorm, RmsNormParams{1e-5f, 1, 96}, {weights, 1}, 1e-5, [&](int32_t r, int32_t c) {
        double square = 0;
        for (int32_t i = 0; i < 96; ++i) square += op.At(0, r, i) * op.At(0, r, i);
        const double scale = static_cast<double>(weight[static_cast<size_t>(c)]) + 1;
        return op.At(0, r, c) / std::sqrt(square / 96 + 1e-5) * scale;
      });
  return wrong.empty() ? Passed() : Failed(wrong);
}

Verdict UnknownOp(const Subject& subject) {
  Rig rig(subject);
  if (rig.device == nullptr) return NotMade(rig);
  OpSpec spec{};
  spec.kind = "kit.no_such_op";
  spec.name = "nothing";
  PlannedOp planned;
  return rig.device->Plan(spec, &planned) == Status::kUnsupported
             ? Passed()
             : Failed("an op of unknown kind is not answered with kUnsupported");
}

}  // namespace

void AddDeviceTests(const ComponentInfo& component, std::vector<Test>* tests) {
  if (!component.capabilities.Has(Capability::kDeviceCpu)) {
    tests->push_back({"device.memory.host", [](const Subject&) {
                        return Skipped("no CPU device; the kit runs ops on the CPU");
                      }});
    return;
  }
  tests->insert(tests->end(), {{"device.memory.allocate", Memory},
                               {"device.memory.copy", Copies},
                               {"device.run.parallel_for", EachOnce},
                               {"device.run.lanes", Lanes},
                               {"device.numbers.elementwise", Elementwise},
                               {"device.numbers.rms_norm", RmsNorm},
                               {"device.refuses.unknown_op", UnknownOp}});
}

}  // namespace tenon::testing
