// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/golden/golden.h"

// A step allocates nothing, on whatever thread: every allocation of the process, those of plugins
// and of operator new too, goes through the functions below.
namespace {

std::atomic<bool> g_counting{false};
std::atomic<int64_t> g_allocations{0};
std::atomic<size_t> g_first_bytes{0};

void Count(size_t bytes) {
  if (!g_counting.load(std::memory_order_relaxed)) return;
  if (g_allocations.fetch_add(1) == 0) g_first_bytes = bytes;
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

__attribute__((visibility("default"))) void* malloc(size_t bytes) {
  Count(bytes);
  return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void* calloc(size_t count, size_t bytes) {
  Count(count * bytes);
  return __libc_calloc(count, bytes);
}

__attribute__((visibility("default"))) void* realloc(void* old, size_t bytes) {
  Count(bytes);
  return __libc_realloc(old, bytes);
}

__attribute__((visibility("default"))) void* memalign(size_t alignment, size_t bytes) {
  Count(bytes);
  return __libc_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) void* aligned_alloc(size_t alignment, size_t bytes) {
  Count(bytes);
  return __libc_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) int posix_memalign(void** out, size_t alignment,
                                                          size_t bytes) {
  Count(bytes);
  *out = __libc_memalign(alignment, bytes);
  return *out == nullptr ? ENOMEM : 0;
}
}

namespace tenon::testing {
namespace {

const std::string kTiny = "model=" TENON_SOURCE_DIR "/tests/data/models/llama";

template <typename Work>
int64_t AllocationsIn(const Work& work) {
  g_allocations = 0;
  g_counting = true;
  work();
  g_counting = false;
  return g_allocations;
}

core::Request MakeRequest(int32_t i, int32_t prompt_tokens, int32_t max_tokens) {
  core::Request request;
  for (int32_t t = 0; t < prompt_tokens; ++t) request.prompt.push_back(3 + (i * 31 + t * 7) % 97);
  request.max_tokens = max_tokens;
  request.min_tokens = i % 2 == 0 ? max_tokens : 0;
  request.stop_tokens = {2};
  request.logprobs = i % 3 == 0 ? 4 : -1;
  request.bias = {{5, 0.5F}};
  request.sampling.temperature = i % 4 == 0 ? 0.0F : 0.9F;
  request.sampling.top_p = i % 5 == 1 ? 0.8F : 1.0F;
  request.sampling.top_k = i % 5 == 2 ? 20 : 0;
  request.sampling.repetition_penalty = 1.1F;
  request.sampling.presence_penalty = 0.2F;
  request.sampling.frequency_penalty = 0.1F;
  request.sampling.seed = static_cast<uint64_t>(i);
  return request;
}

// Sequences are stopped by nothing but their length here, so that the steps counted are all of
// one kind.
void ExpectNoAllocation(const char* config, std::vector<std::string> overrides, int32_t steps) {
  SCOPED_TRACE(config);
  constexpr int32_t kSequences = 6;
  constexpr int32_t kWarmUp = 12;
  const auto session = Open(config, std::move(overrides));
  ASSERT_NE(session, nullptr);
  core::Engine& engine = session->engine();
  int64_t heard = 0;
  for (int32_t i = 0; i < kSequences; ++i) {
    core::Request request = MakeRequest(i, 20 + 3 * i, 8 * (steps + kWarmUp));
    request.stop_tokens = {};
    request.on_event = [&heard](const core::TokenEvent&) { ++heard; };
    const auto submitted = engine.Submit(std::move(request));
    ASSERT_TRUE(submitted.ok()) << submitted.error().message;
  }
  while (engine.Stats().output_tokens < kWarmUp * kSequences) ASSERT_GE(engine.Step(), 0);
  const int64_t before = engine.Stats().steps;
  const int64_t heard_before = heard;
  const int64_t allocations = AllocationsIn([&] {
    for (int32_t i = 0; i < steps; ++i) engine.Step();
  });
  EXPECT_EQ(allocations, 0) << "the first of " << g_first_bytes << " bytes";
  EXPECT_EQ(engine.Stats().steps - before, steps);
  EXPECT_GE(heard - heard_before, int64_t{steps} * kSequences);
}

TEST(AllocationCount, SeesEveryThreadAndKind) {
  EXPECT_GT(AllocationsIn([] { std::free(std::malloc(100)); }), 0);
  EXPECT_GT(AllocationsIn([] { delete new std::string(100, 0); }), 0);
  EXPECT_GT(AllocationsIn([] { std::free(std::aligned_alloc(64, 128)); }), 0);
  std::atomic<bool> go{false};
  std::thread worker([&] {
    while (!go) std::this_thread::yield();
    std::free(std::malloc(100));
  });
  EXPECT_GT(AllocationsIn([&] {
              go = true;
              worker.join();
            }),
            0);
}

TEST(DefaultPipeline, AllocatesNothingInADecodeStep) { ExpectNoAllocation("default.yaml", {}, 40); }

TEST(TinyPipelines, AllocateNothingInADecodeStep) {
  for (const char* config :
       {"default.yaml", "exact.yaml", "flash.yaml", "reference.yaml", "greedy.yaml", "ngram.yaml",
        "continuous.yaml", "static.yaml", "dynamic.yaml"}) {
    ExpectNoAllocation(config, {kTiny, "device.threads=3"}, 40);
  }
}

TEST(TinyPipelines, AllocateNothingInAChunkOfAPrompt) {
  const auto session = Open("default.yaml", {kTiny, "scheduler.max_batch_tokens=16"});
  ASSERT_NE(session, nullptr);
  core::Engine& engine = session->engine();
  const auto submit = [&engine](int32_t first) {  // prompts unlike those before: none is kept
    for (int32_t i = first; i < first + 3; ++i) {
      ASSERT_TRUE(engine.Submit(MakeRequest(i, 400, 10)).ok());
    }
  };
  // The engine's lists grow to as many sequences as there ever were.
  submit(0);
  engine.RunUntilIdle();
  submit(3);
  ASSERT_GE(engine.Step(), 0);
  const int64_t before = engine.Stats().prompt_tokens;
  EXPECT_EQ(AllocationsIn([&] {
              for (int32_t i = 0; i < 60; ++i) engine.Step();
            }),
            0)
      << "the first of " << g_first_bytes << " bytes";
  EXPECT_GT(engine.Stats().prompt_tokens - before, 800);
  engine.RunUntilIdle();
}

}  // namespace
}  // namespace tenon::testing
