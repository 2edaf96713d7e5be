// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/components.h"

#include <fmt/format.h>

#include "core/pipeline/component_choice.h"
#include "core/plugins/host.h"

namespace tenon::core {
namespace {

// "TN108 p.yaml:21:3: acme.top_p: p must be above 0"
Error Failed(Status status, const ComponentChoice& choice, const std::string& what) {
  return {status, fmt::format("TN108 {}: {}: {}", choice.where, choice.component->name, what),
          "TN108"};
}

Error NotOffered(const ComponentChoice& choice, const char* interface_name) {
  return Failed(
      Status::kUnsupported, choice,
      fmt::format("it offers no {}, which {} has to; its plugin {} is at fault", interface_name,
                  AComponentOf(choice.component->family()), choice.component->file));
}

template <typename T>
Result<void> Take(Component& component, const ComponentChoice& choice, T** out) {
  *out = QueryFor<T>(component);
  if (*out == nullptr) return NotOffered(choice, T::kName);
  return {};
}

}  // namespace

Result<std::unique_ptr<Components>> Components::Create(const Pipeline& pipeline) {
  std::unique_ptr<Components> components(new Components);
  for (const Family family : {Family::kDevice, Family::kAttention, Family::kQuant,
                              Family::kScheduler, Family::kParallel}) {
    TENON_RETURN_IF_ERROR(components->MakeFamily(pipeline, family));
  }
  TENON_RETURN_IF_ERROR(components->MakeDecoding(pipeline));
  components->CollectPasses();
  return components;
}

Components::~Components() {
  for (auto it = made_.rbegin(); it != made_.rend(); ++it) it->destroy(it->component);
}

Result<Component*> Components::Make(const ComponentChoice& choice) {
  const ComponentInfo& info = *choice.component->info;
  CreateArgs args;
  args.host = choice.component->host;
  args.options = choice.options.View();
  args.device = device_;
  Component* component = nullptr;
  ForgetFailure();
  const Status status = info.create(&args, &component);
  if (status != Status::kOk) return Failed(status, choice, TakeFailure());
  if (component == nullptr) return Failed(Status::kInternal, choice, "its create made nothing");
  made_.push_back({component, info.destroy, info.family, choice.options});
  return component;
}

Result<void> Components::MakeFamily(const Pipeline& pipeline, Family family) {
  const ComponentChoice& choice = pipeline.Of(family);
  TENON_CHECK(choice.component != nullptr);
  auto made = Make(choice);
  if (!made.ok()) return made.error();
  Component& component = **made;
  switch (family) {
    case Family::kDevice:
      sharing_ = QueryFor<MemorySharing>(component);
      return Take(component, choice, &device_);
    case Family::kAttention:
      return Take(component, choice, &attention_);
    case Family::kQuant:
      footprint_ = QueryFor<WeightFootprint>(component);
      return Take(component, choice, &quant_);
    case Family::kScheduler:
      return Take(component, choice, &scheduler_);
    case Family::kParallel:
      communicator_ = QueryFor<Communicator>(component);
      return Take(component, choice, &strategy_);
    case Family::kDecoding:
      break;
  }
  return {};
}

Result<void> Components::MakeDecoding(const Pipeline& pipeline) {
  const ComponentChoice* first_sampler = nullptr;
  for (const ComponentChoice& choice : pipeline.decoding) {
    auto made = Make(choice);
    if (!made.ok()) return made.error();
    Component& component = **made;
    auto* processor = QueryFor<LogitProcessor>(component);
    auto* sampler = QueryFor<Sampler>(component);
    auto* drafter = QueryFor<Drafter>(component);
    auto* front_rule = QueryFor<FrontRule>(component);
    auto* back_rule = QueryFor<BackRule>(component);
    if (processor == nullptr && sampler == nullptr && drafter == nullptr && front_rule == nullptr &&
        back_rule == nullptr) {
      return NotOffered(choice, "processor, sampler, drafter, front rule or back rule");
    }
    if (front_rule != nullptr) front_rules_.push_back(front_rule);
    if (back_rule != nullptr) back_rules_.push_back(back_rule);
    if (processor != nullptr) processors_.push_back(processor);
    if (sampler != nullptr && sampler_ != nullptr) {
      return Failed(Status::kInvalid, choice,
                    fmt::format("a second sampler after {} ({}); one picks the tokens, remove the "
                                "other",
                                first_sampler->component->name, first_sampler->where));
    }
    if (drafter != nullptr && drafter_ != nullptr) {
      return Failed(Status::kInvalid, choice, "a second drafter; one is allowed, remove the other");
    }
    if (sampler != nullptr) {
      sampler_ = sampler;
      first_sampler = &choice;
    }
    if (drafter != nullptr) drafter_ = drafter;
  }
  if (sampler_ != nullptr) return {};
  const std::string where =
      pipeline.decoding.empty() ? pipeline.file : pipeline.decoding.back().where;
  return Error{
      Status::kInvalid,
      fmt::format("TN108 {}: decoding: nothing in the chain picks tokens; add a sampler at "
                  "its end",
                  where),
      "TN108"};
}

Result<Adapter*> Components::MakeAdapter(const RegisteredComponent& component,
                                         const std::string& where) {
  const ComponentChoice choice = DefaultChoice(component, where);
  auto made = Make(choice);
  if (!made.ok()) return made.error();
  Adapter* adapter = nullptr;
  TENON_RETURN_IF_ERROR(Take(**made, choice, &adapter));
  return adapter;
}

void Components::CollectPasses() {
  for (const Family family : {Family::kParallel, Family::kAttention, Family::kQuant,
                              Family::kDevice, Family::kDecoding}) {
    for (const Made& made : made_) {
      if (made.family != family) continue;
      if (Pass* pass = QueryFor<Pass>(*made.component)) passes_.push_back(pass);
    }
  }
}

}  // namespace tenon::core
