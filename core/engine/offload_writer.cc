// SPDX-License-Identifier: Apache-2.0
#include "core/engine/offload_writer.h"

#include <algorithm>
#include <utility>

namespace tenon::core {
namespace {

constexpr uint64_t kMostWaitingBytes = uint64_t{64} << 20;

}  // namespace

OffloadWriter::OffloadWriter(OffloadFile& file, std::function<void()> before_write)
    : file_(file), before_write_(std::move(before_write)), thread_([this] { Run(); }) {}

OffloadWriter::~OffloadWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool OffloadWriter::HasRoom(uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= kMostWaitingBytes;
}

void OffloadWriter::Write(int32_t slot, const OffloadEntry& entry, Span<const int32_t> tokens,
                          Span<const char> bytes) {
  Add({slot, entry, {tokens.begin(), tokens.end()}, {bytes.begin(), bytes.end()}});
}

void OffloadWriter::Clear(int32_t slot) { Add({slot, {}, {}, {}}); }

void OffloadWriter::Add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ += job.bytes.size();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

OffloadWriter::Waiting OffloadWriter::Find(int32_t slot, const OffloadEntry& entry,
                                           Span<const int32_t> tokens, Span<char> bytes) const {
  const std::lock_guard lock(mutex_);
  const auto job =
      std::find_if(jobs_.rbegin(), jobs_.rend(), [&](const Job& one) { return one.slot == slot; });
  if (job == jobs_.rend()) return Waiting::kNothing;
  const bool same =
      job->entry.key == entry.key && job->entry.owner.salt == entry.owner.salt &&
      job->entry.owner.adapter == entry.owner.adapter && job->entry.tokens == entry.tokens &&
      std::equal(tokens.begin(), tokens.end(), job->tokens.begin(), job->tokens.end());
  if (!same) return Waiting::kOther;
  std::copy(job->bytes.begin(), job->bytes.end(), bytes.begin());
  return Waiting::kThis;
}

std::vector<OffloadWriter::Failure> OffloadWriter::TakeFailures() {
  const std::lock_guard lock(mutex_);
  return std::exchange(failures_, {});
}

void OffloadWriter::Flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.empty(); });
}

void OffloadWriter::Run() {
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    // Nobody else removes it, and others may read it meanwhile.
    const Job& job = jobs_.front();
    lock.unlock();
    if (before_write_) before_write_();
    bool written = true;
    if (job.entry.tokens == 0) {
      file_.Clear(job.slot);
    } else {
      written = file_.Write(job.slot, job.entry, {job.tokens.data(), job.tokens.size()},
                            {job.bytes.data(), job.bytes.size()});
    }
    lock.lock();
    if (!written) failures_.push_back({job.slot, job.entry.key});
    waiting_bytes_ -= job.bytes.size();
    jobs_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace tenon::core
