// SPDX-License-Identifier: Apache-2.0
// Adapters with one fault each, and one without: an op behind each linear, in f32.
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "tenon/ops.h"
#include "tenon/plugin.h"
#include "tenon/quant.h"

namespace {

using namespace tenon;

enum class Fault { kNone, kScale, kEveryRow, kCompany, kStray, kAllocates };

constexpr const char* kDelta = "acme.delta";

float Read(const Tensor& tensor, int64_t row, int64_t column) {
  const int64_t i = row * tensor.columns + column;
  if (tensor.dtype == DType::kF32) return static_cast<const float*>(tensor.data)[i];
  const uint16_t half = static_cast<const uint16_t*>(tensor.data)[i];
  if (tensor.dtype == DType::kBF16) {
    const uint32_t bits = uint32_t{half} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  // IEEE 754 binary16; the kit's numbers are finite.
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                   : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return half >> 15 != 0 ? -size : size;
}

// What adapters do to one linear.
struct Part {
  AdapterDelta delta;
  int32_t first_column;
};

template <Fault kFault>
class DeltaOp final : public Op {
 public:
  DeltaOp(const OpSpec& spec, std::vector<Part> parts)
      : x_(spec.inputs[0]), out_(spec.outputs[0]), parts_(std::move(parts)) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange mine = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = mine.begin; t < mine.end; ++t) {
      const int32_t chosen = batch.spans[batch.token_sequence[t]].adapter;
      if (kFault == Fault::kAllocates) delete new volatile int(t);
      for (const Part& part : parts_) {
        if (part.delta.adapter == chosen || kFault == Fault::kEveryRow) Add(part, t, batch.tokens);
      }
    }
  }

 private:
  static float* RowOf(const Buffer& buffer, int32_t row) {
    return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
  }

  void Add(const Part& part, int32_t t, int32_t tokens) {
    const AdapterDelta& delta = part.delta;
    const float* x = RowOf(x_, t);
    float* out = RowOf(out_, t) + part.first_column;
    float scale = kFault == Fault::kScale ? 1.0f : delta.scale;
    if (kFault == Fault::kCompany) scale *= 1 + 1e-7f * static_cast<float>(tokens);
    for (int64_t r = 0; r < delta.a.rows; ++r) {
      double inner = 0;
      for (int64_t i = 0; i < delta.a.columns; ++i) inner += double{Read(delta.a, r, i)} * x[i];
      for (int64_t n = 0; n < delta.b.rows; ++n) {
        out[n] += scale * Read(delta.b, n, r) * static_cast<float>(inner);
      }
    }
  }

  const Buffer x_, out_;
  const std::vector<Part> parts_;
};

template <Fault kFault>
class Deltas final : public Component, public Adapter {
 public:
  explicit Deltas(const CreateArgs& args) : host_(*args.host) {}
  void* Query(const char* name) noexcept override { return Offer<Adapter>(this, name); }

  Status Rewrite(ProgramEditor& program, Span<const AdapterDelta> deltas) noexcept override {
    size_t used = 0;
    for (int32_t at = 0; at < program.Count(); ++at) {
      const Node linear = program.At(at);
      if (!(linear.kind == Str(kLinear))) continue;
      std::vector<Part> parts = PartsOf(linear, deltas);
      used += parts.size();
      if (parts.empty()) continue;
      const Operand inputs[] = {linear.inputs[0], linear.outputs[0]};
      const Operand output = linear.outputs[0];
      const auto number = static_cast<uint32_t>(parts_.size());
      parts_.push_back(std::move(parts));
      Node node;
      node.kind = kDelta;
      node.name = "acme.delta.0";
      node.family = Family::kQuant;
      node.maker = this;
      node.inputs = {inputs, 2};
      node.outputs = {&output, 1};
      node.params = &number;
      node.params_bytes = sizeof(number);
      program.Insert(++at, node);
    }
    if (used < deltas.size && kFault != Fault::kStray) {
      return host_.Fail(Status::kInvalid, "a delta's matrix is read by no op");
    }
    return Status::kOk;
  }

  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    if (!(spec.kind == Str(kDelta))) {
      return host_.Fail(Status::kUnsupported, "only acme.delta is made here");
    }
    ops_.push_back(std::make_unique<DeltaOp<kFault>>(spec, parts_[ParamsOf<uint32_t>(spec)]));
    *out = {ops_.back().get(), Split::kRows, 0, 0};
    return Status::kOk;
  }

 private:
  static std::vector<Part> PartsOf(const Node& linear, Span<const AdapterDelta> deltas) {
    std::vector<Part> parts;
    int64_t first = 0;
    for (const Weight& weight : linear.weights) {
      for (const AdapterDelta& delta : deltas) {
        if (delta.weight == weight.name) parts.push_back({delta, static_cast<int32_t>(first)});
      }
      first += weight.tensor.rows;
    }
    return parts;
  }

  Host& host_;
  std::deque<std::vector<Part>> parts_;
  std::vector<std::unique_ptr<DeltaOp<kFault>>> ops_;
};

template <Fault kFault>
constexpr ComponentInfo Described(const char* name) {
  return Describe<Deltas<kFault>>(Family::kQuant, name, "One delta after the other.", 0,
                                  Claim(Capability::kDeviceCpu, Capability::kAdapter));
}

constexpr ComponentInfo kRight = Described<Fault::kNone>("acme.right");
constexpr ComponentInfo kScale = Described<Fault::kScale>("acme.forgets_scale");
constexpr ComponentInfo kEveryRow = Described<Fault::kEveryRow>("acme.changes_every_row");
constexpr ComponentInfo kCompany = Described<Fault::kCompany>("acme.adds_company");
constexpr ComponentInfo kStray = Described<Fault::kStray>("acme.takes_stray_deltas");
constexpr ComponentInfo kAllocates = Described<Fault::kAllocates>("acme.allocates_in_run");

}  // namespace

TENON_PLUGIN("acme.adapter.wrong", "1.0.0", "MIT", &kRight, &kScale, &kEveryRow, &kCompany, &kStray,
             &kAllocates);
