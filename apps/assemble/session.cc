// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/session.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "apps/assemble/linked_in.h"
#include "apps/assemble/offload.h"
#include "core/pipeline/needs.h"
#include "core/program/memory_check.h"
#include "core/program/prune_rows.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

// Logits of many drafts in a large vocabulary would dwarf the rest; drafts are cut before this.
constexpr uint64_t kMaxLogitBytes = uint64_t{512} << 20;

void ShowProgress(int32_t done, int32_t all) {
  constexpr int32_t kWidth = 30;
  if (done != all && done * 50 / all == (done - 1) * 50 / all) return;
  const int32_t filled = kWidth * done / all;
  std::fprintf(stderr, "\rloading [%-*s] %3d%%", kWidth,
               std::string(static_cast<size_t>(filled), '#').c_str(), 100 * done / all);
  if (done == all) std::fprintf(stderr, "\r%*s\r", kWidth + 20, "");
  std::fflush(stderr);
}

// A whole-number option that every scheduler has (contract of the family).
Result<int64_t> SchedulerOption(const core::Pipeline& pipeline, std::string_view name) {
  const core::ComponentChoice& choice = pipeline.Of(Family::kScheduler);
  const Options options = choice.options.View();
  for (uint64_t i = 0; i < options.infos.size; ++i) {
    if (name == options.infos[i].name && options.infos[i].type == OptionType::kInt) {
      return options.values[i].integer;
    }
  }
  return Error{Status::kInvalid,
               fmt::format("scheduler {} has no option {}, which every scheduler must have",
                           choice.component->name, name)};
}

// The bit of the attention component's option kv_type.
Capabilities KvNeed(const core::Pipeline& pipeline, std::string* who) {
  constexpr std::pair<std::string_view, Capability> kTypes[] = {{"f32", Capability::kKvF32},
                                                                {"f16", Capability::kKvF16},
                                                                {"bf16", Capability::kKvBF16},
                                                                {"int8", Capability::kKvI8}};
  const Options options = pipeline.Of(Family::kAttention).options.View();
  for (uint64_t i = 0; i < options.infos.size; ++i) {
    if (std::string_view(options.infos[i].name) != "kv_type") continue;
    const std::string_view text = options.values[i].text;
    *who = "kv_type " + std::string(text);
    for (const auto& [type, bit] : kTypes) {
      if (type == text) return Claim(bit);
    }
  }
  return {};
}

}  // namespace

void FillRegistry(core::Registry& registry, const std::vector<std::string>& plugin_dirs) {
  const std::vector<PluginEntry> linked_in = LinkedInPlugins();
  if (linked_in.empty() || !plugin_dirs.empty())
    registry.AddFolders(core::SearchFolders(plugin_dirs));
  for (const PluginEntry entry : linked_in) registry.AddBuiltIn(entry);
}

Result<std::unique_ptr<Session>> Session::Open(const SessionOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Session> session(new Session());
  FillRegistry(session->registry_, options.plugin_dirs);
  TENON_RETURN_IF_ERROR(session->Load(options));
  session->load_ms_ =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return session;
}

Result<void> Session::LoadPipeline(const SessionOptions& options) {
  const auto load = [&](const std::vector<std::string>& overrides) {
    if (options.text.empty()) return core::LoadPipeline(options.pipeline, overrides, registry_);
    return core::LoadPipelineText(options.text, options.pipeline, "", overrides, registry_);
  };
  auto pipeline = load(options.overrides);
  TENON_RETURN_IF_ERROR(pipeline);
  auto sequences = SchedulerOption(*pipeline, "max_sequences");
  TENON_RETURN_IF_ERROR(sequences);
  if (*sequences < options.sequences) {
    std::vector<std::string> overrides = options.overrides;
    overrides.push_back(fmt::format("scheduler.max_sequences={}", options.sequences));
    pipeline = load(overrides);
    TENON_RETURN_IF_ERROR(pipeline);
  }
  pipeline_.emplace(std::move(*pipeline));
  return {};
}

