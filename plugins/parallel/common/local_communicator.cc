// SPDX-License-Identifier: Apache-2.0
#include "plugins/parallel/common/local_communicator.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace tenon::parallel {
namespace {

enum Kind { kAllReduceSum, kAllGather, kReduceScatterSum };

}  // namespace

class LocalGroup::Member final : public Communicator {
 public:
  Member(LocalGroup& group, int32_t rank) : group_(group), rank_(rank) {}

  int32_t Rank() const noexcept override { return rank_; }
  int32_t Size() const noexcept override { return group_.size_; }

  Status AllReduceSum(float* values, uint64_t count, void*) noexcept override {
    const Status status = group_.Begin(rank_, {values, values, count, kAllReduceSum});
    if (status != Status::kOk) return status;
    // Each rank does a part of the elements for all ranks, so that nothing is copied twice.
    const uint64_t size = static_cast<uint64_t>(group_.size_);
    const uint64_t begin = count * static_cast<uint64_t>(rank_) / size;
    const uint64_t end = count * (static_cast<uint64_t>(rank_) + 1) / size;
    for (uint64_t i = begin; i < end; ++i) {
      const float sum = SumAt(i);
      for (const Showing& other : group_.showings_) other.to[i] = sum;
    }
    return group_.Meet();
  }

  Status AllGather(const float* from, float* to, uint64_t count, void*) noexcept override {
    const Status status = group_.Begin(rank_, {from, to, count, kAllGather});
    if (status != Status::kOk) return status;
    for (const Showing& other : group_.showings_) {
      std::copy_n(other.from, count, to);
      to += count;
    }
    return group_.Meet();
  }

  Status ReduceScatterSum(const float* from, float* to, uint64_t count, void*) noexcept override {
    const Status status = group_.Begin(rank_, {from, to, count, kReduceScatterSum});
    if (status != Status::kOk) return status;
    const uint64_t begin = count * static_cast<uint64_t>(rank_);
    for (uint64_t i = 0; i < count; ++i) to[i] = SumAt(begin + i);
    return group_.Meet();
  }

  Status Send(int32_t rank, const void* from, uint64_t bytes, void*) noexcept override {
    return group_.Put(rank_, rank, from, bytes);
  }

  Status Receive(int32_t rank, void* to, uint64_t bytes, void*) noexcept override {
    return group_.Take(rank, rank_, to, bytes);
  }

 private:
  float SumAt(uint64_t i) const {
    float sum = group_.showings_[0].from[i];
    for (size_t r = 1; r < group_.showings_.size(); ++r) sum += group_.showings_[r].from[i];
    return sum;
  }

  LocalGroup& group_;
  const int32_t rank_;
};

LocalGroup::LocalGroup(int32_t size) : size_(size), showings_(size) {
  for (int32_t rank = 0; rank < size; ++rank) {
    members_.push_back(std::make_unique<Member>(*this, rank));
  }
}

LocalGroup::~LocalGroup() = default;

Communicator& LocalGroup::Of(int32_t rank) { return *members_[rank]; }

void LocalGroup::Abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

Status LocalGroup::Meet() {
  std::unique_lock lock(mutex_);
  const uint64_t meeting = meetings_;
  if (++arrived_ == size_) {
    arrived_ = 0;
    ++meetings_;
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return meetings_ != meeting || abandoned_; });
  return abandoned_ ? Status::kCancelled : Status::kOk;
}

Status LocalGroup::Begin(int32_t rank, const Showing& showing) {
  showings_[rank] = showing;
  const Status status = Meet();
  if (status != Status::kOk) return status;
  for (const Showing& other : showings_) {
    if (other.count != showings_[0].count || other.kind != showings_[0].kind) {
      // All find the same, so all leave; nobody may write his showing again before that.
      const Status left = Meet();
      return left == Status::kOk ? Status::kInvalid : left;
    }
  }
  return Status::kOk;
}

Status LocalGroup::Put(int32_t from, int32_t to, const void* data, uint64_t bytes) {
  if (to < 0 || to >= size_) return Status::kInvalid;
  try {
    const char* const begin = static_cast<const char*>(data);
    std::vector<char> letter(begin, begin + bytes);
    const std::lock_guard lock(mutex_);
    if (abandoned_) return Status::kCancelled;
    mail_[{from, to}].push_back(std::move(letter));
    changed_.notify_all();
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return Status::kOutOfMemory;
  }
}

Status LocalGroup::Take(int32_t from, int32_t to, void* data, uint64_t bytes) {
  if (from < 0 || from >= size_) return Status::kInvalid;
  std::unique_lock lock(mutex_);
  std::deque<std::vector<char>>& letters = mail_[{from, to}];
  changed_.wait(lock, [&] { return !letters.empty() || abandoned_; });
  if (abandoned_) return Status::kCancelled;
  const std::vector<char> letter = std::move(letters.front());
  letters.pop_front();
  if (letter.size() != bytes) return Status::kInvalid;
  if (bytes > 0) std::memcpy(data, letter.data(), bytes);
  return Status::kOk;
}

}  // namespace tenon::parallel
