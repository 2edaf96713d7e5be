// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "tenon/ops.h"
#include "tenon/quant.h"
#include "tenon/testing/families.h"
#include "tenon/testing/kit_program.h"
#include "tenon/testing/numbers.h"
#include "tenon/testing/stand.h"
#include "tenon/testing/watch.h"

namespace tenon::testing {
namespace {

constexpr int32_t kInputs = 96;
constexpr int32_t kRows[] = {48, 32, 40};  // of the stacked matrices m0, m1, m2
constexpr int32_t kOutputs = 120;
constexpr int32_t kMostTokens = 40;
constexpr double kTolerance = 1e-5;  // of the sum of the terms' sizes

// Adapter 0 changes the first and the last matrix, 1 the second, with another rank.
struct DeltaShape {
  int32_t adapter, matrix, rank;
  float scale;
};
constexpr DeltaShape kDeltas[] = {{0, 0, 4, 2.0f}, {1, 1, 16, 0.5f}, {0, 2, 4, 2.0f}};

// A Program of one linear whose outputs a sink reads, what adapters make of it, and its values.
class AdapterStand {
 public:
  // lanes 0: the device of the subject.
  AdapterStand(const Subject& subject, DType type, int32_t lanes = 0)
      : device_(lanes > 0 ? std::make_unique<KitDevice>(lanes)
                          : std::make_unique<KitDevice>(subject.device)),
        instance_(*subject.component, &host_, device_.get()) {
    EmitLinear();
    for (const DeltaShape& shape : kDeltas) AddDelta(shape, type);
  }

  // A delta of a matrix that no op reads.
  void AddStray() {
    deltas_.push_back(deltas_[0]);
    deltas_.back().weight = "no.such.matrix";
  }

  // "" or why it cannot be tried.
  std::string Prepare() {
    auto* adapter = instance_.As<Adapter>();
    if (adapter == nullptr) return "not made: " + host_.TakeFailure();
    status_ = adapter->Rewrite(program_, {deltas_.data(), deltas_.size()});
    if (status_ != Status::kOk) return "Rewrite refuses: " + host_.TakeFailure();
    for (uint32_t i = 0; i < program_.Values(); ++i) {
      const ValueInfo info = program_.Value(i);
      const uint64_t row = static_cast<uint64_t>(info.columns) * Layout(info.dtype).block_bytes;
      buffers_.push_back({device_->Keep(row * kMostTokens), info.dtype, info.rows, kMostTokens,
                          info.columns, static_cast<int64_t>(row)});
    }
    for (int32_t i = 0; i < program_.Count(); ++i) {
      const std::string wrong = PlanNode(program_.At(i));
      if (!wrong.empty()) return wrong;
    }
    return steps_.empty() ? "Rewrite inserts no op" : "";
  }

  // Runs a step of sequences of one token that chose these adapters (-1: none), whose rows are
  // those of the numbers `rows`.
  bool Run(const std::vector<int32_t>& adapters, const std::vector<uint64_t>& rows) {
    Fill(rows);
    BatchOf(adapters);
    return device_->Run({steps_.data(), steps_.size()}, batch_, nullptr) == Status::kOk;
  }

  // The same on this thread as the only lane.
  void RunAlone() {
    for (const Step& step : steps_) {
      int64_t next_piece = 0;
      auto failure = static_cast<int32_t>(Status::kOk);
      const Lane lane = {0, 1, nullptr, &next_piece, nullptr, nullptr, &failure};
      step.op->Run(batch_, lane);
    }
  }

  // What the sink reads.
  std::vector<float> Row(int32_t token) const {
    const Operand read = program_.At(program_.Count() - 1).inputs[0];
    std::vector<float> row(static_cast<size_t>(read.columns));
    std::memcpy(row.data(), At(read, token), row.size() * sizeof(float));
    return row;
  }

  // What the linear gave.
  static float Before(uint64_t row, int32_t column) {
    return NumberAt(31, row, static_cast<uint64_t>(column), 0);
  }

