// SPDX-License-Identifier: Apache-2.0
// That the parallel interface carries tensor parallelism (Shoeybi et al. 2019, "Megatron-LM"): a
// strategy of a few lines shards an MLP over two ranks, which run on threads with naive ops.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "plugins/parallel/common/list_program.h"
#include "plugins/parallel/common/local_communicator.h"
#include "tenon/ops.h"
#include "tenon/parallel.h"

namespace tenon::parallel {
namespace {

constexpr int32_t kTokens = 5, kHidden = 12, kInner = 20, kLayers = 2;

class AllReduceOp final : public Op {
 public:
  AllReduceOp(Communicator& communicator, const Buffer& x) : communicator_(communicator), x_(x) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    if (lane.index != 0) return;
    for (int32_t row = 0; row < RowCount(batch, x_.rows); ++row) {
      float* const values =
          reinterpret_cast<float*>(static_cast<char*>(x_.data) + row * x_.row_bytes);
      status = communicator_.AllReduceSum(values, static_cast<uint64_t>(x_.columns), lane.stream);
    }
  }

  Status status = Status::kOk;  // Run has no way to report it

 private:
  Communicator& communicator_;
  const Buffer x_;
};

// A linear "*.gate_up" keeps its share of output rows; what depends on it is as much narrower; a
// linear
// "*.down" keeps the matching columns and is followed by a sum over the ranks.
class TensorParallel final : public Strategy {
 public:
  Status Rewrite(ProgramEditor& program, Communicator* communicator) noexcept override {
    communicator_ = communicator;
    for (int32_t at = 0; at < program.Count(); ++at) {
      Node node = program.At(at);
      std::vector<Operand> inputs(node.inputs.begin(), node.inputs.end());
      std::vector<Operand> outputs(node.outputs.begin(), node.outputs.end());
      std::vector<Weight> weights(node.weights.begin(), node.weights.end());
      const std::string kind{std::string_view(node.kind)}, name{std::string_view(node.name)};
      LinearParams linear = {};
      if (kind == kLinear) linear = *static_cast<const LinearParams*>(node.params);
      const bool reads_shard = narrow_.count(inputs[0].value) > 0;
      const bool row_parallel = kind == kLinear && reads_shard;
      if (kind == kLinear && name.ends_with(".gate_up")) {
        for (Weight& weight : weights) ShareOfRows(weight, linear, &weight - weights.data());
        for (Operand& out : outputs) Narrow(program, out);
      } else if (row_parallel) {
        Narrow(program, inputs[0]);
        ShareOfColumns(weights[0]);
        // Bias and residual count once in the sum.
        if (communicator->Rank() != 0) {
          inputs.resize(1);
          weights.resize(1);
          linear.has_bias = linear.has_residual = 0;
        }
      } else if (reads_shard) {
        for (Operand& in : inputs) Narrow(program, in);
        for (Operand& out : outputs) Narrow(program, out);
      }
      node.inputs = {inputs.data(), inputs.size()};
      node.outputs = {outputs.data(), outputs.size()};
      node.weights = {weights.data(), weights.size()};
      if (kind == kLinear) node.params = &linear;
      const std::string sum_name = name + ".sum";
      program.Replace(at, node);
      if (row_parallel) InsertSum(program, ++at, sum_name, outputs[0]);
    }
    return Status::kOk;
  }

  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override {
    if (std::string_view(spec.kind) != kAllReduce) return Status::kUnsupported;
    ops_.push_back(std::make_unique<AllReduceOp>(*communicator_, spec.outputs[0]));
    *out = {ops_.back().get(), Split::kAny, 0, 0};
    return Status::kOk;
  }

  bool AllOk() const {
    for (const auto& op : ops_) {
      if (op->status != Status::kOk) return false;
    }
    return !ops_.empty();
  }

 private:
  void ShareOfRows(Weight& weight, const LinearParams& linear, int64_t index) const {
    const int64_t size = communicator_->Size(), rank = communicator_->Rank();
    if (index >= linear.matrices) {  // a bias [1, outputs]
      ShareOfColumns(weight);
      return;
    }
    weight.tensor.rows /= size;
    weight.tensor.data =
        static_cast<const char*>(weight.tensor.data) + rank * weight.tensor.rows * weight.row_bytes;
  }

  void ShareOfColumns(Weight& weight) const {
    weight.tensor.columns /= communicator_->Size();
    weight.tensor.data =
        static_cast<const char*>(weight.tensor.data) +
        communicator_->Rank() *
            BytesOf(weight.tensor.dtype, static_cast<uint64_t>(weight.tensor.columns));
  }

  void Narrow(ProgramEditor& program, Operand& operand) {
    const int32_t size = communicator_->Size();
    auto found = narrow_.find(operand.value);
    if (found == narrow_.end()) {
      ValueInfo info = program.Value(operand.value);
      info.columns /= size;
      found = narrow_.emplace(operand.value, program.AddValue(info)).first;
    }
    operand = {found->second, operand.first_column / size, operand.columns / size};
  }

