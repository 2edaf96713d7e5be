// SPDX-License-Identifier: Apache-2.0
#include "models/adapter_config.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <stdexcept>

#include "fmt/format.h"
#include "models/weights/mapped_file.h"
#include "models/weights/quoted.h"
#include "nlohmann/json.hpp"

namespace tenon::models {
namespace {

// The order of keys counts: the first pattern that matches is taken.
using Json = nlohmann::ordered_json;

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr int kDeepest = 32;
constexpr size_t kMostPatterns = 4096;
constexpr size_t kMostProblems = 16;

// Read below, or without effect on what the adapter computes.
constexpr std::string_view kKnown[] = {"peft_type",
                                       "r",
                                       "lora_alpha",
                                       "use_rslora",
                                       "rank_pattern",
                                       "alpha_pattern",
                                       "target_modules",
                                       "bias",
                                       "init_lora_weights",
                                       "auto_mapping",
                                       "base_model_name_or_path",
                                       "exclude_modules",
                                       "inference_mode",
                                       "layers_to_transform",
                                       "layers_pattern",
                                       "lora_dropout",
                                       "megatron_config",
                                       "megatron_core",
                                       "peft_version",
                                       "qalora_group_size",
                                       "revision",
                                       "task_type",
                                       "eva_config"};

// Ways to begin training that leave the base model as it is.
constexpr std::string_view kHarmlessStarts[] = {"gaussian", "eva", "orthogonal"};

std::string Shown(const Json& value) {
  if (value.is_string()) return Quoted(value.get_ref<const std::string&>());
  if (value.is_array()) return "a list";
  return value.is_object() ? "an object" : value.dump();
}

bool IsUnset(const Json& value) {
  if (value.is_null() || (value.is_boolean() && !value.get<bool>())) return true;
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.is_structured() && value.empty();
}

Result<Json> ParseObject(std::string_view json) {
  if (json.size() > kMostBytes) {
    return Error{Status::kInvalid, fmt::format("has {} bytes; a config of at most {} expected",
                                               json.size(), kMostBytes)};
  }
  try {
    const auto limit_depth = [](int depth, Json::parse_event_t, Json&) {
      if (depth > kDeepest) throw std::length_error("nested too deep; at most 32 levels allowed");
      return true;
    };
    Json root = Json::parse(json.begin(), json.end(), limit_depth);
    if (!root.is_object()) return Error{Status::kInvalid, "is no JSON object"};
    return root;
  } catch (const Json::parse_error& error) {
    return Error{Status::kInvalid, fmt::format("is no valid JSON at byte {}", error.byte)};
  } catch (const std::exception& error) {
    return Error{Status::kInvalid, error.what()};
  }
}

}  // namespace

// Fills a config and remembers what is wrong with it.
class AdapterConfig::Reader {
 public:
  Reader(const Json& root, AdapterConfig& out) : root_(root), out_(out) {}

  void Read() {
    RequireText("peft_type", "LORA");
    out_.rank_ = Rank("r", Get("r"));
    out_.alpha_ = Alpha("lora_alpha", Get("lora_alpha"));
    out_.by_root_ = Flag("use_rslora");
    ReadPatterns("rank_pattern", out_.ranks_,
                 [this](const std::string& key, const Json& value) { return Rank(key, value); });
    ReadPatterns("alpha_pattern", out_.alphas_,
                 [this](const std::string& key, const Json& value) { return Alpha(key, value); });
    ReadTargets();
    if (const Json& bias = Get("bias"); !bias.is_null() && bias != "none") {
      Fail(fmt::format("bias is {}; \"none\" allowed", Shown(bias)));
    }
    CheckStart();
    RefuseUnknown();
  }

  std::vector<std::string> problems;

 private:
  const Json& Get(const char* key) const {
    static const Json& none = *new Json;
    const auto at = root_.find(key);
    return at == root_.end() ? none : *at;
  }

  void Fail(std::string problem) {
    if (problems.size() < kMostProblems) problems.push_back(std::move(problem));
  }

  void RequireText(const char* key, std::string_view allowed) {
    const Json& value = Get(key);
    if (value.is_string() && value.get_ref<const std::string&>() == allowed) return;
    Fail(fmt::format("{} is {}; \"{}\" allowed", key, Shown(value), allowed));
  }

  bool Flag(const char* key) {
    const Json& value = Get(key);
    if (value.is_boolean()) return value.get<bool>();
    if (!value.is_null()) Fail(fmt::format("{} is {}; true or false allowed", key, Shown(value)));
    return false;
  }

  int64_t Rank(const std::string& key, const Json& value) {
    const bool positive = value.is_number_unsigned();
    if (positive && value.get<uint64_t>() >= 1 && value.get<uint64_t>() <= uint64_t{kMostRank}) {
      return value.get<int64_t>();
    }
    Fail(fmt::format("{} is {}; 1 to {} allowed", key, Shown(value), kMostRank));
    return 1;
  }

  double Alpha(const std::string& key, const Json& value) {
    const double alpha = value.is_number() ? value.get<double>() : NAN;
    // Beyond f32 the scale would not be finite.
    if (std::abs(alpha) <= 1e30) return alpha;
    Fail(fmt::format("{} is {}; a number from -1e30 to 1e30 allowed", key, Shown(value)));
    return 0;
  }

