// SPDX-License-Identifier: Apache-2.0
#include "core/program/program.h"

#include <algorithm>
#include <optional>

#include "core/program/arena.h"
#include "core/program/meetings.h"
#include "core/program/memory_check.h"
#include "fmt/format.h"
#include "tenon/ops.h"

namespace tenon::core {
namespace {

constexpr uint64_t kRowAlignment = 64;

// What an op keeps of every token, if it keeps anything.
std::optional<AttentionParams> KvLayerOf(const Node& node) {
  if (node.kind == Str(kAttention)) return *static_cast<const AttentionParams*>(node.params);
  if (node.kind == Str(kRopeAttention)) {
    return static_cast<const RopeAttentionParams*>(node.params)->attention;
  }
  if (node.kind == Str(kLatentAttention)) {
    return StoredRow(*static_cast<const LatentAttentionParams*>(node.params));
  }
  return std::nullopt;
}

int32_t MaxRows(RowSet rows, const ProgramLimits& limits) {
  return rows == RowSet::kTokens ? limits.max_tokens : limits.max_logit_rows;
}

}  // namespace

std::string Makers::NameOf(const OpMaker* maker) const {
  for (size_t i = 0; i < by_family.size(); ++i) {
    if (by_family[i] == maker) return names[i];
  }
  return "pass";
}

Result<std::unique_ptr<Program>> Program::Compile(const ProgramList& list, ModelOutputs outputs,
                                                  const Makers& makers, const ProgramLimits& limits,
                                                  std::string (*failure)(),
                                                  void (*progress)(int32_t done, int32_t all)) {
  TENON_RETURN_IF_ERROR(list.Check(outputs.rows));
  std::unique_ptr<Program> program(new Program(*makers.device));
  program->limits_ = limits;
  program->PlaceValues(list, outputs.rows);
  TENON_RETURN_IF_ERROR(program->PlanPages(list, makers, failure));
  TENON_RETURN_IF_ERROR(
      CheckMemory(program->memory_, WeightBytes(list, makers), program->limits_, *makers.device));
  TENON_RETURN_IF_ERROR(program->Allocate());
  const bool shares = makers.sharing != nullptr && !limits.share_folder.empty();
  if (shares) makers.sharing->Note();
  TENON_RETURN_IF_ERROR(program->PlanOps(list, makers, failure, progress));
  if (shares)
    program->memory_.shared_bytes = makers.sharing->Share(std::string_view(limits.share_folder));
  program->rows_ = program->Bind(list, {outputs.rows, 0, list.Value(outputs.rows).columns});
  return program;
}

Program::~Program() {
  for (auto it = allocations_.rbegin(); it != allocations_.rend(); ++it) device_.Free(*it);
}

Result<void> Program::Grow(uint64_t bytes, const char* what, void** out) {
  *out = device_.Allocate(std::max<uint64_t>(bytes, 64));
  if (*out == nullptr) {
    return Error{
        Status::kOutOfMemory,
        fmt::format("{} MB for {} are not to be had on {}; {} MB are free. Lower memory.kv_tokens, "
                    "memory.context_tokens or scheduler.max_batch_tokens",
                    bytes >> 20, what, std::string_view(device_.Info().kind),
                    device_.Info().free_bytes >> 20)};
  }
  allocations_.push_back(*out);
  return {};
}

void Program::PlaceValues(const ProgramList& list, uint32_t result) {
  std::vector<Lifetime> lifetimes(list.ValueCount());
  for (int32_t i = 0; i < list.Count(); ++i) {
    const Node node = list.At(i);
    for (const auto operands : {node.inputs, node.outputs}) {
      for (const Operand& operand : operands) {
        Lifetime& life = lifetimes[operand.value];
        if (life.first < 0) life.first = i;
        life.last = i;
      }
    }
  }
  lifetimes[result].last = list.Count();
  row_bytes_.resize(lifetimes.size());
  for (uint32_t v = 0; v < lifetimes.size(); ++v) {
    const ValueInfo info = list.Value(v);
    const uint64_t dense = BytesOf(info.dtype, static_cast<uint64_t>(info.columns));
    row_bytes_[v] = (dense + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
    lifetimes[v].bytes = row_bytes_[v] * static_cast<uint64_t>(MaxRows(info.rows, limits_));
  }
  ArenaPlan plan = PlanArena(lifetimes);
  offsets_ = std::move(plan.offsets);
  memory_.arena_bytes = plan.bytes;
}

Result<void> Program::PlanPages(const ProgramList& list, const Makers& makers,
                                std::string (*failure)()) {
  uint64_t all_layers = 0;
  for (int32_t i = 0; i < list.Count(); ++i) {
    const Node node = list.At(i);
    const std::optional<AttentionParams> layer = KvLayerOf(node);
    if (!layer) continue;
    KvLayout layout{};
    if (const Status status = makers.attention->LayOut(*layer, limits_.max_context, &layout);
        status != Status::kOk) {
      return Error{status, fmt::format("{}: {}", std::string_view(node.name), failure())};
    }
    if (layout.page_tokens <= 0 || layout.page_bytes == 0 ||
        (memory_.page_tokens != 0 && memory_.page_tokens != layout.page_tokens)) {
      return Error{
          Status::kInternal,
          fmt::format("{}: attention wants pages of {} tokens and {} bytes; every layer must have "
                      "the same positive number of tokens (so far {})",
                      std::string_view(node.name), layout.page_tokens, layout.page_bytes,
                      memory_.page_tokens)};
    }
    memory_.page_tokens = layout.page_tokens;
    pages_.push_back({nullptr, layout.page_bytes});
    all_layers += layout.page_bytes;
  }
  if (pages_.empty()) return {};

  const int64_t page_tokens = memory_.page_tokens;
  const int64_t context_pages = (limits_.max_context + page_tokens - 1) / page_tokens;
  int64_t pages = limits_.kv_tokens > 0 ? limits_.kv_tokens / page_tokens
                                        : static_cast<int64_t>(limits_.kv_bytes / all_layers);
  pages = std::min<int64_t>({pages, context_pages * limits_.max_sequences, INT32_MAX / 2});
  if (pages < context_pages) {
    return Error{
        Status::kOutOfMemory,
        fmt::format("one sequence of {} tokens needs {} MB for K and V; {} MB are allowed. Lower "
                    "memory.context_tokens (now {}) or raise memory.kv_tokens",
                    limits_.max_context, (all_layers * context_pages) >> 20,
                    (all_layers * std::max<int64_t>(pages, 0)) >> 20, limits_.max_context)};
  }
  memory_.pages = static_cast<int32_t>(pages);
  memory_.kv_bytes = all_layers * static_cast<uint64_t>(pages);
  memory_.kv_token_bytes = all_layers / static_cast<uint64_t>(page_tokens);
  return {};
}

Result<void> Program::Allocate() {
  void* memory = nullptr;
  TENON_RETURN_IF_ERROR(Grow(memory_.arena_bytes, "activations", &memory));
  arena_ = static_cast<char*>(memory);
  for (KvPages& pages : pages_) {
    const uint64_t bytes = pages.page_bytes * static_cast<uint64_t>(memory_.pages);
    TENON_RETURN_IF_ERROR(Grow(bytes, "the KV cache", &memory));
    pages.base = static_cast<char*>(memory);
  }
  return {};
}

Buffer Program::Bind(const ProgramList& list, const Operand& operand) const {
  const ValueInfo info = list.Value(operand.value);
  const uint64_t column_bytes = BytesOf(info.dtype, static_cast<uint64_t>(operand.first_column));
  return {.data = arena_ + offsets_[operand.value] + column_bytes,
          .dtype = info.dtype,
          .rows = info.rows,
          .max_rows = MaxRows(info.rows, limits_),
          .columns = operand.columns,
          .row_bytes = static_cast<int64_t>(row_bytes_[operand.value])};
}

Result<void> Program::PlanOps(const ProgramList& list, const Makers& makers,
                              std::string (*failure)(), void (*progress)(int32_t, int32_t)) {
  std::vector<OpAccesses> accesses;
  size_t attention = 0;
  for (int32_t i = 0; i < list.Count(); ++i) {
    const Node node = list.At(i);
    std::vector<Buffer> inputs;
    std::vector<Buffer> outputs;
    OpAccesses touched;
    const auto bind = [&](Span<const Operand> operands, std::vector<Buffer>& buffers, bool write) {
      for (const Operand& operand : operands) {
        buffers.push_back(Bind(list, operand));
        const uint64_t begin = offsets_[operand.value];
        const uint64_t bytes =
            row_bytes_[operand.value] * static_cast<uint64_t>(buffers.back().max_rows);
        touched.accesses.push_back({operand.value, begin, begin + bytes, write});
      }
    };
    bind(node.inputs, inputs, false);
    bind(node.outputs, outputs, true);

    OpSpec spec{.kind = node.kind,
                .name = node.name,
                .inputs = {inputs.data(), inputs.size()},
                .outputs = {outputs.data(), outputs.size()},
                .weights = node.weights,
                .params = node.params,
                .params_bytes = node.params_bytes,
                .state = nullptr,
                .state_bytes = 0};
    if (KvLayerOf(node)) {
      const KvPages& pages = pages_[attention++];
      spec.state = pages.base;
      spec.state_bytes = pages.page_bytes * static_cast<uint64_t>(memory_.pages);
    }
    OpMaker* maker =
        node.maker != nullptr ? node.maker : makers.by_family[static_cast<size_t>(node.family)];
    if (maker == nullptr) {
      return Error{Status::kInternal,
                   fmt::format("{} ({}): no {} component makes it", std::string_view(node.name),
                               std::string_view(node.kind), Name(node.family))};
    }
    PlannedOp planned;
    const std::string component = makers.NameOf(maker);
    if (const Status status = maker->Plan(spec, &planned);
        status != Status::kOk || planned.op == nullptr) {
      return Error{status == Status::kOk ? Status::kInternal : status,
                   fmt::format("{}: {} ({}): {}", component, std::string_view(node.name),
                               std::string_view(node.kind), failure())};
    }
    memory_.weights_bytes += planned.weight_bytes;
    memory_.scratch_bytes += planned.scratch_bytes;
    touched.split = planned.split;
    accesses.push_back(std::move(touched));
    steps_.push_back({planned.op, 0});
    infos_.push_back({std::string(std::string_view(node.name)),
                      std::string(std::string_view(node.kind)), component, node.family, false});
    if (progress != nullptr) progress(i + 1, list.Count());
  }
  const std::vector<bool> meet = PlanMeetings(accesses);
  for (size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].meet_before = meet[i] ? 1 : 0;
    infos_[i].meet_before = meet[i];
  }
  nanoseconds_.assign(steps_.size(), 0);
  return {};
}

Status Program::Run(const Batch& batch) {
  const bool timed = timed_every_ > 0 && runs_ % timed_every_ == 0;
  ++runs_;
  return device_.Run({steps_.data(), steps_.size()}, batch, timed ? nanoseconds_.data() : nullptr);
}

void Program::ResetTiming() {
  std::fill(nanoseconds_.begin(), nanoseconds_.end(), 0);
  runs_ = 0;
}

std::vector<ComponentTime> Program::TimeByComponent() const {
  std::vector<ComponentTime> out;
  const double scale = 1e-9 * static_cast<double>(timed_every_);
  for (size_t i = 0; i < steps_.size(); ++i) {
    const StepInfo& info = infos_[i];
    auto it = std::find_if(out.begin(), out.end(), [&](const ComponentTime& time) {
      return time.family == info.family && time.component == info.component;
    });
    if (it == out.end()) it = out.insert(it, {info.family, info.component, 0});
    it->seconds += scale * static_cast<double>(nanoseconds_[i]);
  }
  return out;
}

Status Program::ReadRow(int32_t row, float* to) const {
  return device_.Copy(to, static_cast<const char*>(rows_.data) + row * rows_.row_bytes,
                      static_cast<uint64_t>(rows_.columns) * sizeof(float), CopyKind::kToHost);
}

Status Program::CopyPage(int32_t from, int32_t to) {
  for (const KvPages& pages : pages_) {
    const Status status = device_.Copy(pages.base + static_cast<uint64_t>(to) * pages.page_bytes,
                                       pages.base + static_cast<uint64_t>(from) * pages.page_bytes,
                                       pages.page_bytes, CopyKind::kOnDevice);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

uint64_t Program::PageBytes() const {
  uint64_t bytes = 0;
  for (const KvPages& pages : pages_) bytes += pages.page_bytes;
  return bytes;
}

Status Program::ReadPage(int32_t page, char* to) const {
  for (const KvPages& pages : pages_) {
    const char* from = pages.base + static_cast<uint64_t>(page) * pages.page_bytes;
    const Status status = device_.Copy(to, from, pages.page_bytes, CopyKind::kToHost);
    if (status != Status::kOk) return status;
    to += pages.page_bytes;
  }
  return Status::kOk;
}

Status Program::WritePage(int32_t page, const char* from) const {
  for (const KvPages& pages : pages_) {
    char* to = pages.base + static_cast<uint64_t>(page) * pages.page_bytes;
    const Status status = device_.Copy(to, from, pages.page_bytes, CopyKind::kToDevice);
    if (status != Status::kOk) return status;
    from += pages.page_bytes;
  }
  return Status::kOk;
}

int32_t Program::Meetings() const {
  return static_cast<int32_t>(std::count_if(steps_.begin(), steps_.end(),
                                            [](const Step& s) { return s.meet_before != 0; }));
}

}  // namespace tenon::core
