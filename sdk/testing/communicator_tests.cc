// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include "tenon/parallel.h"
#include "tenon/testing/families.h"
#include "tenon/testing/numbers.h"
#include "tenon/testing/stand.h"

namespace tenon::testing {
namespace {

constexpr uint64_t kCounts[] = {0, 1, 7, 1000, 65537};
constexpr int32_t kSizes[] = {2, 3, 4};

bool HasOption(const ComponentInfo& info, std::string_view name) {
  for (uint32_t i = 0; i < info.option_count; ++i) {
    if (name == info.options[i].name) return true;
  }
  return false;
}

float ValueOf(int32_t rank, uint64_t i) {
  // Of sizes so different that the order of a sum shows.
  const float size = rank % 2 == 0 ? 1.0f : 1e-4f;
  return size * NumberAt(21, static_cast<uint64_t>(rank), i, 0);
}

// The sum in rank order.
float SumOf(int32_t ranks, uint64_t i) {
  float sum = ValueOf(0, i);
  for (int32_t rank = 1; rank < ranks; ++rank) sum += ValueOf(rank, i);
  return sum;
}

std::vector<float> ValuesOf(int32_t rank, uint64_t count) {
  std::vector<float> values(count);
  for (uint64_t i = 0; i < count; ++i) values[i] = ValueOf(rank, i);
  return values;
}

bool SameBits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

// What one rank finds wrong; "" where nothing is. It goes on after that: others wait for it.
using Part = std::string (*)(Communicator& communicator, int32_t rank, int32_t ranks);

std::string OneRank(const Subject& subject, KitDevice& device, int32_t rank, int32_t ranks,
                    Part part) {
  KitHost host;
  const std::map<std::string, std::string> options = {{"rank", std::to_string(rank)},
                                                      {"ranks", std::to_string(ranks)}};
  const Instance instance(*subject.component, &host, &device, options);
  auto* communicator = instance.As<Communicator>();
  if (communicator == nullptr) {
    return Text("rank %d of %d is not made: ", rank, ranks) + host.TakeFailure();
  }
  const std::string wrong = part(*communicator, rank, ranks);
  if (communicator->Rank() != rank || communicator->Size() != ranks) {
    return Text("made as rank %d of %d, it says %d of %d", rank, ranks, communicator->Rank(),
                communicator->Size());
  }
  return wrong.empty() ? "" : Text("rank %d of %d: ", rank, ranks) + wrong;
}

// Ranks as threads of this process, each with a component of its own.
Verdict AllRanks(const Subject& subject, Part part) {
  if (!HasOption(*subject.component, "rank") || !HasOption(*subject.component, "ranks")) {
    return Skipped("has no options rank and ranks: the kit tries it as one rank alone");
  }
  KitDevice device(subject.device);
  for (const int32_t ranks : kSizes) {
    std::vector<std::string> wrong(static_cast<size_t>(ranks));
    std::vector<std::thread> threads;
    for (int32_t rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        wrong[static_cast<size_t>(rank)] = OneRank(subject, device, rank, ranks, part);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& one : wrong) {
      if (!one.empty()) return Failed(one);
    }
  }
  return Passed();
}

std::string Nothing(Communicator&, int32_t, int32_t) { return ""; }

// The first place where `got` is not what is wanted, bit by bit; "" where there is none.
template <typename Wanted>
std::string Differs(const char* what, const std::vector<float>& got, Wanted wanted) {
  for (uint64_t i = 0; i < got.size(); ++i) {
    if (SameBits(got[i], wanted(i))) continue;
    return Text("%s gives %.9g; %.9g expected", what, static_cast<double>(got[i]),
                static_cast<double>(wanted(i)));
  }
  return "";
}

std::string AllReduce(Communicator& communicator, int32_t rank, int32_t ranks) {
  std::string wrong;
  for (const uint64_t count : kCounts) {
    std::vector<float> values = ValuesOf(rank, count);
    if (communicator.AllReduceSum(values.data(), count, nullptr) != Status::kOk) {
      return "AllReduceSum fails";
    }
    if (!wrong.empty()) continue;
    wrong = Differs("AllReduceSum, whose sum is to be in rank order,", values,
                    [&](uint64_t i) { return SumOf(ranks, i); });
  }
  return wrong;
}

std::string Gather(Communicator& communicator, int32_t rank, int32_t ranks) {
  std::string wrong;
  for (const uint64_t count : kCounts) {
    const std::vector<float> mine = ValuesOf(rank, count);
    std::vector<float> all(count * static_cast<uint64_t>(ranks));
    if (communicator.AllGather(mine.data(), all.data(), count, nullptr) != Status::kOk) {
      return "AllGather fails";
    }
    if (!wrong.empty()) continue;
    wrong = Differs("AllGather", all, [&](uint64_t i) {
      return ValueOf(static_cast<int32_t>(i / count), i % count);
    });
  }
  return wrong;
}

std::string Scatter(Communicator& communicator, int32_t rank, int32_t ranks) {
  std::string wrong;
  for (const uint64_t count : kCounts) {
    const std::vector<float> mine = ValuesOf(rank, count * static_cast<uint64_t>(ranks));
    std::vector<float> part(count);
    if (communicator.ReduceScatterSum(mine.data(), part.data(), count, nullptr) != Status::kOk) {
      return "ReduceScatterSum fails";
    }
    if (!wrong.empty()) continue;
    wrong = Differs("ReduceScatterSum, whose sum is to be in rank order,", part, [&](uint64_t i) {
      return SumOf(ranks, static_cast<uint64_t>(rank) * count + i);
    });
  }
  return wrong;
}

// Round the ring; rank 0 sends first, so that no two wait for each other.
std::string Ring(Communicator& communicator, int32_t rank, int32_t ranks) {
  std::string wrong;
  for (const uint64_t count : kCounts) {
    const int32_t next = (rank + 1) % ranks, before = (rank + ranks - 1) % ranks;
    const std::vector<float> mine = ValuesOf(rank, count);
    std::vector<float> got(count);
    const uint64_t bytes = count * sizeof(float);
    const auto send = [&] { return communicator.Send(next, mine.data(), bytes, nullptr); };
    const auto receive = [&] { return communicator.Receive(before, got.data(), bytes, nullptr); };
    const bool done = rank == 0 ? send() == Status::kOk && receive() == Status::kOk
                                : receive() == Status::kOk && send() == Status::kOk;
    if (!done) return "Send or Receive fails";
    if (wrong.empty() && got != ValuesOf(before, count)) {
      wrong = Text("what rank %d sent does not arrive as it was", before);
    }
  }
  return wrong;
}

}  // namespace

void AddCommunicatorTests(std::vector<Test>* tests) {
  const auto add = [&](const char* name, Part part) {
    tests->push_back({std::string("parallel.communicator.") + name,
                      [part](const Subject& subject) { return AllRanks(subject, part); }});
  };
  add("ranks", Nothing);
  add("all_reduce", AllReduce);
  add("all_gather", Gather);
  add("reduce_scatter", Scatter);
  add("send_receive", Ring);
}

}  // namespace tenon::testing
