// SPDX-License-Identifier: Apache-2.0
#include "plugins/parallel/common/list_program.h"

namespace tenon::parallel {

uint32_t ListProgram::AddValue(const ValueInfo& info) noexcept {
  names_.emplace_back(std::string_view(info.name));
  values_.push_back(info);
  values_.back().name = Str(std::string_view(names_.back()));
  return static_cast<uint32_t>(values_.size() - 1);
}

ValueInfo ListProgram::Value(uint32_t value) const noexcept { return values_.at(value); }

Node ListProgram::At(int32_t at) const noexcept {
  const Kept& kept = nodes_.at(at);
  Node node;
  node.kind = Str(std::string_view(kept.kind));
  node.name = Str(std::string_view(kept.name));
  node.family = kept.family;
  node.maker = kept.maker;
  node.inputs = {kept.inputs.data(), kept.inputs.size()};
  node.outputs = {kept.outputs.data(), kept.outputs.size()};
  node.weights = {kept.weights.data(), kept.weights.size()};
  node.params = kept.params.data();
  node.params_bytes = kept.params.size();
  node.needs = kept.needs;
  return node;
}

void ListProgram::Insert(int32_t before, const Node& node) noexcept {
  Kept kept = Copy(node);
  nodes_.insert(nodes_.begin() + before, std::move(kept));
}

void ListProgram::Replace(int32_t at, const Node& node) noexcept {
  Kept kept = Copy(node);
  nodes_.at(at) = std::move(kept);
}

void ListProgram::Erase(int32_t at) noexcept { nodes_.erase(nodes_.begin() + at); }

ListProgram::Kept ListProgram::Copy(const Node& node) {
  Kept kept;
  kept.kind = std::string_view(node.kind);
  kept.name = std::string_view(node.name);
  kept.family = node.family;
  kept.maker = node.maker;
  kept.inputs.assign(node.inputs.begin(), node.inputs.end());
  kept.outputs.assign(node.outputs.begin(), node.outputs.end());
  kept.weights.assign(node.weights.begin(), node.weights.end());
  const char* const params = static_cast<const char*>(node.params);
  kept.params.assign(params, params + node.params_bytes);
  kept.needs = node.needs;
  return kept;
}

}  // namespace tenon::parallel
