// SPDX-License-Identifier: Apache-2.0
#include "core/program/program_list.h"

#include <cstring>
#include <unordered_set>

#include "fmt/format.h"

namespace tenon::core {

ProgramList::StoredNode::StoredNode(const Node& from)
    : kind(std::string_view(from.kind)),
      name(std::string_view(from.name)),
      inputs(from.inputs.begin(), from.inputs.end()),
      outputs(from.outputs.begin(), from.outputs.end()),
      weights(from.weights.begin(), from.weights.end()),
      params((from.params_bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t)),
      node(from) {
  if (from.params_bytes > 0) std::memcpy(params.data(), from.params, from.params_bytes);
  weight_names.reserve(weights.size());
  for (Weight& weight : weights) {
    weight_names.emplace_back(std::string_view(weight.name));
    weight.name = Str(weight_names.back());
  }
  node.kind = Str(kind);
  node.name = Str(name);
  node.inputs = {inputs.data(), inputs.size()};
  node.outputs = {outputs.data(), outputs.size()};
  node.weights = {weights.data(), weights.size()};
  node.params = params.data();
}

uint32_t ProgramList::AddValue(const ValueInfo& info) noexcept {
  values_.push_back({std::string(std::string_view(info.name)), info});
  return static_cast<uint32_t>(values_.size() - 1);
}

ValueInfo ProgramList::Value(uint32_t value) const noexcept {
  TENON_CHECK(value < values_.size());
  ValueInfo info = values_[value].info;
  info.name = Str(values_[value].name);
  return info;
}

Node ProgramList::At(int32_t at) const noexcept {
  TENON_CHECK(at >= 0 && at < Count());
  return nodes_[static_cast<size_t>(at)]->node;
}

void ProgramList::Insert(int32_t before, const Node& node) noexcept {
  TENON_CHECK(before >= 0 && before <= Count());
  nodes_.insert(nodes_.begin() + before, std::make_unique<StoredNode>(node));
}

void ProgramList::Replace(int32_t at, const Node& node) noexcept {
  TENON_CHECK(at >= 0 && at < Count());
  nodes_[static_cast<size_t>(at)] = std::make_unique<StoredNode>(node);
}

void ProgramList::Erase(int32_t at) noexcept {
  TENON_CHECK(at >= 0 && at < Count());
  nodes_.erase(nodes_.begin() + at);
}

Result<void> ProgramList::Check(uint32_t wanted) const {
  std::vector<bool> written(values_.size(), false);
  std::unordered_set<std::string_view> names;
  const auto wrong = [](const StoredNode& node, const std::string& what) {
    return Error{Status::kInternal,
                 fmt::format("the program is broken at {} ({}): {}", node.name, node.kind, what)};
  };
  for (const auto& stored : nodes_) {
    const StoredNode& node = *stored;
    if (!names.insert(node.name).second) return wrong(node, "two ops have this name");
    for (const auto* operands : {&node.inputs, &node.outputs}) {
      for (const Operand& operand : *operands) {
        if (operand.value >= values_.size()) return wrong(node, "an operand names no value");
        const int32_t columns = values_[operand.value].info.columns;
        if (operand.first_column < 0 || operand.columns <= 0 ||
            operand.first_column > columns - operand.columns) {
          return wrong(node,
                       fmt::format("columns {}+{} of \"{}\", which has {}", operand.first_column,
                                   operand.columns, values_[operand.value].name, columns));
        }
      }
    }
    for (const Operand& input : node.inputs) {
      if (!written[input.value]) {
        return wrong(node,
                     fmt::format("reads \"{}\" before it is written", values_[input.value].name));
      }
    }
    for (const Operand& output : node.outputs) written[output.value] = true;
  }
  if (wanted >= written.size() || !written[wanted]) {
    return Error{Status::kInternal, "the program is broken: its output is never written"};
  }
  return {};
}

}  // namespace tenon::core
