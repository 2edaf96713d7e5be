// SPDX-License-Identifier: Apache-2.0
#include "plugins/parallel/none/none.h"

#include <gtest/gtest.h>

#include "plugins/parallel/common/list_program.h"
#include "plugins/scheduler/common/made_component.h"
#include "tenon/ops.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_parallel_none();

namespace tenon::parallel {
namespace {

TEST(NoStrategy, LeavesTheProgramAlone) {
  testing::MadeComponent made(tenon_plugin_v1_parallel_none(), "none");
  Strategy* const strategy = made.Get<Strategy>();
  ASSERT_NE(strategy, nullptr);
  ListProgram program;
  const uint32_t x = program.AddValue({"x", DType::kF32, RowSet::kTokens, 8});
  const Operand operand = {x, 0, 8};
  const AddParams params = {};
  Node node;
  node.kind = kAdd;
  node.name = "add";
  node.inputs = {&operand, 1};
  node.outputs = {&operand, 1};
  node.params = &params;
  node.params_bytes = sizeof(params);
  program.Insert(0, node);
  EXPECT_EQ(strategy->Rewrite(program, nullptr), Status::kOk);
  ASSERT_EQ(program.Count(), 1);
  EXPECT_EQ(program.At(0).kind, Str(kAdd));
  EXPECT_EQ(program.value_count(), 1u);
}

TEST(NoStrategy, RefusesToMakeOps) {
  testing::MadeComponent made(tenon_plugin_v1_parallel_none(), "none");
  OpSpec spec = {};
  spec.kind = kAllReduce;
  spec.name = "layers.0.down.sum";
  PlannedOp planned;
  EXPECT_EQ(made.Get<Strategy>()->Plan(spec, &planned), Status::kUnsupported);
  EXPECT_NE(made.failure().find("all_reduce"), std::string::npos);
  EXPECT_NE(made.failure().find("layers.0.down.sum"), std::string::npos);
}

}  // namespace
}  // namespace tenon::parallel
