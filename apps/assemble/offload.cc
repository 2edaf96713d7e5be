// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/offload.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "apps/pull/pull.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

namespace fs = std::filesystem;

// With `auto`: so many times the pool, and no more than half of what the disk has left.
constexpr int64_t kTimesThePool = 4;

// Name, size and time of change of a file, or of all files in a folder.
std::string FactsOf(const fs::path& path) {
  std::error_code problem;
  std::map<std::string, std::string> facts;
  const auto add = [&](const fs::path& file) {
    const auto bytes = fs::file_size(file, problem);
    const auto time = fs::last_write_time(file, problem).time_since_epoch().count();
    facts[file.string()] = fmt::format("{} {}", bytes, time);
  };
  if (fs::is_directory(path, problem)) {
    for (const auto& entry : fs::directory_iterator(path, problem)) add(entry.path());
  } else {
    add(path);
  }
  std::string text;
  for (const auto& [file, fact] : facts) text += fmt::format("{} {}\n", file, fact);
  return text;
}

// All that the bytes of K and V depend on, besides the tokens.
std::string Fingerprint(const core::Pipeline& pipeline, const OpenedModel& model,
                        const DeviceInfo& device) {
  std::string text = FactsOf(model.path);
  for (const auto& [name, folder] : pipeline.adapters) text += name + "\n" + FactsOf(folder);
  text += fmt::format("{} {}\n", std::string_view(device.kind), std::string_view(device.isa));
  for (const Family family :
       {Family::kDevice, Family::kAttention, Family::kQuant, Family::kParallel}) {
    const core::ComponentChoice& choice = pipeline.Of(family);
    text += fmt::format("{} {}", choice.component->name,
                        std::string_view(choice.component->plugin->version));
    for (const std::string& option : choice.options.texts()) text += " " + option;
    text += "\n";
  }
  return text;
}

// Where `auto` keeps entries: in host memory if the device has its own, else in a file.
Result<std::string> AutoFolder(const DeviceInfo& device) {
  if (device.kind != Str("cpu")) return fmt::format("/dev/shm/tenon-{}", getuid());
  auto models = ModelsDirectory();
  TENON_RETURN_IF_ERROR(models);
  return (models->parent_path() / "offload").string();
}

}  // namespace

Result<std::unique_ptr<core::OffloadStore>> OpenOffload(const core::Pipeline& pipeline,
                                                        const OpenedModel& model,
                                                        const core::Program& program,
                                                        const Device& device, bool keeps_pages) {
  const core::MemoryChoice& memory = pipeline.memory;
  const bool automatic = memory.offload == "auto";
  if (memory.offload == "none" || (automatic && !keeps_pages)) {
    return std::unique_ptr<core::OffloadStore>();
  }
  if (!keeps_pages) {
    return Error{Status::kUnsupported,
                 fmt::format("memory.offload is {}, but there are no blocks to keep: it needs "
                             "memory.prefix_cache, and attention that can share pages, which {} {}",
                             memory.offload, pipeline.Of(Family::kAttention).component->name,
                             "does not, or not with pages of a whole context")};
  }
  std::string folder = memory.offload;
  if (automatic) {
    auto chosen = AutoFolder(device.Info());
    TENON_RETURN_IF_ERROR(chosen);
    folder = *chosen;
  }
  const core::ProgramMemory& sizes = program.Memory();
  int64_t slots = memory.offload_tokens / sizes.page_tokens;
  if (memory.offload_tokens == 0) {
    std::error_code problem;
    fs::create_directories(folder, problem);
    const fs::space_info space = fs::space(folder, problem);
    slots = kTimesThePool * sizes.pages;
    if (!problem) {
      slots =
          std::min<int64_t>(slots, static_cast<int64_t>(space.available / 2 / program.PageBytes()));
    }
  }
  core::OffloadLayout layout = {
      .block_tokens = sizes.page_tokens,
      .block_bytes = program.PageBytes(),
      .max_tokens = program.Limits().max_context,
      .slots = static_cast<int32_t>(std::clamp<int64_t>(slots, 1, INT32_MAX / 2)),
      .fingerprint = Fingerprint(pipeline, model, device.Info())};
  return core::OffloadStore::Open(folder, layout);
}

}  // namespace tenon::apps
