// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "tenon/attention.h"
#include "tenon/decoding.h"
#include "tenon/parallel.h"
#include "tenon/quant.h"
#include "tenon/rules.h"
#include "tenon/scheduler.h"
#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"

namespace tenon::testing {
namespace {

constexpr int kRandomSets = 200;
constexpr int kManyTimes = 1000;

Verdict OptionTable(const Subject& subject) {
  const std::string wrong = CheckOptionTable(*subject.component);
  return wrong.empty() ? Passed() : Failed(wrong);
}

// Whether the component offers an interface of its family.
bool OffersItsFamily(Family family, Component& component) {
  switch (family) {
    case Family::kDevice:
      return QueryFor<Device>(component) != nullptr;
    case Family::kAttention:
      return QueryFor<Attention>(component) != nullptr;
    case Family::kQuant:
      return QueryFor<Quant>(component) != nullptr || QueryFor<Adapter>(component) != nullptr;
    case Family::kScheduler:
      return QueryFor<Scheduler>(component) != nullptr;
    case Family::kParallel:
      return QueryFor<Strategy>(component) != nullptr ||
             QueryFor<Communicator>(component) != nullptr;
    case Family::kDecoding:
      return QueryFor<LogitProcessor>(component) != nullptr ||
             QueryFor<Sampler>(component) != nullptr || QueryFor<Drafter>(component) != nullptr ||
             QueryFor<FrontRule>(component) != nullptr || QueryFor<BackRule>(component) != nullptr;
  }
  return false;
}

Verdict MadeWithDefaults(const Subject& subject) {
  KitDevice device(subject.device);
  KitHost host;
  const Instance made(*subject.component, &host, &device);
  if (made.status() != Status::kOk) {
    // The kit's device is a processor; a component for another may refuse it.
    const Capabilities& claims = subject.component->capabilities;
    if (claims.Has(Capability::kDeviceCuda) && !claims.Has(Capability::kDeviceCpu)) {
      return Skipped("is for CUDA alone: " + host.TakeFailure());
    }
    return Failed("refuses its own defaults: " + host.TakeFailure());
  }
  if (made.get() == nullptr) return Failed("create returned kOk and no component");
  if (!OffersItsFamily(subject.component->family, *made.get())) {
    return Failed("Query gives no interface of its family");
  }
  return Passed();
}

// Whatever the table allows makes a component, or a refusal with a reason.
Verdict RandomSets(const Subject& subject) {
  const ComponentInfo& info = *subject.component;
  KitDevice device(subject.device);
  KitHost host;
  std::mt19937_64 random(1);
  int refused = 0;
  for (int i = 0; i < kRandomSets; ++i) {
    const auto options = RandomOptions(info, random);
    const Instance made(info, &host, &device, options);
    const std::string seen = OptionSet(info, options).Describe();
    if (made.status() == Status::kOk && made.get() == nullptr) {
      return Failed("create returned kOk and no component for " + seen);
    }
    if (made.status() != Status::kOk && host.TakeFailure().empty()) {
      return Failed("refused without a reason (Host::Fail): " + seen);
    }
    refused += made.status() != Status::kOk ? 1 : 0;
  }
  return Passed(Text("%d of %d sets refused", refused, kRandomSets));
}

Verdict UnknownInterface(const Subject& subject) {
  KitDevice device(subject.device);
  KitHost host;
  const Instance made(*subject.component, &host, &device);
  if (made.get() == nullptr) return Skipped("not made: " + host.TakeFailure());
  for (const char* name : {"", "acme.no_such_interface/1", "tenon.attention/99", "tenon."}) {
    if (made.get()->Query(name) != nullptr) {
      return Failed(std::string("Query(\"") + name + "\") gives something; null expected");
    }
  }
  return Passed();
}

// The same answer beside other instances as alone.
Verdict Independent(const Subject& subject) {
  const ComponentInfo& info = *subject.component;
  KitDevice device(subject.device);
  KitHost host;
  std::vector<double> alone;
  {
    const Instance first(info, &host, &device);
    const auto exercise = MakeExercise(info, first, device, 1);
    if (exercise == nullptr) return Skipped("nothing that the kit could ask it");
    alone = exercise->Run();
  }
  if (alone.empty()) return Skipped("it refused what the kit asked");
  std::mt19937_64 random(5);
  const Instance mine(info, &host, &device);
  const auto my_exercise = MakeExercise(info, mine, device, 1);
  for (int i = 0; i < 8; ++i) {
    const auto options = RandomOptions(info, random);
    const Instance other(info, &host, &device, options);
    const auto other_exercise = MakeExercise(info, other, device, 2);
    if (other_exercise != nullptr) other_exercise->Run();
    if (my_exercise->Run() != alone) {
      return Failed("another instance (" + OptionSet(info, options).Describe() +
                    ") changes what this one answers: they share state");
    }
  }
  return Passed();
}

Verdict ThousandTimes(const Subject& subject) {
  const ComponentInfo& info = *subject.component;
  KitDevice device(subject.device);
  KitHost host;
  const auto make = [&](int times) {
    for (int i = 0; i < times; ++i) const Instance made(info, &host, &device);
  };
  make(kManyTimes / 10);
  const uint64_t heap = HeapBytes(), resident = ResidentBytes();
  make(kManyTimes);
  const int64_t heap_growth = static_cast<int64_t>(HeapBytes() - heap);
  const int64_t growth = static_cast<int64_t>(ResidentBytes() - resident);
  if (device.live != 0) {
    return Failed(
        Text("%lld blocks of device memory were not freed", static_cast<long long>(device.live)));
  }
  if (heap_growth > 8 * kManyTimes) {
    return Failed(Text("made and ended %d times, it leaks: the heap grew by %lld bytes", kManyTimes,
                       static_cast<long long>(heap_growth)));
  }
  if (heap != 0 && growth > (16 << 20)) {
    return Failed(Text("made and ended %d times, it leaks: %lld bytes more are resident",
                       kManyTimes, static_cast<long long>(growth)));
  }
  return Passed(Text("%lld bytes", static_cast<long long>(heap_growth)));
}

}  // namespace

void AddAnyTests(const ComponentInfo&, std::vector<Test>* tests) {
  tests->insert(tests->end(), {{"any.options.table", OptionTable},
                               {"any.create.defaults", MadeWithDefaults},
                               {"any.create.random_options", RandomSets},
                               {"any.create.independent", Independent},
                               {"any.create.thousand_times", ThousandTimes},
                               {"any.query.unknown", UnknownInterface}});
}

}  // namespace tenon::testing
