// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/adapters.h"

#include <utility>

#include "core/plugins/report.h"
#include "core/plugins/search.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

bool IsAdapter(const core::RegisteredComponent& component) {
  return component.info->capabilities.Has(Capability::kAdapter);
}

}  // namespace

Result<Adapters> Adapters::Open(const core::Pipeline& pipeline, const models::StoredModel& model) {
  Adapters out;
  out.file_ = pipeline.file;
  for (const auto& [name, folder] : pipeline.adapters) {
    auto stored = models::StoredAdapter::Open(folder, model);
    if (!stored.ok()) {
      return Error{stored.error().status, fmt::format("{}: adapters: {}: {}", pipeline.file, name,
                                                      stored.error().message)};
    }
    out.all_.push_back({name, folder, std::move(*stored)});
  }
  return out;
}

Result<int32_t> Adapters::NumberOf(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].name == name) return static_cast<int32_t>(i);
    names.push_back(all_[i].name);
  }
  return Error{Status::kNotFound,
               fmt::format("adapter \"{}\" is not in the pipeline{}", core::OneLine(name, 80),
                           names.empty() ? ", which has none; name folders under adapters:"
                                         : fmt::format("; it has {}", fmt::join(names, ", ")))};
}

Result<void> Adapters::Rewrite(Adapter& adapter, ProgramEditor& program) const {
  std::vector<AdapterDelta> deltas;
  for (size_t i = 0; i < all_.size(); ++i) {
    for (const models::AdapterMatrix& matrix : all_[i].stored.Matrices()) {
      deltas.push_back({static_cast<int32_t>(i), Str(std::string_view(matrix.weight)), matrix.a,
                        matrix.b, matrix.scale});
    }
  }
  core::ForgetFailure();
  const Status status = adapter.Rewrite(program, {deltas.data(), deltas.size()});
  if (status == Status::kOk) return {};
  return Error{status, fmt::format("{}: adapters: {}", file_, core::TakeFailure())};
}

Result<void> CheckQuantIsNoAdapter(const core::Pipeline& pipeline, core::Registry& registry) {
  const core::ComponentChoice& quant = pipeline.Of(Family::kQuant);
  if (!IsAdapter(*quant.component)) return {};
  std::vector<std::string> names;
  for (const core::RegisteredComponent* component : registry.Usable(Family::kQuant)) {
    if (!IsAdapter(*component)) names.push_back(component->name);
  }
  return Error{Status::kInvalid,
               fmt::format("TN107 {}: \"{}\" applies LoRA adapters and stores no weights; it is "
                           "used where adapters: names some. Quant: {}",
                           quant.where, quant.component->name, fmt::join(names, ", ")),
               "TN107"};
}

Result<const core::RegisteredComponent*> FindAdapterComponent(
    const core::Pipeline& pipeline, core::Registry& registry,
    const std::vector<std::string>& plugin_dirs) {
  const core::RegisteredComponent& device = *pipeline.Of(Family::kDevice).component;
  const core::RegisteredComponent* best = nullptr;
  const core::RegisteredComponent* other = nullptr;
  for (const core::RegisteredComponent* component : registry.Usable(Family::kQuant)) {
    if (!IsAdapter(*component)) continue;
    const bool fits = device.info->capabilities.Missing(component->info->capabilities).empty();
    const core::RegisteredComponent*& place = fits ? best : other;
    if (place == nullptr || component->rank > place->rank) place = component;
  }
  if (best != nullptr) return best;
  if (other != nullptr) {
    const Capabilities missing = device.info->capabilities.Missing(other->info->capabilities);
    return Error{Status::kUnsupported,
                 fmt::format("TN109 {} does not understand {}, which adapters: of {} needs with "
                             "device {}; no component that applies adapters here does",
                             other->name, fmt::join(core::CapabilityNames(missing), ", "),
                             pipeline.file, device.name),
                 "TN109"};
  }
  std::vector<std::string> folders;
  for (const core::SearchFolder& folder : core::SearchFolders(plugin_dirs)) {
    folders.push_back(folder.path);
  }
  return Error{
      Status::kNotFound,
      fmt::format("TN203 {}: adapters: no quant component here claims \"{}\"; plugins were "
                  "looked for in {}",
                  pipeline.file, Describe(Capability::kAdapter), fmt::join(folders, ", ")),
      "TN203"};
}

}  // namespace tenon::apps
