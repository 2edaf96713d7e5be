// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/ablation.h"

#include <algorithm>

#include "core/pipeline/component_choice.h"

namespace tenon::apps {
namespace {

constexpr double kAlpha = 0.05;

bool SameOptions(const core::OptionSet& a, const core::OptionSet& b) {
  const Options left = a.View(), right = b.View();
  if (left.values.size != right.values.size) return false;
  for (uint64_t i = 0; i < left.values.size; ++i) {
    const OptionValue &x = left.values[i], &y = right.values[i];
    if (x.boolean != y.boolean || x.integer != y.integer || x.number != y.number ||
        !(x.text == y.text)) {
      return false;
    }
  }
  return true;
}

Switch SwitchFamily(const core::Pipeline& pipeline, Family family, core::Registry& registry) {
  const auto number = static_cast<size_t>(family);
  const core::ComponentChoice& choice = pipeline.families[number];
  Switch out{family, choice.component->name, {}};
  const core::RegisteredComponent* usual = registry.Default(family);
  if (usual == nullptr) return out;
  core::Pipeline switched = pipeline;
  switched.families[number] = core::DefaultChoice(*usual, pipeline.file);
  const bool same = usual == choice.component;
  if (same && SameOptions(choice.options, switched.families[number].options)) return out;
  out.ways.push_back({usual->name + (same ? " with its default options" : ""), Dump(switched)});
  return out;
}

Switch SwitchLink(const core::Pipeline& pipeline, size_t link, core::Registry& registry) {
  Switch out{Family::kDecoding, pipeline.decoding[link].component->name, {}};
  if (pipeline.decoding.size() > 1) {
    core::Pipeline without = pipeline;
    without.decoding.erase(without.decoding.begin() + static_cast<std::ptrdiff_t>(link));
    out.ways.push_back({"left out", Dump(without)});
  }
  for (const core::RegisteredComponent* usual : registry.DefaultChain(Family::kDecoding)) {
    const bool there =
        std::any_of(pipeline.decoding.begin(), pipeline.decoding.end(),
                    [&](const core::ComponentChoice& choice) { return choice.component == usual; });
    const bool same = usual == pipeline.decoding[link].component;
    if (there && !same) continue;
    core::Pipeline switched = pipeline;
    switched.decoding[link] = core::DefaultChoice(*usual, pipeline.file);
    if (same && SameOptions(pipeline.decoding[link].options, switched.decoding[link].options)) {
      continue;
    }
    out.ways.push_back({usual->name + (same ? " with its default options" : ""), Dump(switched)});
  }
  return out;
}

Estimate Negated(const Estimate& e) { return {-e.value, -e.high, -e.low, e.detectable, e.samples}; }

// The first line of what may be several.
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

// Opens the first way that can be; sets the row's reason where there is none.
Arm OpenWay(const SessionOptions& open, AblationRow& row) {
  for (const Switch::Way& way : row.what.ways) {
    Arm arm{open, nullptr};
    arm.options.text = way.pipeline;
    arm.options.overrides.clear();
    auto session = Session::Open(arm.options);
    if (session.ok()) {
      row.instead = way.instead;
      row.why_not.clear();
      arm.session = std::move(*session);
      return arm;
    }
    row.why_not +=
        (row.why_not.empty() ? "" : "; ") + way.instead + ": " + FirstLine(session.error().message);
  }
  return {};
}

}  // namespace

std::vector<Switch> SwitchesOf(const core::Pipeline& pipeline, core::Registry& registry) {
  std::vector<Switch> out;
  for (uint32_t i = 0; i < kFamilyCount; ++i) {
    if (pipeline.families[i].component == nullptr) continue;
    out.push_back(SwitchFamily(pipeline, static_cast<Family>(i), registry));
  }
  for (size_t i = 0; i < pipeline.decoding.size(); ++i) {
    out.push_back(SwitchLink(pipeline, i, registry));
  }
  return out;
}

Estimate SpeedOfHaving(const SpeedRow& row) { return Negated(row.gain); }
Estimate NllOfHaving(const Quality& quality) { return Negated(quality.nll_change); }

Result<std::vector<AblationRow>> RunAblation(const AblationParts& parts,
                                             std::vector<Switch> switches,
                                             const volatile bool* stop,
                                             const std::function<void(size_t, double)>& progress) {
  CompareOptions options = parts.options;
  const auto measured = std::count_if(switches.begin(), switches.end(),
                                      [](const Switch& one) { return !one.ways.empty(); });
  options.alpha = kAlpha / static_cast<double>(std::max<std::ptrdiff_t>(measured, 1));
  std::vector<AblationRow> rows;
  for (Switch& one : switches) {
    AblationRow row;
    row.what = std::move(one);
    row.is_default = row.what.ways.empty();
    if (row.is_default) row.why_not = "is the default already";
    if (Arm other = OpenWay(parts.whole->options, row); other.session != nullptr) {
      const size_t number = rows.size();
      auto comparison = RunComparison(*parts.whole, other, parts.items, parts.forced, options, stop,
                                      [&](double share) {
                                        if (progress) progress(number, share);
                                      });
      TENON_RETURN_IF_ERROR(comparison);
      row.arm = ArmTextOf(row.what.component + ": " + row.instead, *other.session);
      row.comparison = std::move(*comparison);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace tenon::apps