  std::optional<ModulePattern> Pattern(const char* key, const std::string& text,
                                       ModulePattern::Covers covers) {
    auto pattern = ModulePattern::Parse(text, covers);
    if (pattern.ok()) return std::move(*pattern);
    Fail(fmt::format("{}: {} {}", key, Quoted(text), pattern.error().message));
    return std::nullopt;
  }

  template <typename T, typename ReadValue>
  void ReadPatterns(const char* key, std::vector<std::pair<ModulePattern, T>>& out,
                    ReadValue read_value) {
    const Json& patterns = Get(key);
    if (patterns.is_null()) return;
    if (!patterns.is_object() || patterns.size() > kMostPatterns) {
      return Fail(fmt::format("{} is {}; an object of at most {} modules allowed", key,
                              Shown(patterns), kMostPatterns));
    }
    for (const auto& [text, value] : patterns.items()) {
      auto pattern = Pattern(key, text, ModulePattern::Covers::kEnd);
      const T number = read_value(fmt::format("{}: {}", key, Quoted(text)), value);
      if (pattern) out.emplace_back(std::move(*pattern), number);
    }
  }

  void ReadTargets() {
    const Json& targets = Get("target_modules");
    if (targets.is_string()) {
      const std::string& text = targets.get_ref<const std::string&>();
      out_.all_linear_ = text == "all-linear";
      if (out_.all_linear_) return;
      auto pattern = Pattern("target_modules", text, ModulePattern::Covers::kWhole);
      if (pattern) out_.targets_.push_back(std::move(*pattern));
      return;
    }
    const bool texts = targets.is_array() && targets.size() <= kMostPatterns &&
                       std::all_of(targets.begin(), targets.end(),
                                   [](const Json& one) { return one.is_string(); });
    if (!texts) {
      return Fail(fmt::format(
          "target_modules is {}; a regular expression or a list of names allowed", Shown(targets)));
    }
    for (const Json& one : targets) {
      const std::string& text = one.get_ref<const std::string&>();
      auto pattern = Pattern("target_modules", text, ModulePattern::Covers::kEnd);
      if (pattern) out_.targets_.push_back(std::move(*pattern));
    }
  }

  void CheckStart() {
    const Json& start = Get("init_lora_weights");
    if (start.is_null() || start.is_boolean()) return;
    if (start.is_string() && std::find(std::begin(kHarmlessStarts), std::end(kHarmlessStarts),
                                       std::string_view(start.get_ref<const std::string&>())) !=
                                 std::end(kHarmlessStarts)) {
      return;
    }
    Fail(
        fmt::format("init_lora_weights is {}, which changes the base model; convert the adapter to "
                    "plain LoRA when it is saved",
                    Shown(start)));
  }

  void RefuseUnknown() {
    for (const auto& [key, value] : root_.items()) {
      const bool known = std::find(std::begin(kKnown), std::end(kKnown), std::string_view(key)) !=
                         std::end(kKnown);
      if (known || IsUnset(value)) continue;
      const std::string name = key.size() <= 40 ? key : key.substr(0, 40) + "…";
      Fail(fmt::format(
          "{} is {}; adapters that use it cannot be applied",
          std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; })
              ? name
              : Quoted(key),
          Shown(value)));
    }
  }

  const Json& root_;
  AdapterConfig& out_;
};

Result<AdapterConfig> AdapterConfig::Open(const std::string& path) {
  const Result<MappedFile> map = MappedFile::Open(path);
  if (!map.ok()) return map.error();
  return Parse({reinterpret_cast<const char*>(map->Bytes().data()), map->Bytes().size()}, path);
}

Result<AdapterConfig> AdapterConfig::Parse(std::string_view json, const std::string& name) {
  const Result<Json> root = ParseObject(json);
  if (!root.ok()) {
    return Error{Status::kInvalid, fmt::format("{}: {}", name, root.error().message)};
  }
  AdapterConfig out;
  Reader reader(*root, out);
  reader.Read();
  if (reader.problems.empty()) return out;
  std::string message = name + ": cannot be used as an adapter:";
  for (const std::string& problem : reader.problems) message += "\n  " + problem;
  return Error{Status::kInvalid, message};
}

int64_t AdapterConfig::RankOf(std::string_view module) const {
  for (const auto& [pattern, rank] : ranks_) {
    if (pattern.Matches(module)) return rank;
  }
  return rank_;
}

double AdapterConfig::ScaleOf(std::string_view module) const {
  double alpha = alpha_;
  for (const auto& [pattern, own] : alphas_) {
    if (!pattern.Matches(module)) continue;
    alpha = own;
    break;
  }
  const auto rank = static_cast<double>(RankOf(module));
  return alpha / (by_root_ ? std::sqrt(rank) : rank);
}

bool AdapterConfig::Targets(std::string_view module) const {
  return all_linear_ || std::any_of(targets_.begin(), targets_.end(),
                                    [&](const ModulePattern& p) { return p.Matches(module); });
}

}  // namespace tenon::models