  // Whether the row follows the formula for `adapter`.
  std::string Compare(int32_t token, uint64_t row, int32_t adapter) const {
    const std::vector<float> got = Row(token);
    for (int32_t column = 0; column < kOutputs; ++column) {
      double wanted = static_cast<double>(Before(row, column)), size = std::abs(wanted);
      AddDeltas(row, adapter, column, wanted, size);
      const double off = std::abs(static_cast<double>(got[static_cast<size_t>(column)]) - wanted);
      if (off <= kTolerance * std::max(size, 1.0)) continue;
      return Text("column %d of a row of adapter %d is %g; %g by the formula", column, adapter,
                  static_cast<double>(got[static_cast<size_t>(column)]), wanted);
    }
    return "";
  }

  Status status() const { return status_; }
  KitHost& host() { return host_; }
  KitDevice& device() { return *device_; }

 private:
  static float Input(uint64_t row, int32_t i) {
    return NumberAt(32, row, static_cast<uint64_t>(i), 0);
  }

  void EmitLinear() {
    const Operand x{program_.AddValue({"x", DType::kF32, RowSet::kTokens, kInputs}), 0, kInputs};
    const Operand y{program_.AddValue({"y", DType::kF32, RowSet::kTokens, kOutputs}), 0, kOutputs};
    std::vector<Weight> weights;
    for (int32_t m = 0; m < 3; ++m) {
      names_.push_back("m" + std::to_string(m));
      weights.push_back({Str(std::string_view(names_.back())),
                         {DType::kF32, &never_read_, kRows[m], kInputs},
                         int64_t{4} * kInputs});
    }
    const LinearParams params{3, 0, 0};
    Node node;
    node.kind = kLinear;
    node.name = "layers.0.qkv";
    node.family = Family::kQuant;
    node.inputs = {&x, 1};
    node.outputs = {&y, 1};
    node.weights = {weights.data(), weights.size()};
    node.params = &params;
    node.params_bytes = sizeof(params);
    program_.Insert(0, node);
    Node sink;
    sink.kind = "kit.sink";
    sink.name = "sink";
    sink.family = Family::kDevice;
    sink.inputs = {&y, 1};
    program_.Insert(1, sink);
  }

  Tensor Factor(DType type, int64_t rows, int64_t columns) {
    const std::vector<uint8_t>& stored =
        stored_.emplace_back(RandomStored(type, rows * columns, 40 + stored_.size()));
    values_.push_back(ReadStored(type, stored.data(), rows * columns));
    return {type, stored.data(), rows, columns};
  }

  void AddDelta(const DeltaShape& shape, DType type) {
    const Tensor a = Factor(type, shape.rank, kInputs);
    const Tensor b = Factor(type, kRows[shape.matrix], shape.rank);
    deltas_.push_back({shape.adapter,
                       Str(std::string_view(names_[static_cast<size_t>(shape.matrix)])), a, b,
                       shape.scale});
  }

  Buffer BufferOf(const Operand& operand) const {
    Buffer buffer = buffers_[operand.value];
    buffer.data = static_cast<char*>(buffer.data) +
                  static_cast<int64_t>(Layout(buffer.dtype).block_bytes) * operand.first_column;
    buffer.columns = operand.columns;
    return buffer;
  }

  float* At(const Operand& operand, int32_t row) const {
    const Buffer buffer = BufferOf(operand);
    return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
  }

  std::string PlanNode(const Node& node) {
    if (node.kind == Str(kLinear)) linear_output_ = node.outputs[0];
    if (node.maker == nullptr) {
      const bool known = node.kind == Str(kLinear) || node.kind == Str("kit.sink");
      return known ? "" : "Rewrite inserts an op that it does not make itself";
    }
    std::vector<Buffer> inputs, outputs;
    for (const Operand& one : node.inputs) inputs.push_back(BufferOf(one));
    for (const Operand& one : node.outputs) outputs.push_back(BufferOf(one));
    const OpSpec spec = {node.kind,
                         node.name,
                         {inputs.data(), inputs.size()},
                         {outputs.data(), outputs.size()},
                         node.weights,
                         node.params,
                         node.params_bytes,
                         nullptr,
                         0};
    PlannedOp planned;
    if (node.maker->Plan(spec, &planned) != Status::kOk || planned.op == nullptr) {
      return "Plan refuses: " + host_.TakeFailure();
    }
    steps_.push_back({planned.op, 1});
    return "";
  }

