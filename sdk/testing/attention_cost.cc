// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/attention_cost.h"

#include "tenon/testing/attention_stand.h"
#include "tenon/testing/stopwatch.h"
#include "tenon/testing/watch.h"

namespace tenon::testing {
namespace {

AttentionSetup SetupOf(const ComponentInfo& info) {
  AttentionSetup setup;
  setup.layer = {0, 8, 2, 64, 64, 0.125f, 0, 0, 0};
  setup.max_context = 512;
  const OptionInfo* option = FindOption(info, "kv_type");
  setup.kv_type = option == nullptr ? "f32" : option->default_text;
  return setup;
}

// Beside each other: a prompt in the middle, and a decode.
const AttentionStep kFill = {{0, 160}, {1, 30}};
const AttentionStep kMixed = {{0, 1}, {1, 60}};
const AttentionStep kDecode = {{0, 1}, {1, 1}};

Verdict Allocations(const Subject& subject) {
  if (!AllocationWatch::Works()) return Skipped("allocations cannot be watched here");
  KitDevice device(1);
  KitHost host;
  Instance instance(*subject.component, &host, &device);
  AttentionStand stand(instance.As<Attention>(), device, SetupOf(*subject.component));
  if (stand.status() != Status::kOk) return Skipped("not planned: " + host.TakeFailure());
  for (const AttentionStep& step : {kFill, kMixed, kDecode}) {
    stand.Run(step);
    const int64_t before = device.allocations;
    const AllocationWatch watch;
    stand.RunAgainAlone();
    const long long count = watch.count() + (device.allocations - before);
    if (count != 0) return Failed(Text("Run allocated %lld times; it may not at all", count));
  }
  return Passed();
}

struct Times {
  double decode_seconds = 0, prefill_seconds = 0;
  double decode_bytes = 0, prefill_products = 0;
};

bool Measure(const ComponentInfo& info, Times* times) {
  KitDevice device(1);
  KitHost host;
  Instance instance(info, &host, &device);
  AttentionStand stand(instance.As<Attention>(), device, SetupOf(info));
  if (stand.status() != Status::kOk) return false;
  stand.Run(kFill);
  times->prefill_products = stand.last_products();
  times->prefill_seconds = FastestSeconds([&] { stand.RunAgainAlone(); });
  for (int i = 0; i < 100; ++i) stand.Run(kDecode);
  times->decode_bytes = static_cast<double>(stand.last_bytes());
  times->decode_seconds = FastestSeconds([&] { stand.RunAgainAlone(); });
  return true;
}

Verdict Time(const Subject& subject) {
  Times mine;
  if (!Measure(*subject.component, &mine)) return Skipped("not planned");
  std::string text =
      Text("one lane: decode %.1f us, %.2f GB/s of K and V; prefill %.0f us, %.2f GOP/s",
           mine.decode_seconds * 1e6, mine.decode_bytes / mine.decode_seconds / 1e9,
           mine.prefill_seconds * 1e6, 2 * mine.prefill_products / mine.prefill_seconds / 1e9);
  Times theirs;
  if (subject.yardstick != nullptr && Measure(*subject.yardstick, &theirs)) {
    text += Text("; %s takes %.2f and %.2f times as long", subject.yardstick->name,
                 theirs.decode_seconds / mine.decode_seconds,
                 theirs.prefill_seconds / mine.prefill_seconds);
  }
  return {Outcome::kPassed,
          text,
          {{"decode", mine.decode_bytes / mine.decode_seconds, true},
           {"prefill", 2 * mine.prefill_products / mine.prefill_seconds, false}}};
}

}  // namespace

void AddAttentionCost(const ComponentInfo&, std::vector<Test>* tests) {
  tests->push_back({"attention.cost.allocations", Allocations});
  tests->push_back({"attention.cost.time", Time});
}

}  // namespace tenon::testing
