// SPDX-License-Identifier: Apache-2.0
#include "core/program/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/program/arena.h"
#include "core/program/meetings.h"
#include "core/program/prune_rows.h"
#include "tenon/ops.h"

namespace tenon::core {
namespace {

uint32_t AddValue(ProgramList& list, const char* name, int32_t columns,
                  RowSet rows = RowSet::kTokens) {
  return list.AddValue({.name = name, .dtype = DType::kF32, .rows = rows, .columns = columns});
}

void Append(ProgramList& list, const char* kind, const char* name, Family family,
            std::vector<Operand> inputs, std::vector<Operand> outputs) {
  Node node;
  node.kind = kind;
  node.name = name;
  node.family = family;
  node.inputs = {inputs.data(), inputs.size()};
  node.outputs = {outputs.data(), outputs.size()};
  list.Insert(list.Count(), node);
}

std::vector<std::string> Names(const ProgramList& list) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < list.Count(); ++i) names.emplace_back(std::string_view(list.At(i).name));
  return names;
}

TEST(Arena, KeepsLivingValuesApartAndReusesTheDead) {
  std::mt19937 random(7);
  std::vector<Lifetime> lifetimes;
  for (int i = 0; i < 200; ++i) {
    const auto first = static_cast<int32_t>(random() % 100);
    lifetimes.push_back({first, first + static_cast<int32_t>(random() % 10), 1 + random() % 5000});
  }
  const ArenaPlan plan = PlanArena(lifetimes);
  uint64_t all = 0;
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    all += lifetimes[i].bytes;
    EXPECT_EQ(plan.offsets[i] % 64, 0U);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool alive_together =
          lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
      const bool apart = plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(!alive_together || apart) << i << " and " << j;
    }
  }
  EXPECT_LT(plan.bytes, all / 3);
}

TEST(Meetings, AreWhereLanesTouchEachOthersRows) {
  const OpAccesses write_rows{Split::kRows, {{0, 0, 64, true}}};
  const OpAccesses read_rows{Split::kRows, {{0, 0, 64, false}, {1, 64, 128, true}}};
  const OpAccesses read_any{Split::kAny, {{1, 64, 128, false}, {2, 128, 192, true}}};
  const OpAccesses reuse_rows{Split::kRows, {{3, 0, 64, true}}};
  // Row-split after row-split needs none; a reader of all rows does; overwriting memory that the
  // other lanes may still read does unless a meeting came between.
  EXPECT_EQ(PlanMeetings({write_rows, read_rows, read_any}),
            (std::vector<bool>{false, false, true}));
  EXPECT_EQ(PlanMeetings({write_rows, read_rows, reuse_rows}),
            (std::vector<bool>{false, false, true}));
  EXPECT_EQ(PlanMeetings({write_rows, read_rows, read_any, reuse_rows}),
            (std::vector<bool>{false, false, true, false}));
}

TEST(ProgramList, ChecksWhatAPassLeft) {
  ProgramList list;
  const uint32_t x = AddValue(list, "x", 8);
  const uint32_t y = AddValue(list, "y", 4);
  Append(list, "embed", "embed", Family::kDevice, {}, {{x, 0, 8}});
  Append(list, "linear", "up", Family::kQuant, {{x, 0, 8}}, {{y, 0, 4}});
  EXPECT_TRUE(list.Check(y).ok());
  EXPECT_FALSE(list.Check(99).ok());
  Append(list, "linear", "up", Family::kQuant, {{x, 0, 8}}, {{y, 0, 4}});
  EXPECT_NE(list.Check(y).error().message.find("two ops have this name"), std::string::npos);
  list.Erase(2);
  Append(list, "add", "wide", Family::kDevice, {{x, 4, 8}}, {{y, 0, 4}});
  EXPECT_NE(list.Check(y).error().message.find("columns 4+8 of \"x\", which has 8"),
            std::string::npos);
  list.Erase(2);
  list.Erase(0);
  EXPECT_NE(list.Check(y).error().message.find("before it is written"), std::string::npos);
}

TEST(ProgramList, KeepsItsOwnCopies) {
  ProgramList list;
  const uint32_t x = AddValue(list, "x", 8);
  {
    std::string name = "layer.0";
    float data = 3;
    SoftCapParams params{30.0F};
    const std::string weight_name = "w";
    const Weight weight{Str(weight_name), {DType::kF32, &data, 1, 1}, 4};
    Node node;
    node.kind = kSoftCap;
    node.name = Str(name);
    const Operand out{x, 0, 8};
    node.outputs = {&out, 1};
    node.weights = {&weight, 1};
    node.params = &params;
    node.params_bytes = sizeof(params);
    list.Insert(0, node);
    name.assign("overwritten");
    params.cap = 0;
  }
  const Node kept = list.At(0);
  EXPECT_EQ(kept.name, Str("layer.0"));
  EXPECT_EQ(static_cast<const SoftCapParams*>(kept.params)->cap, 30.0F);
  EXPECT_EQ(kept.weights[0].name, Str("w"));
}

TEST(PruneRows, GathersWhatCrossesTheLastAttentionAndNothingElse) {
  ProgramList list;
  const uint32_t x = AddValue(list, "x", 8);
  const uint32_t o = AddValue(list, "o", 8);
  const uint32_t h = AddValue(list, "h", 8);
  const uint32_t rows = AddValue(list, "rows", 8, RowSet::kLogitRows);
  const uint32_t logits = AddValue(list, "logits", 32, RowSet::kLogitRows);
  Append(list, kEmbed, "embed", Family::kDevice, {}, {{x, 0, 8}});
  Append(list, kAttention, "attention", Family::kAttention, {{x, 0, 8}}, {{o, 0, 8}});
  Append(list, kLinear, "o_proj", Family::kQuant, {{o, 0, 8}, {x, 0, 8}}, {{x, 0, 8}});
  Append(list, kRmsNorm, "norm", Family::kDevice, {{x, 0, 8}}, {{h, 0, 8}});
  Append(list, kLinear, "down", Family::kQuant, {{h, 0, 8}, {x, 0, 8}}, {{x, 0, 8}});
  Append(list, kGatherRows, "gather", Family::kDevice, {{x, 0, 8}}, {{rows, 0, 8}});
  Append(list, kLinear, "head", Family::kQuant, {{rows, 0, 8}}, {{logits, 0, 32}});
  PruneRows(list);
  EXPECT_EQ(Names(list), (std::vector<std::string>{"embed", "attention", "gather.1", "gather.2",
                                                   "o_proj", "norm", "down", "head"}));
  EXPECT_TRUE(list.Check(logits).ok());
  for (int32_t i = 4; i < list.Count(); ++i) {
    for (const Operand& operand : list.At(i).inputs) {
      EXPECT_EQ(list.Value(operand.value).rows, RowSet::kLogitRows) << i;
    }
  }
}

TEST(PruneRows, LeavesAProgramWithoutAttentionAlone) {
  ProgramList list;
  const uint32_t x = AddValue(list, "x", 8);
  const uint32_t rows = AddValue(list, "rows", 8, RowSet::kLogitRows);
  Append(list, kEmbed, "embed", Family::kDevice, {}, {{x, 0, 8}});
  Append(list, kGatherRows, "gather", Family::kDevice, {{x, 0, 8}}, {{rows, 0, 8}});
  PruneRows(list);
  EXPECT_EQ(Names(list), (std::vector<std::string>{"embed", "gather"}));
}

}  // namespace
}  // namespace tenon::core