  void InsertSum(ProgramEditor& program, int32_t before, const std::string& name,
                 const Operand& operand) {
    const AllReduceParams params = {};
    Node node;
    node.kind = kAllReduce;
    node.name = Str(std::string_view(name));
    node.family = Family::kParallel;
    node.maker = this;
    node.inputs = {&operand, 1};
    node.outputs = {&operand, 1};
    node.params = &params;
    node.params_bytes = sizeof(params);
    program.Insert(before, node);
  }

  Communicator* communicator_ = nullptr;
  std::map<uint32_t, uint32_t> narrow_;  // a value's sharded successor
  std::vector<std::unique_ptr<AllReduceOp>> ops_;
};

// x += down(silu(gate(x)) * up(x)), kLayers times; value 0 is x.
class Mlp {
 public:
  Mlp() {
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0, 0.3f);
    numbers_.resize(kLayers * 6);
    for (std::vector<float>& numbers : numbers_) {
      numbers.resize(kInner * kHidden);
      for (float& n : numbers) n = normal(random);
    }
    input_.resize(kTokens * kHidden);
    for (float& x : input_) x = normal(random);
  }

  void Emit(ProgramEditor& program) const {
    program.AddValue({"x", DType::kF32, RowSet::kTokens, kHidden});
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      const std::string name = "layers." + std::to_string(layer);
      const uint32_t wide = program.AddValue({"gate_up", DType::kF32, RowSet::kTokens, 2 * kInner});
      const uint32_t inner = program.AddValue({"inner", DType::kF32, RowSet::kTokens, kInner});
      const Operand x = {0, 0, kHidden}, act = {inner, 0, kInner};
      const Weight up[] = {Matrix(layer, 0, kInner, kHidden), Matrix(layer, 1, kInner, kHidden),
                           Matrix(layer, 2, 1, kInner), Matrix(layer, 3, 1, kInner)};
      Add(program, kLinear, name + ".gate_up", {x}, {wide, 0, 2 * kInner}, {up, 4},
          LinearParams{2, 1, 0});
      Add(program, kGlu, name + ".glu", {{wide, 0, kInner}, {wide, kInner, kInner}}, act, {},
          GluParams{Activation::kSilu});
      const Weight down[] = {Matrix(layer, 4, kHidden, kInner), Matrix(layer, 5, 1, kHidden)};
      Add(program, kLinear, name + ".down", {act, x}, x, {down, 2}, LinearParams{1, 1, 1});
    }
  }

  const std::vector<float>& input() const { return input_; }

 private:
  Weight Matrix(int32_t layer, int32_t index, int64_t rows, int64_t columns) const {
    return {"w", {DType::kF32, numbers_[layer * 6 + index].data(), rows, columns}, columns * 4};
  }

  template <typename Params>
  static void Add(ProgramEditor& program, const char* kind, const std::string& name,
                  const std::vector<Operand>& inputs, const Operand& output,
                  Span<const Weight> weights, const Params& params) {
    Node node;
    node.kind = kind;
    node.name = Str(std::string_view(name));
    node.family = Family::kQuant;
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {&output, 1};
    node.weights = weights;
    node.params = &params;
    node.params_bytes = sizeof(params);
    program.Insert(program.Count(), node);
  }

  std::vector<std::vector<float>> numbers_;
  std::vector<float> input_;
};

// Runs a list with plain loops; nodes that have a maker are planned and run as ops.
class PlainMachine {
 public:
  std::vector<float> Run(const ListProgram& program, const std::vector<float>& input) {
    for (uint32_t v = 0; v < program.value_count(); ++v) {
      values_.emplace_back(kTokens * program.Value(v).columns, 0.0f);
    }
    values_[0] = input;
    for (int32_t at = 0; at < program.Count(); ++at) {
      const Node node = program.At(at);
      std::vector<Buffer> in, out;
      for (const Operand& operand : node.inputs) in.push_back(At(program, operand));
      for (const Operand& operand : node.outputs) out.push_back(At(program, operand));
      if (node.maker != nullptr) {
        Planned(node, in, out);
      } else if (std::string_view(node.kind) == kLinear) {
        Linear(node, in, out[0]);
      } else {
        for (int32_t i = 0; i < kTokens * out[0].columns; ++i) {
          const int32_t row = i / out[0].columns, column = i % out[0].columns;
          const float gate = Row(in[0], row)[column];
          Row(out[0], row)[column] = gate / (1 + std::exp(-gate)) * Row(in[1], row)[column];
        }
      }
    }
    return values_[0];
  }

 private:
  static float* Row(const Buffer& buffer, int32_t row) {
    return reinterpret_cast<float*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
  }