  void Fill(const std::vector<uint64_t>& rows) {
    for (size_t t = 0; t < rows.size(); ++t) {
      const auto row = static_cast<int32_t>(t);
      for (int32_t i = 0; i < kInputs; ++i) At({0, 0, kInputs}, row)[i] = Input(rows[t], i);
      for (int32_t i = 0; i < kOutputs; ++i) At(linear_output_, row)[i] = Before(rows[t], i);
    }
  }

  void BatchOf(const std::vector<int32_t>& adapters) {
    spans_.clear();
    token_sequence_.clear();
    for (const int32_t adapter : adapters) {
      const auto token = static_cast<int32_t>(spans_.size());
      spans_.push_back({token, 1, 0, 0, 0, adapter});
      token_sequence_.push_back(token);
    }
    batch_ = {};
    batch_.tokens = batch_.sequences = static_cast<int32_t>(spans_.size());
    batch_.token_sequence = token_sequence_.data();
    batch_.spans = batch_.host_spans = spans_.data();
  }

  void AddDeltas(uint64_t row, int32_t adapter, int32_t column, double& sum, double& size) const {
    for (size_t d = 0; d < std::size(kDeltas); ++d) {
      const DeltaShape& shape = kDeltas[d];
      int32_t first = 0;
      for (int32_t m = 0; m < shape.matrix; ++m) first += kRows[m];
      if (shape.adapter != adapter || column < first || column >= first + kRows[shape.matrix])
        continue;
      const std::vector<double>&a = values_[2 * d], &b = values_[2 * d + 1];
      for (int32_t r = 0; r < shape.rank; ++r) {
        double inner = 0, inner_size = 0;
        for (int32_t i = 0; i < kInputs; ++i) {
          const double term =
              a[static_cast<size_t>(r * kInputs + i)] * static_cast<double>(Input(row, i));
          inner += term;
          inner_size += std::abs(term);
        }
        const double factor = static_cast<double>(shape.scale) *
                              b[static_cast<size_t>((column - first) * shape.rank + r)];
        sum += factor * inner;
        size += std::abs(factor) * inner_size;
      }
    }
  }

