// SPDX-License-Identifier: Apache-2.0
// Communicators of ranks that are threads of one process, with one fault each, and one without.
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "tenon/parallel.h"
#include "tenon/plugin.h"

namespace {

using namespace tenon;

enum class Fault { kNone, kRank, kOrder, kGather, kScatter, kMessage };

// Where the ranks of a fault's component meet: one pointer each, and back.
class Room {
 public:
  // Waits for all; then what each brought.
  std::vector<const void*> Meet(int32_t rank, int32_t ranks, const void* mine) {
    std::unique_lock lock(mutex_);
    here_.resize(static_cast<size_t>(ranks));
    here_[static_cast<size_t>(rank)] = mine;
    Arrive(lock, ranks);
    std::vector<const void*> all = here_;
    Arrive(lock, ranks);  // nobody overwrites what another has yet to read
    return all;
  }

  void Leave(int32_t ranks) {
    std::unique_lock lock(mutex_);
    Arrive(lock, ranks);
  }

  void Put(int32_t from, int32_t to, const void* data, uint64_t bytes) {
    const auto* begin = static_cast<const char*>(data);
    const std::unique_lock lock(mutex_);
    post_[{from, to}].emplace_back(begin, begin + bytes);
    changed_.notify_all();
  }

  std::vector<char> Take(int32_t from, int32_t to) {
    std::unique_lock lock(mutex_);
    auto& box = post_[{from, to}];
    changed_.wait(lock, [&] { return !box.empty(); });
    std::vector<char> message = std::move(box.front());
    box.erase(box.begin());
    return message;
  }

 private:
  void Arrive(std::unique_lock<std::mutex>& lock, int32_t ranks) {
    const int64_t round = round_;
    if (++arrived_ == ranks) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round_ != round; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int32_t arrived_ = 0;
  int64_t round_ = 0;
  std::vector<const void*> here_;
  std::map<std::pair<int32_t, int32_t>, std::vector<std::vector<char>>> post_;
};

template <Fault kFault>
Room& TheRoom() {
  static Room room;
  return room;
}

template <Fault kFault>
class Threads final : public Component, public Communicator {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"rank", OptionType::kInt, "0", "Which of the ranks this is.", 0, 15},
      {"ranks", OptionType::kInt, "1", "How many ranks there are.", 1, 16}};

  explicit Threads(const CreateArgs& args)
      : rank_(static_cast<int32_t>(args.options.Int("rank"))),
        ranks_(static_cast<int32_t>(args.options.Int("ranks"))) {}
  void* Query(const char* name) noexcept override { return Offer<Communicator>(this, name); }

  int32_t Rank() const noexcept override { return kFault == Fault::kRank ? 0 : rank_; }
  int32_t Size() const noexcept override { return ranks_; }

  Status AllReduceSum(float* values, uint64_t count, void*) noexcept override {
    const auto all = Meet(values);
    std::vector<float> sum(count);
    const int32_t first = kFault == Fault::kOrder ? rank_ : 0;
    for (int32_t i = 0; i < ranks_; ++i) Add(all, (first + i) % ranks_, 0, i == 0, sum);
    TheRoom<kFault>().Leave(ranks_);
    if (count > 0) std::memcpy(values, sum.data(), count * sizeof(float));
    return Status::kOk;
  }

  Status AllGather(const float* from, float* to, uint64_t count, void*) noexcept override {
    const auto all = Meet(from);
    for (int32_t i = 0; i < ranks_; ++i) {
      const int32_t place = kFault == Fault::kGather ? ranks_ - 1 - i : i;
      if (count > 0)
        std::memcpy(to + static_cast<uint64_t>(place) * count, all[static_cast<size_t>(i)],
                    count * sizeof(float));
    }
    TheRoom<kFault>().Leave(ranks_);
    return Status::kOk;
  }

  Status ReduceScatterSum(const float* from, float* to, uint64_t count, void*) noexcept override {
    const auto all = Meet(from);
    std::vector<float> sum(count);
    const int32_t part = kFault == Fault::kScatter ? (rank_ + 1) % ranks_ : rank_;
    for (int32_t i = 0; i < ranks_; ++i)
      Add(all, i, static_cast<uint64_t>(part) * count, i == 0, sum);
    TheRoom<kFault>().Leave(ranks_);
    if (count > 0) std::memcpy(to, sum.data(), count * sizeof(float));
    return Status::kOk;
  }

  Status Send(int32_t rank, const void* from, uint64_t bytes, void*) noexcept override {
    TheRoom<kFault>().Put(rank_, rank, from, bytes);
    return Status::kOk;
  }

  Status Receive(int32_t rank, void* to, uint64_t bytes, void*) noexcept override {
    const std::vector<char> message = TheRoom<kFault>().Take(rank, rank_);
    // The fault: the last bytes of a long message are forgotten.
    const uint64_t taken = kFault == Fault::kMessage && bytes > 4096 ? bytes - 64 : bytes;
    if (taken > 0) std::memcpy(to, message.data(), taken);
    return Status::kOk;
  }

 private:
  std::vector<const void*> Meet(const void* mine) {
    return TheRoom<kFault>().Meet(rank_, ranks_, mine);
  }

  static void Add(const std::vector<const void*>& all, int32_t rank, uint64_t first, bool begin,
                  std::vector<float>& sum) {
    const auto* values = static_cast<const float*>(all[static_cast<size_t>(rank)]) + first;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = begin ? values[i] : sum[i] + values[i];
  }

  const int32_t rank_, ranks_;
};

template <Fault kFault>
constexpr ComponentInfo Described(const char* name) {
  return Describe<Threads<kFault>>(Family::kParallel, name, "Ranks that are threads.", 0,
                                   Claim(Capability::kDeviceCpu), Threads<kFault>::kOptions);
}

constexpr ComponentInfo kRight = Described<Fault::kNone>("acme.right");
constexpr ComponentInfo kRank = Described<Fault::kRank>("acme.forgets_rank");
constexpr ComponentInfo kOrder = Described<Fault::kOrder>("acme.adds_own_first");
constexpr ComponentInfo kGather = Described<Fault::kGather>("acme.gathers_backwards");
constexpr ComponentInfo kScatter = Described<Fault::kScatter>("acme.scatters_next_part");
constexpr ComponentInfo kMessage = Described<Fault::kMessage>("acme.cuts_messages");

}  // namespace

TENON_PLUGIN("acme.parallel.wrong", "1.0.0", "MIT", &kRight, &kRank, &kOrder, &kGather, &kScatter,
             &kMessage);
