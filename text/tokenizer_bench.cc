// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "text/testing/long_texts.h"
#include "text/testing/stored_models_test.h"
#include "text/testing/vocabularies.h"
#include "text/tokenizer.h"

// MB/s of encoding and decoding with the vocabularies of stored models, on one core: English, and
// texts of one kind of character at 1 and 2 MiB, whose rates ought to be the same.
//   tokenizer_bench --benchmark_filter='smollm2/encode/spaces/'
namespace tenon::text {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string English(size_t bytes) {
  std::string once = testing::ReadFile(TENON_SHARED_DIR "/reference/wikitext2-head.txt");
  if (once.empty()) once = testing::ReadFile(TENON_SOURCE_DIR "/LICENSE");
  std::string text;
  while (text.size() < bytes) text += once;
  text.resize(bytes);
  return text;
}

using TextMaker = std::function<std::string()>;

void Encode(benchmark::State& state, const Tokenizer& tokenizer, const TextMaker& make) {
  const std::string text = make();
  size_t ids = 0;
  for ([[maybe_unused]] auto step : state) {
    auto encoded = tokenizer.Encode(text);
    if (!encoded.ok()) return state.SkipWithError(encoded.error().message.c_str());
    ids = encoded->size();
    benchmark::DoNotOptimize(encoded->data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
  state.counters["ids"] = static_cast<double>(ids);
}

void Decode(benchmark::State& state, const Tokenizer& tokenizer, const TextMaker& make) {
  const std::string text = make();
  const auto ids = tokenizer.Encode(text);
  if (!ids.ok()) return state.SkipWithError(ids.error().message.c_str());
  for ([[maybe_unused]] auto step : state) {
    std::string decoded = tokenizer.Decode(*ids);
    benchmark::DoNotOptimize(decoded.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void Register(const std::string& name, const std::shared_ptr<const Tokenizer>& tokenizer) {
  const auto add = [&](const std::string& text_name, size_t mib, const TextMaker& text,
                       auto* what) {
    const char* verb = what == &Encode ? "/encode/" : "/decode/";
    benchmark::RegisterBenchmark((name + verb + text_name + "/" + std::to_string(mib)).c_str(),
                                 [=](benchmark::State& state) { what(state, *tokenizer, text); })
        ->Unit(benchmark::kMillisecond)
        ->MinTime(0.2);
  };
  for (const size_t mib : {1, 2}) {
    add(
        "english", mib, [mib] { return English(mib * kMiB); }, &Encode);
    add(
        "english", mib, [mib] { return English(mib * kMiB); }, &Decode);
    for (const testing::LongText& kind : testing::LongTexts()) {
      add(
          std::string(kind.name), mib, [=] { return testing::Make(kind, mib * kMiB); }, &Encode);
    }
  }
}

void RegisterModel(const std::string& name, const std::string& model) {
  const std::string path = testing::StoredModel(model);
  if (path.empty()) {
    std::fprintf(stderr, "%s is not stored; tenon pull %s\n", model.c_str(), model.c_str());
    return;
  }
  auto vocabulary = testing::ReadVocabulary(path);
  auto made = vocabulary.ok() ? Tokenizer::Make(*std::move(vocabulary)) : vocabulary.error();
  if (!made.ok()) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), made.error().message.c_str());
    return;
  }
  Register(name, std::make_shared<const Tokenizer>(*std::move(made)));
}

}  // namespace
}  // namespace tenon::text

int main(int argc, char** argv) {
  tenon::text::RegisterModel("smollm2", "smollm2-135m-instruct");
  tenon::text::RegisterModel("gemma3", "gemma-3-270m");
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
