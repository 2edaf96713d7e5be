// SPDX-License-Identifier: Apache-2.0
#include "core/program/prune_rows.h"

#include <map>
#include <set>
#include <string>

#include "tenon/ops.h"

namespace tenon::core {
namespace {

int32_t OnlyGather(const ProgramList& program) {
  int32_t found = -1;
  for (int32_t i = 0; i < program.Count(); ++i) {
    if (program.At(i).kind != Str(kGatherRows)) continue;
    if (found >= 0) return -1;
    found = i;
  }
  return found;
}

// The last op before `gather` that reads rows other than its own.
int32_t LastAcrossRows(const ProgramList& program, int32_t gather) {
  for (int32_t i = gather - 1; i >= 0; --i) {
    const Family family = program.At(i).family;
    if (family == Family::kAttention || family == Family::kParallel) return i;
  }
  return -1;
}

// Copies of `operands` with values exchanged by `with`.
std::vector<Operand> Exchange(Span<const Operand> operands,
                              const std::map<uint32_t, uint32_t>& with) {
  std::vector<Operand> out(operands.begin(), operands.end());
  for (Operand& operand : out) {
    if (const auto it = with.find(operand.value); it != with.end()) operand.value = it->second;
  }
  return out;
}

}  // namespace

void PruneRows(ProgramList& program) {
  const int32_t gather = OnlyGather(program);
  if (gather < 0) return;
  const int32_t last = LastAcrossRows(program, gather);
  if (last < 0 || last + 1 >= gather) return;

  // Values written before the cut and read between it and the gather: gathered once, at the cut.
  std::map<uint32_t, uint32_t> gathered;  // token-row value -> its logit-row twin
  std::set<uint32_t> before;
  for (int32_t i = 0; i <= last; ++i) {
    for (const Operand& output : program.At(i).outputs) before.insert(output.value);
  }
  std::set<uint32_t> crossing;
  std::set<uint32_t> written;
  for (int32_t i = last + 1; i < gather; ++i) {
    const Node node = program.At(i);
    for (const Operand& input : node.inputs) {
      if (written.count(input.value) == 0) crossing.insert(input.value);
    }
    for (const Operand& output : node.outputs) {
      const bool whole_value = output.columns == program.Value(output.value).columns;
      const bool old_part =
          !whole_value && written.count(output.value) == 0 && before.count(output.value) != 0;
      if (old_part) crossing.insert(output.value);
      written.insert(output.value);
    }
  }
  const Node old_gather = program.At(gather);
  const Operand old_in = old_gather.inputs[0];
  const Operand old_out = old_gather.outputs[0];
  const int32_t whole = program.Value(old_in.value).columns;
  if (old_in.first_column != 0 || old_in.columns != whole || old_out.first_column != 0 ||
      old_out.columns != program.Value(old_out.value).columns) {
    return;
  }
  for (const auto* values : {&crossing, &written}) {
    for (const uint32_t value : *values) {
      if (gathered.count(value) != 0) continue;
      if (value == old_in.value) {
        gathered[value] = old_out.value;
        continue;
      }
      ValueInfo info = program.Value(value);
      const std::string name = std::string(std::string_view(info.name)) + ".rows";
      info.name = Str(name);
      info.rows = RowSet::kLogitRows;
      gathered[value] = program.AddValue(info);
    }
  }

  program.Erase(gather);
  for (int32_t i = last + 1; i < gather; ++i) {
    Node node = program.At(i);
    const std::vector<Operand> inputs = Exchange(node.inputs, gathered);
    const std::vector<Operand> outputs = Exchange(node.outputs, gathered);
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {outputs.data(), outputs.size()};
    program.Replace(i, node);
  }
  int32_t at = last + 1;
  for (const uint32_t value : crossing) {
    const int32_t columns = program.Value(value).columns;
    const Operand in{value, 0, columns};
    const Operand out{gathered[value], 0, columns};
    const GatherRowsParams params{};
    const std::string name = "gather." + std::to_string(at - last);
    Node node;
    node.kind = Str(kGatherRows);
    node.name = Str(name);
    node.family = Family::kDevice;
    node.inputs = {&in, 1};
    node.outputs = {&out, 1};
    node.params = &params;
    node.params_bytes = sizeof(params);
    program.Insert(at++, node);
  }
}

}  // namespace tenon::core
