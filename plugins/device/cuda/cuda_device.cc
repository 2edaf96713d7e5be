// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cuda/cuda_device.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <stdexcept>
#include <thread>

#include "plugins/device/cuda/base_ops.h"

namespace tenon::cuda {
namespace {

constexpr int kLowestMajor = 8;

void Check(cudaError_t error, const char* what) {
  if (error != cudaSuccess)
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

int ThreadsOf(Str text) {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (text == Str("auto")) return cores;
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data, text.data + text.size, threads);
  if (error != std::errc{} || end != text.data + text.size || threads < 1 || threads > 1024) {
    throw std::runtime_error("threads is \"" + std::string(std::string_view(text)) +
                             "\"; auto or 1 to 1024 allowed");
  }
  return threads;
}

// Places one array after the other, each aligned to 16 bytes.
class Layout {
 public:
  template <typename T>
  uint64_t Place(int64_t count) {
    const uint64_t at = bytes_;
    bytes_ += (static_cast<uint64_t>(count) * sizeof(T) + 15) / 16 * 16;
    return at;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t bytes_ = 0;
};

int64_t BlockTableEntries(const Batch& batch) {
  int64_t end = 0;
  for (int32_t s = 0; s < batch.sequences; ++s) {
    end = std::max<int64_t>(end, int64_t{batch.spans[s].first_block} + batch.spans[s].blocks);
  }
  return end;
}

}  // namespace

Status ProbeCuda(Host* host) noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    return host->Fail(Status::kUnsupported,
                      "needs an NVIDIA GPU of sm_80 or later, found no CUDA device");
  }
  for (int i = 0; i < count; ++i) {
    int major = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, i) == cudaSuccess &&
        major >= kLowestMajor) {
      return Status::kOk;
    }
  }
  return host->Fail(Status::kUnsupported,
                    "needs an NVIDIA GPU of sm_80 or later, found older ones only");
}

CudaDevice::CudaDevice(const CreateArgs& args)
    : host_(*args.host),
      index_(static_cast<int>(args.options.Int("index"))),
      threads_(ThreadsOf(args.options.Text("threads"))) {
  int count = 0;
  Check(cudaGetDeviceCount(&count), "no CUDA device can be used");
  if (index_ >= count) {
    throw std::runtime_error("index is " + std::to_string(index_) + "; this machine has " +
                             std::to_string(count) + " CUDA devices, counted from 0");
  }
  Check(cudaSetDevice(index_), "the card cannot be chosen");
  Check(cudaGetDeviceProperties(&properties_, index_), "the card's properties cannot be read");
  isa_ = "sm_" + std::to_string(properties_.major) + std::to_string(properties_.minor);
  Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "no stream can be made");
}

CudaDevice::~CudaDevice() {
  cudaSetDevice(index_);
  for (cudaEvent_t event : events_) cudaEventDestroy(event);
  for (void* memory : memory_) cudaFree(memory);
  cudaFree(arrays_);
  cudaFreeHost(staging_);
  cudaStreamDestroy(stream_);
}

Status CudaDevice::Failed(const char* what, cudaError_t error) noexcept {
  const std::string text = std::string(what) + ": " + cudaGetErrorString(error);
  host_.Log(LogLevel::kError, Str(text));
  return host_.Fail(Status::kIo, Str(text));
}

Status CudaDevice::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  Status status = Status::kOk;
  uint64_t weight_bytes = 0;
  std::unique_ptr<CudaOp> op = PlanBaseOp(spec, host_, *this, &weight_bytes, &status);
  if (op == nullptr) return status;
  ops_.push_back(std::move(op));
  *out = {.op = ops_.back().get(), .split = Split::kAny, .weight_bytes = weight_bytes};
  return Status::kOk;
}

DeviceInfo CudaDevice::Info() const noexcept {
  size_t free = 0;
  size_t total = 0;
  cudaSetDevice(index_);
  cudaMemGetInfo(&free, &total);
  return {.kind = "cuda",
          .name = properties_.name,
          .isa = Str(isa_),
          .lanes = 1,
          .memory_bytes = total,
          .free_bytes = free};
}

void* CudaDevice::Allocate(uint64_t bytes) noexcept {
  void* memory = nullptr;
  cudaSetDevice(index_);
  if (cudaMalloc(&memory, std::max<uint64_t>(bytes, 64)) != cudaSuccess) return nullptr;
  if (cudaMemset(memory, 0, bytes) != cudaSuccess) {
    cudaFree(memory);
    return nullptr;
  }
  memory_.insert(memory);
  return memory;
}

void CudaDevice::Free(void* memory) noexcept {
  if (memory_.erase(memory) > 0) cudaFree(memory);
}

Status CudaDevice::Copy(void* to, const void* from, uint64_t bytes, CopyKind kind) noexcept {
  constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                       cudaMemcpyDeviceToDevice};
  cudaError_t error = cudaSetDevice(index_);
  if (error == cudaSuccess) {
    error = cudaMemcpyAsync(to, from, bytes, kKinds[static_cast<uint32_t>(kind)], stream_);
  }
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream_);
  return error == cudaSuccess ? Status::kOk : Failed("copying failed", error);
}

