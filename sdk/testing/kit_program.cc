// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/kit_program.h"

#include <cstring>
#include <string_view>

namespace tenon::testing {

uint32_t KitProgram::AddValue(const ValueInfo& info) noexcept {
  values_.push_back({std::string(std::string_view(info.name)), info});
  return static_cast<uint32_t>(values_.size() - 1);
}

ValueInfo KitProgram::Value(uint32_t value) const noexcept {
  ValueInfo info = values_[value].info;
  info.name = std::string_view(values_[value].name);
  return info;
}

KitProgram::Owned KitProgram::CopyOf(const Node& node) {
  Owned out;
  out.kind = std::string_view(node.kind);
  out.name = std::string_view(node.name);
  out.inputs.assign(node.inputs.begin(), node.inputs.end());
  out.outputs.assign(node.outputs.begin(), node.outputs.end());
  out.weights.assign(node.weights.begin(), node.weights.end());
  for (const Weight& weight : out.weights) {
    out.weight_names.emplace_back(std::string_view(weight.name));
  }
  out.params.resize((node.params_bytes + 7) / 8);
  if (node.params_bytes > 0) std::memcpy(out.params.data(), node.params, node.params_bytes);
  out.node = node;
  return out;
}

Node KitProgram::At(int32_t at) const noexcept {
  const Owned& owned = nodes_[static_cast<size_t>(at)];
  auto& weights = const_cast<Owned&>(owned).weights;
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i].name = std::string_view(owned.weight_names[i]);
  }
  Node node = owned.node;
  node.kind = std::string_view(owned.kind);
  node.name = std::string_view(owned.name);
  node.inputs = {owned.inputs.data(), owned.inputs.size()};
  node.outputs = {owned.outputs.data(), owned.outputs.size()};
  node.weights = {weights.data(), weights.size()};
  node.params = owned.params.data();
  return node;
}

void KitProgram::Insert(int32_t before, const Node& node) noexcept {
  nodes_.insert(nodes_.begin() + before, CopyOf(node));
  ++changes_;
}

void KitProgram::Replace(int32_t at, const Node& node) noexcept {
  Owned copy = CopyOf(node);
  nodes_[static_cast<size_t>(at)] = std::move(copy);
  ++changes_;
}

void KitProgram::Erase(int32_t at) noexcept {
  nodes_.erase(nodes_.begin() + at);
  ++changes_;
}

}  // namespace tenon::testing
