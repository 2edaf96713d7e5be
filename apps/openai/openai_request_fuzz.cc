// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "apps/openai/testing/fakes.h"

// Any body at any endpoint: answered, or refused with the field named, never an error of ours.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tenon::apps::openai;
  static testing::World* const kWorld = [] {
    auto* world = new testing::World();
    world->engine->answers_at_once = true;
    return world;
  }();
  static testing::World* const kVectors = [] {
    auto* world = new testing::World();
    world->engine->facts.embedding_max_tokens = 64;
    return world;
  }();
  static auto* const kEmbedding = [] {
    kVectors->engine->facts.generates = false;
    return new testing::OneModel(kVectors->engine);
  }();
  static Api* const kEmbeds = MakeApi(*kEmbedding, kVectors->observer, {}, {}).release();
  if (size == 0) return 0;
  const auto endpoint = static_cast<Endpoint>(bytes[0] % 5);
  Api& api = endpoint == Endpoint::kEmbeddings ? *kEmbeds : *kWorld->api;
  const auto sink = std::make_shared<testing::MemorySink>();
  const std::string_view body(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  api.Start(endpoint, body, {"r", "t"}, sink);
  kWorld->engine->started.clear();
  kVectors->engine->embedded.clear();
  kWorld->observer.records.clear();
  kVectors->observer.records.clear();
  if (!sink->done() || api.Running() != 0) __builtin_trap();
  if (!sink->error) return 0;
  if (sink->error->status >= 500 || sink->error->param.empty()) __builtin_trap();
  if (!nlohmann::json::accept(sink->error->Json())) __builtin_trap();
  return 0;
}
