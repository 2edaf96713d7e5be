// SPDX-License-Identifier: Apache-2.0
#include "models/expert_tensors.h"

#include <string>
#include <string_view>
#include <vector>

#include "models/mxfp4.h"
#include "models/weight_layout.h"

namespace tenon::models {
namespace {

// Takes the experts' matrices of one layer, whatever the layout. Nothing is made of a tensor that
// is not there, so that a config costs no more than its file.
class ExpertBinder {
 public:
  ExpertBinder(const ExpertSpec& spec, int32_t hidden, LayerBinder& take)
      : spec_(spec), count_(spec.route.experts), hidden_(hidden), take_(take) {}

  GroupedWeights GateUp() {
    GroupedWeights out{2, count_, {}, {}};
    const ExpertNames& n = spec_.names;
    if (spec_.layout == ExpertLayout::kInterleaved) {
      AddTransposed(n.gate_up, hidden_, spec_.ffn, 2, out);
    } else if (spec_.layout == ExpertLayout::kStacked && !n.gate_up.empty() &&
               take_.Has(n.gate_up)) {
      AddHalves(n.gate_up, out);
    } else {
      Add(n.gate, spec_.ffn, hidden_, out);
      Add(n.up, spec_.ffn, hidden_, out);
    }
    return out;
  }

  GroupedWeights Down() {
    GroupedWeights out{1, count_, {}, {}};
    if (spec_.layout == ExpertLayout::kInterleaved) {
      AddTransposed(spec_.names.down, spec_.ffn, hidden_, 1, out);
    } else {
      Add(spec_.names.down, hidden_, spec_.ffn, out);
    }
    return out;
  }

 private:
  // One matrix [rows, columns] for each expert.
  void Add(std::string_view name, int64_t rows, int64_t columns, GroupedWeights& out) {
    if (spec_.layout == ExpertLayout::kStacked) return AddStacked(name, rows, columns, out);
    for (int32_t e = 0; e < count_; ++e) {
      std::string one(name);
      if (const size_t at = one.find("{}"); at != one.npos) one.replace(at, 2, std::to_string(e));
      out.weights.push_back(take_.Matrix(one, rows, columns));
      if (spec_.bias) {
        out.biases.push_back(take_.Binder().Vector(take_.Name(one, ".bias"), rows));
      }
    }
  }

  void AddStacked(std::string_view name, int64_t rows, int64_t columns, GroupedWeights& out) {
    const Weight all = take_.Matrix(name, count_ * rows, columns);
    if (all.tensor.data == nullptr) return;
    for (int32_t e = 0; e < count_; ++e) {
      out.weights.push_back(RowsOf(take_.Binder(), all, e * rows, rows));
    }
    if (!spec_.bias) return;
    const Weight biases = take_.Binder().Vectors(take_.Name(name, ".bias"), count_, rows);
    for (int32_t e = 0; e < count_; ++e) {
      out.biases.push_back(RowsOf(take_.Binder(), biases, e, 1));
    }
  }

  // Of each expert's rows the first half is gate, the second up.
  void AddHalves(std::string_view name, GroupedWeights& out) {
    const int64_t ffn = spec_.ffn;
    const Weight all = take_.Matrix(name, count_ * 2 * ffn, hidden_);
    if (all.tensor.data == nullptr) return;
    const Weight biases =
        spec_.bias ? take_.Binder().Vectors(take_.Name(name, ".bias"), count_, 2 * ffn) : Weight{};
    for (int half = 0; half < 2; ++half) {
      for (int32_t e = 0; e < count_; ++e) {
        out.weights.push_back(RowsOf(take_.Binder(), all, (2 * e + half) * ffn, ffn));
        if (!spec_.bias) continue;
        out.biases.push_back(ColumnsOf(RowsOf(take_.Binder(), biases, e, 1), half * ffn, ffn));
      }
    }
  }

