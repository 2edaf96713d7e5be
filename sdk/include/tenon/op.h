// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/dtype.h"
#include "tenon/status.h"
#include "tenon/types.h"

// What a Program is made of when it runs: a flat list of ops over fixed buffers.
namespace tenon {

// Which rows a value has in a step.
enum class RowSet : uint32_t {
  kTokens = 0,     // one a token of the batch
  kLogitRows = 1,  // one a token whose logits are asked for
};

// One sequence's part of a batch. Its tokens of this step follow `context` tokens whose K and V are
// already stored; token j of the step takes KV slot context + j.
struct SequenceSpan {
  int32_t first_token;  // index into the batch's token arrays
  int32_t tokens;       // in this step, at least 1
  int32_t context;      // stored before this step
  int32_t first_block;  // index into block_tables
  int32_t blocks;       // pages that hold context + tokens slots
  int32_t adapter;      // LoRA adapter, -1 for none
};

// The packed, padding-free tokens of one step. Pointers are to memory that ops may read where they
// run: host memory on the CPU, device memory on CUDA; `spans` is host memory too in
// `host_spans`. Valid for the step.
struct Batch {
  int32_t tokens;  // in all; at least 1
  int32_t sequences;
  int32_t logit_rows;               // may be 0
  const int32_t* token_ids;         // [tokens]
  const int32_t* positions;         // [tokens], for position encoding
  const int32_t* token_sequence;    // [tokens], index into spans
  const SequenceSpan* spans;        // [sequences], ordered by first_token
  const int32_t* block_tables;      // page numbers, a run for each sequence
  const int32_t* logit_row_tokens;  // [logit_rows], ascending token indices
  // Null, or [tokens]: bit i of token t says whether t attends to the i-th token of its own
  // sequence's step (at most 64 of them); everything before the step is attended to. Without it
  // token j attends to the tokens 0 … j of its step.
  const uint64_t* tree_mask;
  const SequenceSpan* host_spans;  // [sequences], always host memory
};

constexpr int32_t RowCount(const Batch& batch, RowSet rows) {
  return rows == RowSet::kTokens ? batch.tokens : batch.logit_rows;
}

// One of the threads (CPU) or the one stream (CUDA) that walk the list together.
struct Lane {
  int32_t index;
  int32_t count;
  void* stream;         // cudaStream_t on CUDA, null on the CPU
  int64_t* next_piece;  // shared by the lanes for this op of this step; 0 when the op starts
  void* team;
  void (*meet)(void* team, int32_t lane) noexcept;
  int32_t* failure;  // shared by the lanes of a run; a Status, kOk at its start

  // Waits for every lane to arrive; all lanes of an op call it equally often. CPU only.
  void Meet() const noexcept {
    if (count > 1) meet(team, index);
  }
  // For what no Plan can foresee (a peer of a collective is gone): the run goes on over whatever
  // values there are, and Device::Run returns `status` when it is over.
  void Fail(Status status) const noexcept {
    __atomic_store_n(failure, static_cast<int32_t>(status), __ATOMIC_RELAXED);
  }
  // Takes the next `n` pieces of this op's work; returns the first. Work is over when the number is
  // past the end.
  int64_t Claim(int64_t n = 1) const noexcept {
    return count > 1 ? __atomic_fetch_add(next_piece, n, __ATOMIC_RELAXED) : (*next_piece += n) - n;
  }
};

// The rows that a lane does of an op whose split is kRows.
struct RowRange {
  int32_t begin, end;
};
constexpr RowRange RowsOf(const Lane& lane, int32_t rows) {
  return {static_cast<int32_t>(int64_t{rows} * lane.index / lane.count),
          static_cast<int32_t>(int64_t{rows} * (lane.index + 1) / lane.count)};
}

// How an op shares its rows among lanes; decides where lanes must meet between ops.
enum class Split : uint32_t {
  kRows = 0,  // a lane does RowsOf(lane, rows) and reads the same rows of its inputs, no others
  kAny = 1,   // a lane may read every row of every input and write any part of the outputs
};

// An executable step. Owned by the maker that planned it, and ended with it.
class Op {
 public:
  // Does this lane's share. Allocates nothing, takes no lock, does not fail (see Lane::Fail); on
  // CUDA it only enqueues on lane.stream and can be captured into a graph. Thread: the lane's.
  virtual void Run(const Batch& batch, const Lane& lane) noexcept = 0;

 protected:
  ~Op() = default;
};

// A value, or a slice of its columns, at its fixed place. `data` is on the device.
struct Buffer {
  void* data;   // [rows, columns], first column of the slice
  DType dtype;  // f32 unless a pass chose otherwise
  RowSet rows;
  int32_t max_rows;   // most rows of a step
  int32_t columns;    // values a row of this slice
  int64_t row_bytes;  // from one row to the next
};

// A stored weight, in host memory (mapped from the file) for as long as the model is open.
struct Weight {
  Str name;           // as in the file, for messages
  Tensor tensor;      // [rows, columns] = [outputs, inputs]
  int64_t row_bytes;  // from one row to the next; BytesOf(dtype, columns) unless it is a slice
  // Usually none: data == nullptr. Else f32 [⌈rows / scale_rows⌉, ⌈columns / scale_columns⌉],
  // dense: element [r, c] stands for its stored value times scales[r / scale_rows, c /
  // scale_columns]. Needs Capability::kWeightScales.
  Tensor scales = {};
  int64_t scale_rows = 0;
  int64_t scale_columns = 0;
};

// What a maker gets to plan one op. Views are valid during Plan; the memory behind Buffer::data,
// Weight::tensor.data and `state` outlives the op.
struct OpSpec {
  Str kind;  // one of tenon/ops.h, or a pass's own
  Str name;  // "layers.3.attention", for messages and timing
  Span<const Buffer> inputs;
  Span<const Buffer> outputs;
  Span<const Weight> weights;
  const void* params;  // the kind's own plain struct
  uint64_t params_bytes;
  void* state;  // memory kept between steps (an attention op's KV pages), or null
  uint64_t state_bytes;
};

// REQUIRES: the kind's params are a P.
template <typename P>
const P& ParamsOf(const OpSpec& spec) {
  if (spec.params_bytes != sizeof(P)) __builtin_trap();
  return *static_cast<const P*>(spec.params);
}

struct PlannedOp {
  Op* op = nullptr;
  Split split = Split::kAny;
  uint64_t weight_bytes = 0;   // device memory that this op's weights take now
  uint64_t scratch_bytes = 0;  // device memory that it allocated besides
};

// Whatever can make ops: devices, attention, quant and parallel components.
class OpMaker {
 public:
  // Makes the op for `spec`. May allocate (from Device) and fail (after Host::Fail); kUnsupported
  // for a kind it does not know. Thread: the host's, one call at a time.
  virtual Status Plan(const OpSpec& spec, PlannedOp* out) noexcept = 0;

 protected:
  ~OpMaker() = default;
};

}  // namespace tenon
