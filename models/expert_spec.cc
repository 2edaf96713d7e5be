// SPDX-License-Identifier: Apache-2.0
#include "models/expert_spec.h"

#include <string>

#include "fmt/format.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostExperts = 1 << 12;
constexpr int32_t kMostFfn = 1 << 24;
constexpr int32_t kMostGroups = kMostExperts;
constexpr int64_t kMostColumns = 1 << 27;
constexpr double kMostScale = 1e6;

void CheckGroups(Settings& in, const RouteParams& route) {
  if (route.groups == 1) return;
  if (route.experts % route.groups != 0) {
    in.Fail(fmt::format("{} experts are in {} groups; a divisor expected", route.experts,
                        route.groups));
    return;
  }
  const int32_t members = route.experts / route.groups;
  if (route.kept_groups > route.groups) {
    in.Fail(fmt::format("{} of {} groups of experts are kept", route.kept_groups, route.groups));
  } else if (int64_t{route.kept_groups} * members < route.chosen) {
    in.Fail(fmt::format("{} experts are chosen out of {} groups of {}", route.chosen,
                        route.kept_groups, members));
  }
  if (route.group_score == GroupScore::kBestTwo && members < 2) {
    in.Fail(fmt::format("groups of {} expert are chosen by their best two", members));
  }
}

}  // namespace

ExpertNames GgufExpertNames() {
  ExpertNames n;
  n.router = "ffn_gate_inp";
  n.correction = "exp_probs_b.bias";
  n.gate = "ffn_gate_exps";
  n.up = "ffn_up_exps";
  n.down = "ffn_down_exps";
  n.gate_up = "ffn_gate_up_exps";
  n.shared_gate = "ffn_gate_shexp";
  n.shared_up = "ffn_up_shexp";
  n.shared_down = "ffn_down_shexp";
  n.shared_router = "ffn_gate_inp_shexp";
  return n;
}

ExpertNames HuggingFaceExpertNames() {
  ExpertNames n;
  n.router = "mlp.gate";
  n.correction = "mlp.gate.e_score_correction_bias";
  n.gate = "mlp.experts.{}.gate_proj";
  n.up = "mlp.experts.{}.up_proj";
  n.down = "mlp.experts.{}.down_proj";
  return n;
}

ExpertSpec ReadGgufExperts(Settings& in) {
  ExpertSpec out;
  out.route.experts = in.Integer("expert_count", 1, kMostExperts);
  out.route.chosen = in.Integer("expert_used_count", 1, kMostExperts);
  const char* own = "expert_feed_forward_length";
  out.ffn = in.Integer(in.Has(own) ? own : "feed_forward_length", 1, kMostFfn);
  out.route.groups = in.IntegerOr("expert_group_count", 1, 1, kMostGroups);
  out.route.kept_groups = in.IntegerOr("expert_group_used_count", 1, 1, kMostGroups);
  out.layout = ExpertLayout::kStacked;
  out.names = GgufExpertNames();
  return out;
}

ExpertSpec ReadConfigExperts(Settings& in, std::string_view count, std::string_view ffn) {
  ExpertSpec out;
  out.route.experts = in.Integer(count, 1, kMostExperts);
  out.route.chosen = in.Integer("num_experts_per_tok", 1, kMostExperts);
  out.ffn = in.Integer(ffn, 1, kMostFfn);
  out.names = HuggingFaceExpertNames();
  return out;
}

void CheckExperts(Settings& in, const ExpertSpec& experts, int32_t hidden) {
  const RouteParams& route = experts.route;
  if (route.chosen > route.experts) {
    in.Fail(fmt::format("{} experts are chosen of {}; at most all of them expected", route.chosen,
                        route.experts));
  }
  CheckGroups(in, route);
  const int64_t widest = 2 * int64_t{experts.ffn} > hidden ? 2 * int64_t{experts.ffn} : hidden;
  if (route.chosen * widest > kMostColumns) {
    in.Fail(fmt::format("{} chosen experts of {} columns are {} columns; at most {} allowed",
                        route.chosen, widest, route.chosen * widest, kMostColumns));
  }
  if (!(route.scale > 0 && route.scale <= kMostScale)) {
    in.Fail(
        fmt::format("the experts' weights are multiplied by {}; a number above 0 up to {} "
                    "expected",
                    route.scale, kMostScale));
  }
}

}  // namespace tenon::models
