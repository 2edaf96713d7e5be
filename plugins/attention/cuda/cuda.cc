// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/cuda/cuda.h"

#include <stdexcept>

#include "plugins/attention/cuda/attention_cuda.h"

namespace tenon::attention {
namespace {

constexpr int32_t kMaxValueDim = 512;

DType TypeOf(Str text) {
  if (text == Str("f32")) return DType::kF32;
  return text == Str("f16") ? DType::kF16 : DType::kBF16;
}

Rows RowsOfBuffer(const Buffer& buffer) {
  return {static_cast<float*>(buffer.data), buffer.row_bytes / static_cast<int64_t>(sizeof(float))};
}

int64_t PageValues(const AttentionParams& p, int32_t page_tokens) {
  return int64_t{page_tokens} * p.kv_heads * (p.head_dim + p.value_dim);
}

const char* WhatIsWrong(const AttentionParams& p) {
  if (p.heads <= 0 || p.kv_heads <= 0 || p.heads % p.kv_heads != 0)
    return "kv_heads must divide heads";
  if (p.head_dim <= 0 || p.value_dim <= 0 || p.value_dim > kMaxValueDim)
    return "a value width of 1 to 512 is wanted";
  return nullptr;
}

const char* WhatIsWrong(const OpSpec& spec) {
  if (spec.kind != Str(kAttention)) return "attention cuda makes attention ops only";
  if (spec.params_bytes != sizeof(AttentionParams)) return "parameters of the wrong size";
  const auto& p = ParamsOf<AttentionParams>(spec);
  if (const char* wrong = WhatIsWrong(p)) return wrong;
  if (spec.inputs.size != 3 || spec.outputs.size != 1 || spec.weights.size != p.has_sinks ||
      spec.state == nullptr) {
    return "wrong number of operands or weights, or no pages";
  }
  const int32_t columns[] = {p.heads * p.head_dim, p.kv_heads * p.head_dim,
                             p.kv_heads * p.value_dim};
  for (uint64_t i = 0; i < 3; ++i) {
    if (spec.inputs[i].columns != columns[i] || spec.inputs[i].dtype != DType::kF32) {
      return "q, k and v must be f32 and as wide as their heads together";
    }
  }
  if (spec.outputs[0].columns != p.heads * p.value_dim || spec.outputs[0].dtype != DType::kF32) {
    return "the output must be f32 and as wide as the heads together";
  }
  if (p.has_sinks != 0 &&
      (spec.weights[0].tensor.dtype != DType::kF32 || spec.weights[0].tensor.columns != p.heads)) {
    return "sinks must be f32, one a head";
  }
  return nullptr;
}

}  // namespace

class CudaAttention::Layer final : public Op {
 public:
  explicit Layer(const CudaLayer& layer) : layer_(layer) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    LaunchAttention(layer_, batch, static_cast<cudaStream_t>(lane.stream));
  }

 private:
  CudaLayer layer_;
};

CudaAttention::CudaAttention(const CreateArgs& args)
    : host_(*args.host),
      device_(*args.device),
      kv_type_(TypeOf(args.options.Text("kv_type"))),
      page_tokens_(static_cast<int32_t>(args.options.Int("page_tokens"))) {
  if (device_.Info().kind != Str("cuda")) throw std::runtime_error("works on device cuda only");
}

CudaAttention::~CudaAttention() = default;

Status CudaAttention::LayOut(const AttentionParams& layer, int32_t, KvLayout* out) noexcept {
  if (const char* wrong = WhatIsWrong(layer)) return host_.Fail(Status::kInvalid, wrong);
  *out = {page_tokens_, BytesOf(kv_type_, static_cast<uint64_t>(PageValues(layer, page_tokens_)))};
  return Status::kOk;
}

Status CudaAttention::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  if (const char* wrong = WhatIsWrong(spec)) {
    return host_.Fail(spec.kind == Str(kAttention) ? Status::kInvalid : Status::kUnsupported,
                      wrong);
  }
  const auto& params = ParamsOf<AttentionParams>(spec);
  CudaLayer layer{.params = params,
                  .q = RowsOfBuffer(spec.inputs[0]),
                  .k = RowsOfBuffer(spec.inputs[1]),
                  .v = RowsOfBuffer(spec.inputs[2]),
                  .out = RowsOfBuffer(spec.outputs[0]),
                  .sinks = nullptr,
                  .pages = spec.state,
                  .page_values = PageValues(params, page_tokens_),
                  .page_tokens = page_tokens_,
                  .kv_type = kv_type_};
  uint64_t bytes = 0;
  if (params.has_sinks != 0) {
    bytes = static_cast<uint64_t>(params.heads) * sizeof(float);
    void* sinks = device_.Allocate(bytes);
    if (sinks == nullptr || device_.Copy(sinks, spec.weights[0].tensor.data, bytes,
                                         CopyKind::kToDevice) != Status::kOk) {
      return host_.Fail(Status::kOutOfMemory, "the sinks could not be brought to the card");
    }
    layer.sinks = static_cast<const float*>(sinks);
  }
  ops_.push_back(std::make_unique<Layer>(layer));
  *out = {.op = ops_.back().get(), .split = Split::kAny, .weight_bytes = bytes};
  return Status::kOk;
}

}  // namespace tenon::attention
