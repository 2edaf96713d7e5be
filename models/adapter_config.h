// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/adapter_pattern.h"
#include "tenon/result.h"

namespace tenon::models {

// An adapter_config.json of PEFT (github.com/huggingface/peft, LoraConfig). What changes the
// computation in a way that is not known here is refused by its key, never ignored. At most 1 MiB,
// nested at most 32 deep. Thread: const methods from any.
class AdapterConfig {
 public:
  static constexpr int64_t kMostRank = 256;

  static Result<AdapterConfig> Open(const std::string& path);

  // Parses `json`; `name` stands for the path in messages. One error tells everything that is
  // wrong.
  static Result<AdapterConfig> Parse(std::string_view json, const std::string& name);

  // Rank of a module ("model.layers.0.self_attn.q_proj"), 1 to kMostRank: of the first key of
  // rank_pattern that matches, else r.
  int64_t RankOf(std::string_view module) const;

  // alpha / rank, or alpha / sqrt(rank) with use_rslora (Kalajdzievski 2023). Finite.
  double ScaleOf(std::string_view module) const;

  // Whether target_modules names the module.
  bool Targets(std::string_view module) const;

 private:
  class Reader;

  int64_t rank_ = 0;
  double alpha_ = 0;
  bool by_root_ = false;
  std::vector<std::pair<ModulePattern, int64_t>> ranks_;
  std::vector<std::pair<ModulePattern, double>> alphas_;
  std::vector<ModulePattern> targets_;
  bool all_linear_ = false;
};

}  // namespace tenon::models
