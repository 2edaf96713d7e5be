// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/op.h"
#include "tenon/ops.h"
#include "tenon/program.h"

namespace tenon {

// How a weight is stored and multiplied. Plans ops of kind kLinear, and of kGroupedLinear where it
// claims that bit: packs or converts the weights into memory of the device, and multiplies. Claims
// the stored types it can take (ClaimWeights).
class Quant : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.quant/1";

 protected:
  ~Quant() = default;
};

// Optional for a Quant: how much its Plan would take, so that what cannot fit is refused before
// anything is loaded. Without it a node is taken to need its weights' stored bytes.
class WeightFootprint {
 public:
  static constexpr const char* kName = "tenon.quant.footprint/1";

  // Bytes of device memory that Plan would allocate for the node's weights; 0 for what is read
  // where it is mapped. Reads no weight. Thread: the host's.
  virtual uint64_t WeightBytes(const Node& node) noexcept = 0;

 protected:
  ~WeightFootprint() = default;
};

// What one adapter does to one stored matrix: W += scale · b · a. Hu et al. 2021, "LoRA".
struct AdapterDelta {
  int32_t adapter;  // SequenceSpan::adapter of the sequences that it is for
  Str weight;       // Weight::name of the matrix
  Tensor a;         // [rank, inputs], f32, f16 or bf16
  Tensor b;         // [outputs, rank], rows in the order of the stored matrix
  float scale;
};

// A role of the family: changes what linears give for the sequences that chose an adapter, several
// of them in one batch. Its component claims Capability::kAdapter. Makes the ops that it inserted.
class Adapter : public OpMaker {
 public:
  static constexpr const char* kName = "tenon.quant.adapter/1";

  // As Pass::Rewrite, after the parallel strategy and before all passes. The deltas' tensors
  // outlive the adapter; their names do not outlive the call. kInvalid, after Host::Fail, for a
  // delta whose matrix no op reads.
  virtual Status Rewrite(ProgramEditor& program, Span<const AdapterDelta> deltas) noexcept = 0;

 protected:
  ~Adapter() = default;
};

}  // namespace tenon
