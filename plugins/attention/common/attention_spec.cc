// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/attention_spec.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <span>

namespace tenon::attention {
namespace {

[[gnu::format(printf, 2, 3)]] Status Invalid(Host& host, const char* format, ...) {
  char text[320];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return host.Fail(Status::kInvalid, text);
}

int Length(Str text) { return static_cast<int>(text.size < 80 ? text.size : 80); }

Status CheckRows(Host& host, Str op, const char* what, const Buffer& buffer, int32_t columns) {
  const int length = Length(op);
  if (buffer.data == nullptr) {
    return Invalid(host, "%.*s: %s has no memory", length, op.data, what);
  }
  if (buffer.dtype != DType::kF32) {
    return Invalid(host, "%.*s: %s is %s; attention on the CPU takes f32", length, op.data, what,
                   Layout(buffer.dtype).name);
  }
  if (buffer.rows != RowSet::kTokens) {
    return Invalid(host, "%.*s: %s has a row for each row of logits; one for each token is needed",
                   length, op.data, what);
  }
  if (buffer.columns != columns) {
    return Invalid(host, "%.*s: %s has %d columns; heads * width asks for %d", length, op.data,
                   what, buffer.columns, columns);
  }
  if (buffer.row_bytes % 4 != 0 || buffer.row_bytes < int64_t{4} * columns) {
    return Invalid(host, "%.*s: rows of %s are %lld bytes apart; a multiple of 4, at least %lld",
                   length, op.data, what, static_cast<long long>(buffer.row_bytes), 4LL * columns);
  }
  return Status::kOk;
}

Status CheckSinks(Host& host, const OpSpec& spec, const AttentionParams& layer) {
  const int length = Length(spec.name);
  if (spec.weights.size != layer.has_sinks) {
    return Invalid(host, "%.*s: %llu weights; has_sinks = %u asks for %u", length, spec.name.data,
                   static_cast<unsigned long long>(spec.weights.size), layer.has_sinks,
                   layer.has_sinks);
  }
  if (layer.has_sinks == 0) return Status::kOk;
  const Tensor& sinks = spec.weights[0].tensor;
  if (sinks.dtype != DType::kF32 || sinks.rows != 1 || sinks.columns != layer.heads ||
      sinks.data == nullptr) {
    return Invalid(host, "%.*s: sinks are %s [%lld, %lld]; f32 [1, %d] is needed", length,
                   spec.name.data, Layout(sinks.dtype).name, static_cast<long long>(sinks.rows),
                   static_cast<long long>(sinks.columns), layer.heads);
  }
  return Status::kOk;
}

FloatRows RowsIn(const Buffer& buffer) {
  return {static_cast<uint8_t*>(buffer.data), buffer.row_bytes};
}

template <typename Params>
Status CheckParams(Host& host, const OpSpec& spec, const char* name) {
  if (spec.params != nullptr && spec.params_bytes == sizeof(Params)) return Status::kOk;
  return Invalid(host, "%.*s: its parameters are %llu bytes; %s is %zu", Length(spec.name),
                 spec.name.data, static_cast<unsigned long long>(spec.params_bytes), name,
                 sizeof(Params));
}

// What one operand is called in messages, and the columns that the parameters ask for.
struct Columns {
  const char* what;
  int32_t columns;
};

// Of the inputs in their order, then of the one output.
Status CheckOperands(Host& host, const OpSpec& spec, const char* inputs,
                     std::span<const Columns> columns) {
  if (spec.inputs.size + 1 != columns.size() || spec.outputs.size != 1) {
    return Invalid(host, "%.*s: %llu inputs and %llu outputs; %s and one output are needed",
                   Length(spec.name), spec.name.data,
                   static_cast<unsigned long long>(spec.inputs.size),
                   static_cast<unsigned long long>(spec.outputs.size), inputs);
  }
  for (uint64_t i = 0; i < columns.size(); ++i) {
    const Buffer& buffer = i < spec.inputs.size ? spec.inputs[i] : spec.outputs[0];
    const Status s = CheckRows(host, spec.name, columns[i].what, buffer, columns[i].columns);
    if (s != Status::kOk) return s;
  }
  return Status::kOk;
}

Status CheckHeads(Host& host, const AttentionParams& p) {
  if (p.heads < 1 || p.kv_heads < 1 || p.heads % p.kv_heads != 0) {
    return Invalid(host,
                   "layer %d has %d heads and %d KV heads; both must be positive, and the heads a "
                   "multiple of the KV heads",
                   p.layer, p.heads, p.kv_heads);
  }
  if (p.head_dim < 1 || p.head_dim > kMaxHeadDim || p.value_dim < 0 || p.value_dim > kMaxHeadDim) {
    return Invalid(
        host,
        "layer %d has heads of %d columns and values of %d; 1 to %d allowed (values of 0 "
        "with one KV head: a latent row)",
        p.layer, p.head_dim, p.value_dim, kMaxHeadDim);
  }
  if (int64_t{p.heads} * kMaxHeadDim > INT32_MAX) {
    return Invalid(host, "layer %d has %d heads; at most %d allowed", p.layer, p.heads,
                   INT32_MAX / kMaxHeadDim);
  }
  return Status::kOk;
}

Status CheckLatent(Host& host, const LatentAttentionParams& p) {
  if (p.rank < 1 || p.rope_dim < 1 || int64_t{p.rank} + p.rope_dim > kMaxHeadDim) {
    return Invalid(
        host,
        "layer %d has a latent of %d columns and %d rotated ones; both must be positive, "
        "and at most %d together",
        p.layer, p.rank, p.rope_dim, kMaxHeadDim);
  }
  return CheckLayer(host, StoredRow(p));
}

Status ReadLatent(Host& host, const OpSpec& spec, AttentionOperands* out) {
  using Params = LatentAttentionParams;
  if (Status s = CheckParams<Params>(host, spec, "LatentAttentionParams"); s != Status::kOk) {
    return s;
  }
  const Params& p = ParamsOf<Params>(spec);
  if (Status s = CheckLatent(host, p); s != Status::kOk) return s;
  const Columns columns[] = {{"q_latent", p.heads * p.rank},
                             {"q_rope", p.heads * p.rope_dim},
                             {"latent", p.rank},
                             {"k_rope", p.rope_dim},
                             {"the output", p.heads * p.rank}};
  const Status s = CheckOperands(host, spec, "q_latent, q_rope, latent, k_rope", columns);
  if (s != Status::kOk) return s;
  AttentionParams layer = StoredRow(p);
  if (Status t = CheckSinks(host, spec, layer); t != Status::kOk) return t;
  layer.value_dim = p.rank;
  *out = {layer,
          RowsIn(spec.inputs[0]),
          RowsIn(spec.inputs[2]),
          RowsIn(spec.inputs[3]),
          RowsIn(spec.outputs[0]),
          nullptr,
          static_cast<uint8_t*>(spec.state),
          true,
          RowsIn(spec.inputs[1])};
  return Status::kOk;
}

}  // namespace

DType KvTypeOf(const Options& options) {
  const std::string_view text = options.Text("kv_type");
  if (text == "f32") return DType::kF32;
  if (text == "int8") return DType::kI8;
  return text == "bf16" ? DType::kBF16 : DType::kF16;
}

Status CheckDevice(Host& host, const Device* device) {
  if (device == nullptr) {
    return host.Fail(Status::kUnsupported,
                     "this attention runs on the device \"cpu\"; it was made without a device");
  }
  const Str kind = device->Info().kind;
  if (kind == Str("cpu")) return Status::kOk;
  char text[160];
  std::snprintf(text, sizeof(text),
                "this attention runs on the device \"cpu\"; this pipeline's device is \"%.*s\"",
                Length(kind), kind.data);
  return host.Fail(Status::kUnsupported, text);
}

Status CheckKvType(Host& host, const AttentionParams& stored, DType kv_type) {
  if (stored.value_dim > 0 || kv_type != DType::kI8) return Status::kOk;
  char text[160];
  std::snprintf(text, sizeof(text),
                "layer %d stores one latent row a slot, and kv_type is int8; f32, f16 and bf16 are "
                "possible there",
                stored.layer);
  return host.Fail(Status::kUnsupported, text);
}

Status CheckLayer(Host& host, const AttentionParams& p) {
  if (Status s = CheckHeads(host, p); s != Status::kOk) return s;
  if (p.window < 0 || !(p.soft_cap >= 0) || !std::isfinite(p.soft_cap) || !std::isfinite(p.scale) ||
      p.has_sinks > 1) {
    return Invalid(host,
                   "layer %d: window %d, soft cap %g, scale %g, has_sinks %u; window and soft cap "
                   "must be 0 (none) or positive, the scale finite, has_sinks 0 or 1",
                   p.layer, p.window, static_cast<double>(p.soft_cap), static_cast<double>(p.scale),
                   p.has_sinks);
  }
  if (p.value_dim == 0 && (p.kv_heads != 1 || p.window > 0 || p.soft_cap > 0 || p.has_sinks != 0)) {
    return Invalid(
        host,
        "layer %d has values of 0 columns, so that a slot is one latent row: %d KV heads, "
        "window %d, soft cap %g, has_sinks %u; 1 KV head and none of the others allowed",
        p.layer, p.kv_heads, p.window, static_cast<double>(p.soft_cap), p.has_sinks);
  }
  return Status::kOk;
}

Status ReadSpec(Host& host, const OpSpec& spec, AttentionOperands* out) {
  if (spec.kind == Str(kLatentAttention)) return ReadLatent(host, spec, out);
  if (!(spec.kind == Str(kAttention))) {
    char text[160];
    std::snprintf(text, sizeof(text), "%.*s: attention makes no ops of kind \"%.*s\"",
                  Length(spec.name), spec.name.data, Length(spec.kind), spec.kind.data);
    return host.Fail(Status::kUnsupported, text);
  }
  if (Status s = CheckParams<AttentionParams>(host, spec, "AttentionParams"); s != Status::kOk) {
    return s;
  }
  const AttentionParams& layer = ParamsOf<AttentionParams>(spec);
  if (Status s = CheckLayer(host, layer); s != Status::kOk) return s;
  if (layer.value_dim == 0) {
    return Invalid(host, "%.*s: values of 0 columns are stored for latent_attention alone",
                   Length(spec.name), spec.name.data);
  }
  const Columns columns[] = {{"q", layer.heads * layer.head_dim},
                             {"k", layer.kv_heads * layer.head_dim},
                             {"v", layer.kv_heads * layer.value_dim},
                             {"the output", layer.heads * layer.value_dim}};
  if (Status s = CheckOperands(host, spec, "q, k, v", columns); s != Status::kOk) return s;
  if (Status s = CheckSinks(host, spec, layer); s != Status::kOk) return s;
  const void* sinks = layer.has_sinks != 0 ? spec.weights[0].tensor.data : nullptr;
  *out = {layer,
          RowsIn(spec.inputs[0]),
          RowsIn(spec.inputs[1]),
          RowsIn(spec.inputs[2]),
          RowsIn(spec.outputs[0]),
          static_cast<const float*>(sinks),
          static_cast<uint8_t*>(spec.state)};
  return Status::kOk;
}

Status ReadSpec(Host& host, const OpSpec& spec, BidirectionalOperands* out) {
  using Params = BidirectionalAttentionParams;
  if (Status s = CheckParams<Params>(host, spec, "BidirectionalAttentionParams");
      s != Status::kOk) {
    return s;
  }
  const Params& p = ParamsOf<Params>(spec);
  const AttentionParams layer = {0, p.heads, p.kv_heads, p.head_dim, p.head_dim, p.scale, 0, 0, 0};
  if (Status s = CheckLayer(host, layer); s != Status::kOk) return s;
  if (spec.state != nullptr) {
    return Invalid(host, "%.*s: %llu bytes of KV memory; bidirectional attention stores nothing",
                   Length(spec.name), spec.name.data,
                   static_cast<unsigned long long>(spec.state_bytes));
  }
  if (spec.inputs.size > 0 && spec.inputs[0].max_rows < 1) {
    return Invalid(host, "%.*s: q has room for %d tokens; at least 1 is needed", Length(spec.name),
                   spec.name.data, spec.inputs[0].max_rows);
  }
  const Columns columns[] = {{"q", p.heads * p.head_dim},
                             {"k", p.kv_heads * p.head_dim},
                             {"v", p.kv_heads * p.head_dim},
                             {"the output", p.heads * p.head_dim}};
  if (Status s = CheckOperands(host, spec, "q, k, v", columns); s != Status::kOk) return s;
  if (Status s = CheckSinks(host, spec, layer); s != Status::kOk) return s;
  *out = {p,
          RowsIn(spec.inputs[0]),
          RowsIn(spec.inputs[1]),
          RowsIn(spec.inputs[2]),
          RowsIn(spec.outputs[0]),
          spec.inputs[0].max_rows};
  return Status::kOk;
}

Status CheckPages(Host& host, const OpSpec& spec, uint64_t page_bytes) {
  if (spec.state != nullptr && spec.state_bytes >= page_bytes &&
      spec.state_bytes % page_bytes == 0) {
    return Status::kOk;
  }
  return Invalid(host, "%.*s: its KV memory is %llu bytes; whole pages of %llu are needed",
                 Length(spec.name), spec.name.data,
                 static_cast<unsigned long long>(spec.state == nullptr ? 0 : spec.state_bytes),
                 static_cast<unsigned long long>(page_bytes));
}

}  // namespace tenon::attention
