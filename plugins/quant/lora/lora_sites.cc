// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/lora/lora_sites.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "tenon/ops.h"

namespace tenon::quant {
namespace {

constexpr size_t kMostProblems = 16;

std::string Shape(int64_t rows, int64_t columns) {
  std::string text("[");
  text.append(std::to_string(rows)).append(", ");
  return text.append(std::to_string(columns)).append("]");
}

std::string Shape(const Tensor& tensor) { return Shape(tensor.rows, tensor.columns); }

bool Plain(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

// What is wrong with a delta in itself; empty: nothing.
std::string ProblemOf(const AdapterDelta& delta) {
  if (delta.adapter < 0) return "adapter " + std::to_string(delta.adapter) + " is below 0";
  if (!std::isfinite(delta.scale)) return "its scale is not finite";
  for (const Tensor* tensor : {&delta.a, &delta.b}) {
    if (!Plain(tensor->dtype)) {
      return std::string("a factor is stored as ") + Layout(tensor->dtype).name +
             "; f32, f16, bf16 allowed";
    }
    if (tensor->data == nullptr || tensor->rows < 1 || tensor->columns < 1) {
      return "a factor is empty";
    }
  }
  if (delta.a.rows > kMostLoraRank) {
    return "its rank is " + std::to_string(delta.a.rows) + "; 1 to 256 allowed";
  }
  if (delta.b.columns != delta.a.rows) {
    return "a is " + Shape(delta.a) + " and b " + Shape(delta.b) + ", which do not multiply";
  }
  return "";
}

// One matrix of a linear that a delta is for.
struct Reading {
  int32_t at;
  const char* data;  // of the matrix's first row
  int64_t row_bytes;
  int64_t rows, columns;
  int64_t first_column;
};

struct Readers {
  std::vector<Reading> linears;
  std::string other;  // an op that reads the matrix and is no linear
};

using ReadersOf = std::map<std::string, Readers, std::less<>>;

// REQUIRES: every wanted name is a key of `readers`.
void FindReaders(const ProgramEditor& program, ReadersOf& readers) {
  for (int32_t at = 0; at < program.Count(); ++at) {
    const Node node = program.At(at);
    const bool linear = node.kind == Str(kLinear) && node.params_bytes == sizeof(LinearParams);
    const int64_t matrices = linear ? static_cast<const LinearParams*>(node.params)->matrices : 0;
    int64_t column = 0;
    for (uint64_t i = 0; i < node.weights.size; ++i) {
      const Weight& weight = node.weights[i];
      const auto found = readers.find(std::string_view(weight.name));
      const bool matrix = static_cast<int64_t>(i) < matrices;
      if (found != readers.end() && matrix) {
        found->second.linears.push_back({at, static_cast<const char*>(weight.tensor.data),
                                         weight.row_bytes, weight.tensor.rows,
                                         weight.tensor.columns, column});
      } else if (found != readers.end()) {
        found->second.other = std::string_view(node.name);
      }
      if (matrix) column += weight.tensor.rows;
    }
  }
}

// Row of the stored matrix that a slice begins with, given the slice that lies first.
int64_t FirstRow(const Reading& slice, const char* first) {
  return slice.row_bytes > 0 ? (slice.data - first) / slice.row_bytes : 0;
}

// Adds the parts of `delta` to `parts`; returns what is wrong, or nothing.
std::string Spread(const AdapterDelta& delta, const Readers& readers,
                   std::map<int32_t, std::vector<LoraPart>>& parts) {
  if (!readers.other.empty()) {
    return readers.other + " reads it, which is no linear and would not hear of the adapter";
  }
  if (readers.linears.empty()) return "no linear reads a matrix of that name";
  const char* first = readers.linears.front().data;
  for (const Reading& reading : readers.linears) first = std::min(first, reading.data);
  int64_t rows = 0;
  for (const Reading& reading : readers.linears) {
    rows = std::max(rows, FirstRow(reading, first) + reading.rows);
    if (reading.columns != delta.a.columns) rows = -1;
    if (rows < 0) break;
  }
  if (rows != delta.b.rows) {
    return "the adapter is for " + Shape(delta.b.rows, delta.a.columns) + ", the linear has " +
           Shape(std::max(rows, readers.linears.front().rows), readers.linears.front().columns);
  }
  const uint64_t b_row_bytes = BytesOf(delta.b.dtype, static_cast<uint64_t>(delta.b.columns));
  for (const Reading& reading : readers.linears) {
    const int64_t skip = FirstRow(reading, first);
    const Tensor b{
        delta.b.dtype,
        static_cast<const char*>(delta.b.data) + static_cast<uint64_t>(skip) * b_row_bytes,
        reading.rows, delta.b.columns};
    parts[reading.at].push_back({delta.adapter, delta.scale, delta.a, b, reading.first_column});
  }
  return "";
}

}  // namespace

LoraSites FindLoraSites(const ProgramEditor& program, Span<const AdapterDelta> deltas) {
  ReadersOf readers;
  for (const AdapterDelta& delta : deltas) readers[std::string(std::string_view(delta.weight))];
  FindReaders(program, readers);
  LoraSites out;
  std::map<int32_t, std::vector<LoraPart>> parts;
  size_t problems = 0;
  for (const AdapterDelta& delta : deltas) {
    const std::string name(std::string_view(delta.weight));
    std::string problem = ProblemOf(delta);
    if (problem.empty()) problem = Spread(delta, readers.at(name), parts);
    if (problem.empty() || ++problems > kMostProblems) continue;
    out.problem.append(out.problem.empty() ? "" : "\n  ").append("\"").append(name);
    out.problem.append("\": ").append(problem);
  }
  if (problems > kMostProblems) {
    out.problem.append("\n  and ").append(std::to_string(problems - kMostProblems)).append(" more");
  }
  for (auto& [at, list] : parts) out.sites.push_back({at, std::move(list)});
  return out;
}

}  // namespace tenon::quant