  // `matrices` of them a tensor, [columns, matrices * rows] an expert: matrix m has the columns m,
  // m + matrices, …
  void AddTransposed(std::string_view name, int64_t columns, int64_t rows, int64_t matrices,
                     GroupedWeights& out) {
    if (take_.Binder().Has(take_.Name(name, "_blocks"))) {
      AddMxfp4(name, columns, rows, matrices, out);
    } else {
      AddTurned(name, columns, rows, matrices, out);
    }
    if (!spec_.bias || out.weights.empty()) return;
    const Weight biases =
        take_.Binder().Vectors(take_.Name(name, "_bias"), count_, matrices * rows);
    for (int64_t m = 0; m < matrices; ++m) {
      for (int32_t e = 0; e < count_; ++e) {
        out.biases.push_back(
            Transposed(take_.Binder(), RowsOf(take_.Binder(), biases, e, 1), m, matrices));
        AsVector(out.biases.back());
      }
    }
  }

  void AddTurned(std::string_view name, int64_t columns, int64_t rows, int64_t matrices,
                 GroupedWeights& out) {
    const Weight all =
        take_.Binder().Matrix(take_.Name(name, ""), count_ * columns, matrices * rows);
    if (all.tensor.data == nullptr) return;
    if (all.scales.data != nullptr && matrices > 1) {
      return take_.Binder().Wrong(take_.Name(name, "") +
                                  " has factors beside it, which cannot be followed with columns "
                                  "by turns");
    }
    for (int64_t m = 0; m < matrices; ++m) {
      for (int32_t e = 0; e < count_; ++e) {
        const Weight own = RowsOf(take_.Binder(), all, e * columns, columns);
        out.weights.push_back(Transposed(take_.Binder(), own, m, matrices));
      }
    }
  }

  // In this format experts are not transposed: matrix m has the rows m, m + matrices, …
  void AddMxfp4(std::string_view name, int64_t columns, int64_t rows, int64_t matrices,
                GroupedWeights& out) {
    const int64_t all = count_ * matrices * rows;
    const int64_t blocks = columns / kMxfp4Block;
    if (columns % kMxfp4Block != 0) {
      return take_.Binder().Wrong(take_.Name(name, "_blocks") +
                                  " has rows that are no multiple of 32 values");
    }
    const Mxfp4Matrix stored = {
        take_.Binder().Matrix(take_.Name(name, "_blocks"), all * blocks, kMxfp4Block / 2),
        take_.Binder().Matrix(take_.Name(name, "_scales"), all, blocks)};
    for (int64_t m = 0; m < matrices; ++m) {
      for (int32_t e = 0; e < count_; ++e) {
        const Weight one =
            UnpackMxfp4(take_.Binder(), stored, e * matrices * rows + m, matrices, rows);
        if (one.tensor.data == nullptr) return;
        out.weights.push_back(one);
      }
    }
  }

  static void AsVector(Weight& column) {
    column.tensor.columns = column.tensor.rows;
    column.tensor.rows = column.tensor.data != nullptr ? 1 : 0;
    column.row_bytes = column.tensor.columns * static_cast<int64_t>(sizeof(float));
  }

  const ExpertSpec& spec_;
  const int32_t count_;
  const int64_t hidden_;
  LayerBinder& take_;
};

}  // namespace

ExpertTensors BindExperts(const ExpertSpec& spec, int32_t hidden, LayerBinder& take) {
  const ExpertNames& n = spec.names;
  ExpertTensors out{};
  out.router = take.Linear({{n.router, spec.route.experts}}, hidden, spec.bias);
  if (spec.has_correction) {
    out.correction = take.Binder().Vector(take.Name(n.correction, ""), spec.route.experts);
  }
  ExpertBinder experts(spec, hidden, take);
  out.gate_up = experts.GateUp();
  out.down = experts.Down();
  if (spec.shared_ffn > 0) {
    out.shared_gate_up = take.Linear(
        {{n.shared_gate, spec.shared_ffn}, {n.shared_up, spec.shared_ffn}}, hidden, false);
    out.shared_down = take.Linear({{n.shared_down, hidden}}, spec.shared_ffn, false);
  }
  if (spec.shared_has_router) {
    out.shared_router = take.Linear({{n.shared_router, 1}}, hidden, false);
  }
  return out;
}

}  // namespace tenon::models