Result<void> Session::CheckNeeds(const core::ProgramList& list) {
  needs_ = {};
  for (int32_t i = 0; i < list.Count(); ++i) {
    const Node node = list.At(i);
    Capabilities& family = needs_[static_cast<size_t>(node.family)];
    if (node.maker == nullptr) family = family.Union(node.needs);
  }
  std::vector<core::Need> needs;
  for (uint32_t i = 0; i < kFamilyCount; ++i) {
    needs.push_back({static_cast<Family>(i), needs_[i], model_->model->Info().architecture});
  }
  const core::RegisteredComponent& device = *pipeline_->Of(Family::kDevice).component;
  std::string kv_who;
  const Capabilities kv = KvNeed(*pipeline_, &kv_who);
  for (const Family family : {Family::kAttention, Family::kQuant}) {
    needs.push_back({family, device.info->capabilities, "device " + device.name});
    needs_[static_cast<size_t>(family)] =
        needs_[static_cast<size_t>(family)].Union(device.info->capabilities);
  }
  needs.push_back({Family::kAttention, kv, kv_who});
  needs_[static_cast<size_t>(Family::kAttention)] = Needs(Family::kAttention).Union(kv);
  return core::CheckNeeds(*pipeline_, registry_, needs);
}

core::Makers Session::MakersOf() {
  core::Makers makers;
  makers.device = &components_->device();
  makers.attention = &components_->attention();
  makers.footprint = components_->footprint();
  makers.sharing = components_->sharing();
  const auto set = [&](Family family, OpMaker* maker) {
    const auto i = static_cast<size_t>(family);
    makers.by_family[i] = maker;
    makers.names[i] = pipeline_->families[i].component->name;
  };
  set(Family::kDevice, &components_->device());
  set(Family::kAttention, &components_->attention());
  set(Family::kQuant, &components_->quant());
  set(Family::kParallel, &components_->strategy());
  return makers;
}

Result<core::ProgramLimits> Session::LimitsOf(const SessionOptions& options,
                                              const core::ProgramList& list) {
  auto tokens = SchedulerOption(*pipeline_, "max_batch_tokens");
  TENON_RETURN_IF_ERROR(tokens);
  auto sequences = SchedulerOption(*pipeline_, "max_sequences");
  TENON_RETURN_IF_ERROR(sequences);
  const ModelInfo& model = model_->model->Info();
  const core::MemoryChoice& memory = pipeline_->memory;
  if (memory.context_tokens > model.max_context) {
    return Error{Status::kInvalid,
                 fmt::format("memory.context_tokens is {}; {} was trained for {}",
                             memory.context_tokens, model.name, model.max_context)};
  }
  core::ProgramLimits limits;
  limits.max_tokens = static_cast<int32_t>(*tokens);
  limits.max_sequences = static_cast<int32_t>(std::min(*sequences, *tokens));
  limits.max_context =
      static_cast<int32_t>(memory.context_tokens > 0 ? memory.context_tokens : model.max_context);
  limits.kv_tokens = memory.kv_tokens;
  limits.share_folder = options.share_folder;
  const uint64_t free_bytes = components_->device().Info().free_bytes;
  const uint64_t weights = core::WeightBytes(list, MakersOf());
  limits.kv_bytes = std::min(free_bytes / 4, free_bytes > weights ? (free_bytes - weights) / 2 : 0);

  if (hidden_) {
    limits.max_context = std::min(limits.max_context, limits.max_tokens);
    limits.max_logit_rows = limits.max_tokens;
    return limits;
  }

  const int32_t drafts =
      components_->drafter() != nullptr ? components_->drafter()->MaxTokens() : 0;
  const auto affordable = static_cast<int64_t>(
      kMaxLogitBytes / (static_cast<uint64_t>(model.vocabulary) * sizeof(float)));
  const int64_t wanted =
      std::max<int64_t>(int64_t{limits.max_sequences} * (1 + drafts), options.logit_rows);
  const int64_t rows = std::max<int64_t>(limits.max_sequences, std::min(wanted, affordable));
  limits.max_logit_rows = static_cast<int32_t>(std::min<int64_t>(rows, limits.max_tokens));
  return limits;
}

