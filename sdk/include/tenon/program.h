// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/capability.h"
#include "tenon/op.h"

// What a Program is before it runs: nodes over values. Models emit it; passes rewrite it; the host
// then fixes the buffers and asks each node's maker for the op.
namespace tenon {

// A matrix of activations: [rows of `rows`, columns].
struct ValueInfo {
  Str name;
  DType dtype;  // a type with block_values 1
  RowSet rows;
  int32_t columns;
};

// A value or a slice of its columns.
struct Operand {
  uint32_t value;  // from ProgramEditor::AddValue
  int32_t first_column;
  int32_t columns;
};

// One op to be. A node may write an operand that it reads (in place) where its kind allows that.
struct Node {
  Str kind;
  Str name;       // unique in the Program
  Family family;  // whose component makes it, unless `maker` is set
  OpMaker* maker = nullptr;
  Span<const Operand> inputs;
  Span<const Operand> outputs;
  Span<const Weight> weights;
  const void* params = nullptr;
  uint64_t params_bytes = 0;
  Capabilities needs;  // bits that its maker must claim
};

// The list under construction. Indices are positions in execution order. Everything passed in is
// copied (weights' tensor data and maker excepted). Implemented by the host. Thread: one.
class ProgramEditor {
 public:
  virtual uint32_t AddValue(const ValueInfo& info) noexcept = 0;
  virtual ValueInfo Value(uint32_t value) const noexcept = 0;  // valid until the next AddValue
  virtual int32_t Count() const noexcept = 0;
  // REQUIRES: 0 <= at < Count(). Valid until the list changes.
  virtual Node At(int32_t at) const noexcept = 0;
  virtual void Insert(int32_t before, const Node& node) noexcept = 0;  // before == Count(): append
  virtual void Replace(int32_t at, const Node& node) noexcept = 0;
  virtual void Erase(int32_t at) noexcept = 0;

 protected:
  ~ProgramEditor() = default;
};

// A technique that changes the computation: rewrites the list before buffers are fixed. Offered by
// a component of any family; parallel strategies are passes, and so are fusions between ops.
class Pass {
 public:
  static constexpr const char* kName = "tenon.pass/1";

  // kOk also when there was nothing to do. On failure Host::Fail has the reason; the Program is
  // then given up. Thread: the host's.
  virtual Status Rewrite(ProgramEditor& program) noexcept = 0;

 protected:
  ~Pass() = default;
};

}  // namespace tenon
