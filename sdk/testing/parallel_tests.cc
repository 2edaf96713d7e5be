// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <vector>

#include "tenon/parallel.h"
#include "tenon/testing/families.h"
#include "tenon/testing/kit_program.h"
#include "tenon/testing/stand.h"

namespace tenon::testing {
namespace {

struct Rig {
  explicit Rig(const Subject& subject)
      : device(subject.device), instance(*subject.component, &host, &device) {}
  KitHost host;
  KitDevice device;
  Instance instance;
};

Verdict EmptyList(const Subject& subject) {
  Rig rig(subject);
  auto* strategy = rig.instance.As<Strategy>();
  if (strategy == nullptr) return Skipped("offers no tenon.parallel.strategy/1");
  KitProgram program;
  if (strategy->Rewrite(program, nullptr) != Status::kOk) {
    return Failed("refuses an empty Program on one rank: " + rig.host.TakeFailure());
  }
  return program.changes() == 0 ? Passed() : Failed("changes an empty Program");
}

Verdict UnknownOp(const Subject& subject) {
  Rig rig(subject);
  auto* strategy = rig.instance.As<Strategy>();
  if (strategy == nullptr) return Skipped("offers no tenon.parallel.strategy/1");
  OpSpec spec{};
  spec.kind = "kit.no_such_op";
  spec.name = "layers.0.nothing";
  PlannedOp planned;
  if (strategy->Plan(spec, &planned) == Status::kOk) return Failed("plans an op of unknown kind");
  return rig.host.TakeFailure().empty() ? Failed("refused without a reason (Host::Fail)")
                                        : Passed();
}

// With one rank every collective leaves things as they are.
Verdict OneRank(const Subject& subject) {
  Rig rig(subject);
  auto* communicator = rig.instance.As<Communicator>();
  if (communicator == nullptr) return Skipped("offers no tenon.parallel.communicator/1");
  if (communicator->Size() != 1) {
    return Skipped(Text("has %d ranks; the kit tries one", communicator->Size()));
  }
  if (communicator->Rank() != 0) return Failed(Text("rank %d of 1", communicator->Rank()));
  std::vector<float> values, to(1000);
  for (int i = 0; i < 1000; ++i) values.push_back(0.1f * static_cast<float>(i));
  const std::vector<float> before = values;
  const bool reduced = communicator->AllReduceSum(values.data(), 1000, nullptr) == Status::kOk;
  if (!reduced || values != before) return Failed("AllReduceSum of one rank changes the values");
  const bool gathered =
      communicator->AllGather(values.data(), to.data(), 1000, nullptr) == Status::kOk;
  if (!gathered || to != before) return Failed("AllGather of one rank is not a copy");
  to.assign(1000, 0.0f);
  const bool scattered =
      communicator->ReduceScatterSum(values.data(), to.data(), 1000, nullptr) == Status::kOk;
  if (!scattered || to != before) return Failed("ReduceScatterSum of one rank is not a copy");
  return communicator->AllReduceSum(values.data(), 0, nullptr) == Status::kOk
             ? Passed()
             : Failed("AllReduceSum of nothing fails");
}

}  // namespace

void AddParallelTests(const ComponentInfo&, std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"parallel.strategy.empty_list", EmptyList},
                               {"parallel.strategy.unknown_op", UnknownOp},
                               {"parallel.communicator.one_rank", OneRank}});
  AddCommunicatorTests(tests);
}

}  // namespace tenon::testing