  KitHost host_;
  std::unique_ptr<KitDevice> device_;
  KitProgram program_;
  std::deque<std::string> names_;
  std::deque<std::vector<uint8_t>> stored_;
  std::deque<std::vector<double>> values_;  // of a and b, delta by delta
  std::vector<AdapterDelta> deltas_;
  Instance instance_;
  Status status_ = Status::kInternal;
  float never_read_ = 0;  // the linear itself does not run
  Operand linear_output_{};
  std::vector<Buffer> buffers_;
  std::vector<Step> steps_;
  std::vector<SequenceSpan> spans_;
  std::vector<int32_t> token_sequence_;
  Batch batch_{};
};

// Sequences of all adapters and of none, mixed.
std::vector<int32_t> Mixed(int32_t tokens) {
  std::vector<int32_t> adapters;
  for (int32_t t = 0; t < tokens; ++t) adapters.push_back((t * 7 + t / 3) % 3 - 1);
  return adapters;
}

std::vector<uint64_t> RowsFrom(uint64_t first, int32_t count) {
  std::vector<uint64_t> rows;
  for (int32_t i = 0; i < count; ++i) rows.push_back(first + static_cast<uint64_t>(i));
  return rows;
}

Verdict Numbers(const Subject& subject, DType type) {
  for (const int32_t lanes : {0, 3}) {
    AdapterStand stand(subject, type, lanes);
    const std::string wrong = stand.Prepare();
    if (!wrong.empty()) return Failed(wrong);
    for (const int32_t tokens : {1, 5, kMostTokens}) {
      const std::vector<int32_t> adapters = Mixed(tokens);
      if (!stand.Run(adapters, RowsFrom(0, tokens))) return Failed("Run failed");
      for (int32_t t = 0; t < tokens; ++t) {
        const std::string row =
            stand.Compare(t, static_cast<uint64_t>(t), adapters[static_cast<size_t>(t)]);
        if (!row.empty()) return Failed(row);
      }
    }
  }
  return Passed();
}

// Rows whose sequence chose no adapter keep their bits.
Verdict OthersUntouched(const Subject& subject) {
  AdapterStand stand(subject, DType::kF32);
  const std::string wrong = stand.Prepare();
  if (!wrong.empty()) return Failed(wrong);
  const std::vector<int32_t> adapters = Mixed(kMostTokens);
  if (!stand.Run(adapters, RowsFrom(0, kMostTokens))) return Failed("Run failed");
  for (int32_t t = 0; t < kMostTokens; ++t) {
    if (adapters[static_cast<size_t>(t)] >= 0) continue;
    const std::vector<float> row = stand.Row(t);
    for (int32_t column = 0; column < kOutputs; ++column) {
      if (row[static_cast<size_t>(column)] ==
          AdapterStand::Before(static_cast<uint64_t>(t), column)) {
        continue;
      }
      return Failed(Text("changes column %d of a row that chose no adapter", column));
    }
  }
  return Passed();
}

// A row alone has the bits that it has among others.
Verdict Company(const Subject& subject) {
  AdapterStand stand(subject, DType::kF32);
  const std::string wrong = stand.Prepare();
  if (!wrong.empty()) return Failed(wrong);
  const std::vector<int32_t> adapters = Mixed(kMostTokens);
  if (!stand.Run(adapters, RowsFrom(0, kMostTokens))) return Failed("Run failed");
  std::vector<std::vector<float>> together;
  for (int32_t t = 0; t < kMostTokens; ++t) together.push_back(stand.Row(t));
  for (int32_t t = 0; t < kMostTokens; ++t) {
    const auto token = static_cast<size_t>(t);
    const std::vector<int32_t> chosen(1, adapters[token]);
    if (!stand.Run(chosen, RowsFrom(token, 1))) return Failed("Run failed");
    const std::vector<float> alone = stand.Row(0);
    if (alone != together[token]) {
      return Warned("a row's bits depend on which others are in the batch");
    }
  }
  return Passed();
}

Verdict StrayDelta(const Subject& subject) {
  AdapterStand stand(subject, DType::kF32);
  stand.AddStray();
  const std::string why = stand.Prepare();
  if (stand.status() == Status::kOk) return Failed("takes a delta whose matrix no op reads");
  if (stand.status() != Status::kInvalid) {
    return Failed("a delta whose matrix no op reads is not answered with kInvalid");
  }
  return why == "Rewrite refuses: " ? Failed("refused without a reason (Host::Fail)") : Passed();
}

Verdict Allocations(const Subject& subject) {
  if (!AllocationWatch::Works()) return Skipped("allocations cannot be watched here");
  AdapterStand stand(subject, DType::kF32, 1);
  const std::string wrong = stand.Prepare();
  if (!wrong.empty()) return Failed(wrong);
  if (!stand.Run(Mixed(kMostTokens), RowsFrom(0, kMostTokens))) return Failed("Run failed");
  const int64_t before = stand.device().allocations;
  const AllocationWatch watch;
  stand.RunAlone();
  const long long count = watch.count() + (stand.device().allocations - before);
  return count == 0 ? Passed() : Failed(Text("Run allocated %lld times; it may not at all", count));
}

}  // namespace

void AddAdapterTests(std::vector<Test>* tests) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    tests->push_back({std::string("quant.adapter.") + Layout(type).name,
                      [type](const Subject& subject) { return Numbers(subject, type); }});
  }
  tests->insert(tests->end(), {{"quant.adapter.others_untouched", OthersUntouched},
                               {"quant.adapter.company", Company},
                               {"quant.adapter.stray_delta", StrayDelta},
                               {"quant.adapter.allocations", Allocations}});
}

}  // namespace tenon::testing