bool CudaDevice::Reserve(uint64_t bytes) noexcept {
  if (bytes <= arrays_bytes_) return true;
  bytes = bytes * 2;
  cudaFree(arrays_);
  cudaFreeHost(staging_);
  arrays_ = staging_ = nullptr;
  arrays_bytes_ = 0;
  if (cudaMalloc(reinterpret_cast<void**>(&arrays_), bytes) != cudaSuccess ||
      cudaMallocHost(reinterpret_cast<void**>(&staging_), bytes) != cudaSuccess) {
    return false;
  }
  arrays_bytes_ = bytes;
  return true;
}

Status CudaDevice::Upload(const Batch& batch, Batch* on_card) noexcept {
  Layout layout;
  const int64_t blocks = BlockTableEntries(batch);
  const uint64_t ids = layout.Place<int32_t>(batch.tokens);
  const uint64_t positions = layout.Place<int32_t>(batch.tokens);
  const uint64_t sequences = layout.Place<int32_t>(batch.tokens);
  const uint64_t spans = layout.Place<SequenceSpan>(batch.sequences);
  const uint64_t tables = layout.Place<int32_t>(blocks);
  const uint64_t rows = layout.Place<int32_t>(batch.logit_rows);
  const uint64_t masks = layout.Place<uint64_t>(batch.tree_mask != nullptr ? batch.tokens : 0);
  if (!Reserve(layout.bytes()))
    return host_.Fail(Status::kOutOfMemory, "no memory for a batch's arrays");

  const auto put = [&](uint64_t at, const auto* from, int64_t count) {
    std::copy_n(from, count,
                reinterpret_cast<std::remove_const_t<std::remove_pointer_t<decltype(from)>>*>(
                    staging_ + at));
  };
  put(ids, batch.token_ids, batch.tokens);
  put(positions, batch.positions, batch.tokens);
  put(sequences, batch.token_sequence, batch.tokens);
  put(spans, batch.spans, batch.sequences);
  put(tables, batch.block_tables, blocks);
  put(rows, batch.logit_row_tokens, batch.logit_rows);
  if (batch.tree_mask != nullptr) put(masks, batch.tree_mask, batch.tokens);
  const cudaError_t error =
      cudaMemcpyAsync(arrays_, staging_, layout.bytes(), cudaMemcpyHostToDevice, stream_);
  if (error != cudaSuccess) return Failed("a batch could not be brought to the card", error);

  *on_card = batch;
  on_card->token_ids = reinterpret_cast<const int32_t*>(arrays_ + ids);
  on_card->positions = reinterpret_cast<const int32_t*>(arrays_ + positions);
  on_card->token_sequence = reinterpret_cast<const int32_t*>(arrays_ + sequences);
  on_card->spans = reinterpret_cast<const SequenceSpan*>(arrays_ + spans);
  on_card->block_tables = reinterpret_cast<const int32_t*>(arrays_ + tables);
  on_card->logit_row_tokens = reinterpret_cast<const int32_t*>(arrays_ + rows);
  if (batch.tree_mask != nullptr)
    on_card->tree_mask = reinterpret_cast<const uint64_t*>(arrays_ + masks);
  on_card->host_spans = batch.spans;
  return Status::kOk;
}

Status CudaDevice::Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept {
  cudaSetDevice(index_);
  Batch on_card{};
  if (const Status status = Upload(batch, &on_card); status != Status::kOk) return status;
  while (nanoseconds != nullptr && events_.size() <= steps.size) {
    cudaEvent_t event = nullptr;
    if (const cudaError_t error = cudaEventCreate(&event); error != cudaSuccess) {
      return Failed("no event can be made", error);
    }
    events_.push_back(event);
  }
  int64_t pieces = 0;
  int32_t failure = 0;
  const Lane lane{.index = 0,
                  .count = 1,
                  .stream = stream_,
                  .next_piece = &pieces,
                  .team = nullptr,
                  .meet = nullptr,
                  .failure = &failure};
  for (uint64_t i = 0; i < steps.size; ++i) {
    pieces = 0;
    if (nanoseconds != nullptr) cudaEventRecord(events_[i], stream_);
    steps[i].op->Run(on_card, lane);
  }
  if (nanoseconds != nullptr) cudaEventRecord(events_[steps.size], stream_);
  cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream_);
  if (error != cudaSuccess) return Failed("a step failed", error);
  for (uint64_t i = 0; nanoseconds != nullptr && i < steps.size; ++i) {
    float milliseconds = 0;
    cudaEventElapsedTime(&milliseconds, events_[i], events_[i + 1]);
    nanoseconds[i] += static_cast<uint64_t>(static_cast<double>(milliseconds) * 1e6);
  }
  return static_cast<Status>(failure);
}

void CudaDevice::ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                             void* context) noexcept {
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    for (int64_t i = next++; i < count; i = next++) fn(context, i);
  };
  std::vector<std::thread> threads;
  for (int64_t t = 1; t < std::min<int64_t>(threads_, count); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace tenon::cuda