  Buffer At(const ListProgram& program, const Operand& operand) {
    return {values_[operand.value].data() + operand.first_column,
            DType::kF32,
            RowSet::kTokens,
            kTokens,
            operand.columns,
            int64_t{4} * program.Value(operand.value).columns};
  }

  static void Planned(const Node& node, const std::vector<Buffer>& in,
                      const std::vector<Buffer>& out) {
    OpSpec spec = {node.kind,
                   node.name,
                   {in.data(), in.size()},
                   {out.data(), out.size()},
                   node.weights,
                   node.params,
                   node.params_bytes,
                   nullptr,
                   0};
    PlannedOp planned;
    ASSERT_EQ(node.maker->Plan(spec, &planned), Status::kOk);
    Batch batch = {};
    batch.tokens = kTokens;
    Lane lane = {};
    lane.count = 1;
    planned.op->Run(batch, lane);
  }

  static void Linear(const Node& node, const std::vector<Buffer>& in, const Buffer& out) {
    const LinearParams& params = *static_cast<const LinearParams*>(node.params);
    ASSERT_EQ(node.weights.size, static_cast<uint64_t>(params.matrices * (1 + params.has_bias)));
    for (int32_t row = 0; row < kTokens; ++row) {
      int32_t column = 0;
      for (int32_t m = 0; m < params.matrices; ++m) {
        const Weight& w = node.weights[m];
        ASSERT_EQ(w.tensor.columns, in[0].columns);
        for (int64_t r = 0; r < w.tensor.rows; ++r, ++column) {
          const float* const weights = reinterpret_cast<const float*>(
              static_cast<const char*>(w.tensor.data) + r * w.row_bytes);
          double sum = 0;
          for (int32_t k = 0; k < in[0].columns; ++k)
            sum += double{weights[k]} * Row(in[0], row)[k];
          if (params.has_bias != 0) {
            sum += static_cast<const float*>(node.weights[params.matrices + m].tensor.data)[r];
          }
          if (params.has_residual != 0) sum += Row(in[1], row)[column];
          Row(out, row)[column] = static_cast<float>(sum);
        }
      }
      ASSERT_EQ(column, out.columns);
    }
  }

  std::vector<std::vector<float>> values_;
};

float Largest(const std::vector<float>& a, const std::vector<float>& b) {
  float worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST(TensorParallel, GivesTheSameAsOneRank) {
  const Mlp mlp;
  ListProgram whole;
  mlp.Emit(whole);
  const std::vector<float> expected = PlainMachine().Run(whole, mlp.input());
  EXPECT_GT(Largest(expected, mlp.input()), 0.1f);
  for (const int32_t size : {1, 2, 4}) {
    LocalGroup group(size);
    std::vector<std::vector<float>> results(size);
    std::vector<std::thread> ranks;
    for (int32_t rank = 0; rank < size; ++rank) {
      ranks.emplace_back([&, rank] {
        TensorParallel strategy;
        ListProgram program;
        mlp.Emit(program);
        EXPECT_EQ(strategy.Rewrite(program, &group.Of(rank)), Status::kOk);
        results[rank] = PlainMachine().Run(program, mlp.input());
        EXPECT_TRUE(strategy.AllOk());
      });
    }
    for (std::thread& rank : ranks) rank.join();
    EXPECT_LT(Largest(results[0], expected), 2e-6f) << size << " ranks";
    for (const std::vector<float>& result : results) EXPECT_EQ(result, results[0]);
  }
}

TEST(TensorParallel, ShardsWeightsByPointingIntoThem) {
  const Mlp mlp;
  LocalGroup group(2);
  TensorParallel strategy;
  ListProgram program, whole;
  mlp.Emit(program);
  mlp.Emit(whole);
  ASSERT_EQ(strategy.Rewrite(program, &group.Of(1)), Status::kOk);
  ASSERT_EQ(program.Count(), whole.Count() + kLayers);
  const Weight up = program.At(0).weights[1], whole_up = whole.At(0).weights[1];
  EXPECT_EQ(up.tensor.rows, kInner / 2);
  EXPECT_EQ(up.tensor.data, static_cast<const float*>(whole_up.tensor.data) + kInner / 2 * kHidden);
  const Weight down = program.At(2).weights[0], whole_down = whole.At(2).weights[0];
  EXPECT_EQ(down.tensor.columns, kInner / 2);
  EXPECT_EQ(down.row_bytes, whole_down.row_bytes);
  EXPECT_EQ(down.tensor.data, static_cast<const float*>(whole_down.tensor.data) + kInner / 2);
  EXPECT_EQ(program.At(2).inputs.size, 1u);
  EXPECT_EQ(program.At(3).kind, Str(kAllReduce));
}

}  // namespace
}  // namespace tenon::parallel