Result<void> Session::Rewrite(core::ProgramList& list) {
  core::PruneRows(list);
  core::ForgetFailure();
  if (const Status status = components_->strategy().Rewrite(list, components_->communicator());
      status != Status::kOk) {
    return Error{status, fmt::format("{}: {}", pipeline_->Of(Family::kParallel).component->name,
                                     core::TakeFailure())};
  }
  // Before passes may join the linears that adapters change with what stands around them.
  TENON_RETURN_IF_ERROR(ApplyAdapters(list));
  for (Pass* pass : components_->passes()) {
    core::ForgetFailure();
    if (const Status status = pass->Rewrite(list); status != Status::kOk) {
      return Error{status, "a pass failed: " + core::TakeFailure()};
    }
  }
  return CheckNeeds(list);
}

Result<void> Session::ApplyAdapters(core::ProgramList& list) {
  if (adapters_.empty()) return {};
  auto adapter = components_->MakeAdapter(*adapter_component_, pipeline_->file + ": adapters");
  TENON_RETURN_IF_ERROR(adapter);
  return adapters_.Rewrite(**adapter, list);
}

Result<void> Session::OpenAdapters(const SessionOptions& options) {
  if (pipeline_->adapters.empty()) return {};
  auto component = FindAdapterComponent(*pipeline_, registry_, options.plugin_dirs);
  TENON_RETURN_IF_ERROR(component);
  adapter_component_ = *component;
  auto adapters = Adapters::Open(*pipeline_, *model_->model);
  TENON_RETURN_IF_ERROR(adapters);
  adapters_ = std::move(*adapters);
  return {};
}

Result<void> Session::Load(const SessionOptions& options) {
  TENON_RETURN_IF_ERROR(LoadPipeline(options));
  TENON_RETURN_IF_ERROR(CheckQuantIsNoAdapter(*pipeline_, registry_));
  auto opened = OpenModel(pipeline_->model);
  if (!opened.ok()) {
    return Error{opened.error().status,
                 fmt::format("{}: {}", pipeline_->model_where, opened.error().message)};
  }
  model_ = std::move(*opened);
  TENON_RETURN_IF_ERROR(OpenAdapters(options));
  core::ProgramList list;
  hidden_ = options.purpose == Purpose::kEmbed ||
            (options.purpose == Purpose::kExplain && model_->model->Info().encoder);
  auto outputs = hidden_ ? model_->model->EmitHidden(list) : model_->model->Emit(list);
  TENON_RETURN_IF_ERROR(outputs);
  TENON_RETURN_IF_ERROR(CheckNeeds(list));
  auto components = core::Components::Create(*pipeline_);
  TENON_RETURN_IF_ERROR(components);
  components_ = std::move(*components);
  TENON_RETURN_IF_ERROR(Rewrite(list));

  auto limits = LimitsOf(options, list);
  TENON_RETURN_IF_ERROR(limits);
  auto program = core::Program::Compile(list, *outputs, MakersOf(), *limits, &core::TakeFailure,
                                        options.progress ? &ShowProgress : nullptr);
  TENON_RETURN_IF_ERROR(program);
  program_ = std::move(*program);
  if (hidden_) return {};

  core::EngineParts parts;
  parts.program = program_.get();
  parts.device = &components_->device();
  parts.scheduler = &components_->scheduler();
  parts.decoding = {components_->processors(), &components_->sampler(), components_->drafter()};
  parts.vocabulary = model_->model->Info().vocabulary;
  parts.adapters = static_cast<int32_t>(adapters_.All().size());
  parts.shared_pages =
      pipeline_->Of(Family::kAttention).component->info->capabilities.Has(Capability::kSharedPages);
  parts.prefix_cache = options.prefix_cache && pipeline_->memory.prefix_cache;
  if (options.prefix_cache && options.purpose == Purpose::kGenerate) {
    const bool keeps_pages = parts.prefix_cache && parts.shared_pages &&
                             program_->Memory().page_tokens < program_->Limits().max_context;
    auto offload = OpenOffload(*pipeline_, *model_, *program_, *parts.device, keeps_pages);
    TENON_RETURN_IF_ERROR(offload);
    offload_ = std::move(*offload);
    parts.offload = offload_.get();
  }
  engine_ = std::make_unique<core::Engine>(parts);
  return {};
}

}  // namespace tenon::apps
