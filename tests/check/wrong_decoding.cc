// SPDX-License-Identifier: Apache-2.0
// Samplers, drafters and processors with one fault each, and a sampler without.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>
#include <thread>

#include "tenon/decoding.h"
#include "tenon/plugin.h"
#include "tenon/rules.h"

namespace {

using namespace tenon;

enum class Fault { kNone, kSquares, kCounts, kIgnoresZero, kWrongDistribution };

double Random(uint64_t seed, uint64_t position) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + (position + 1) * 0xbf58476d1ce4e5b9u;
  for (int i = 0; i < 3; ++i) x = (x ^ x >> 31) * 0x94d049bb133111ebu;
  return static_cast<double>((x ^ x >> 29) >> 11) * 0x1p-53;
}

template <Fault kFault>
class Softmax final : public Component, public Sampler {
 public:
  explicit Softmax(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<Sampler>(this, name); }
  uint64_t ScratchBytes(int32_t) const noexcept override { return 0; }

  int32_t Sample(const DecodePoint& point, Span<float> logits, void*) noexcept override {
    Weigh(point, logits, kFault == Fault::kSquares ? 1.1f : 1);
    const uint64_t place = point.tokens.size - static_cast<uint64_t>(point.prompt_tokens);
    const double u = Random(point.params->seed, place + (kFault == Fault::kCounts ? calls_++ : 0));
    double sum = 0;
    int32_t last = 0;
    for (uint64_t i = 0; i < logits.size; ++i) {
      if (!(logits[i] > 0)) continue;
      last = static_cast<int32_t>(i);
      if ((sum += static_cast<double>(logits[i])) > u) break;
    }
    return last;
  }

  void Distribution(const DecodePoint& point, Span<float> logits, void*) noexcept override {
    Weigh(point, logits, kFault == Fault::kWrongDistribution ? 2 : 1);
  }

 private:
  // In place: probabilities, to the power of `power` before they are made to add up to one.
  static void Weigh(const DecodePoint& point, Span<float> logits, float power) {
    float t = point.params->temperature;
    if (!std::isfinite(t) || t < 0 || (t == 0 && kFault == Fault::kIgnoresZero)) t = 1;
    uint64_t best = 0;
    for (uint64_t i = 0; i < logits.size; ++i) {
      if (std::isnan(logits[i])) logits[i] = -INFINITY;
      if (logits[i] > logits[best]) best = i;
    }
    const float highest = logits[best];
    const bool certain = t < 1e-6f || !std::isfinite(highest);
    double sum = 0;
    for (uint64_t i = 0; i < logits.size; ++i) {
      logits[i] = certain ? (i == best ? 1.0f : 0.0f) : std::exp((logits[i] - highest) / t * power);
      sum += static_cast<double>(logits[i]);
    }
    for (float& x : logits) x = static_cast<float>(static_cast<double>(x) / sum);
  }

  uint64_t calls_ = 0;
};

template <int kFault>
class Drafts final : public Component, public Drafter {
 public:
  explicit Drafts(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<Drafter>(this, name); }
  int32_t MaxTokens() const noexcept override { return 2; }
  int32_t Propose(const DecodePoint& point, Span<int32_t> drafts) noexcept override {
    if (drafts.size < 4 || point.tokens.empty()) return 0;
    for (uint64_t i = 0; i < 4; ++i) drafts[i] = kFault == 0 ? -3 : 1;
    return kFault == 0 ? 2 : 4;
  }
};

class MakesNan final : public Component, public LogitProcessor {
 public:
  explicit MakesNan(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint&, Span<float> logits) noexcept override {
    for (float& x : logits) x = std::sqrt(x);
  }
};

class TrustsTokens final : public Component, public LogitProcessor {
 public:
  explicit TrustsTokens(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint& point, Span<float> logits) noexcept override {
    for (const int32_t token : point.tokens) logits[static_cast<uint64_t>(int64_t{token})] -= 1;
  }
};

// Keeps what it works on in a member, which calls at once share.
class SharesScratch final : public Component, public LogitProcessor, public Sampler {
 public:
  explicit SharesScratch(const CreateArgs&) {}
  void* Query(const char* name) noexcept override {
    return Offer<LogitProcessor, Sampler>(this, name);
  }
  void Apply(const DecodePoint&, Span<float> logits) noexcept override {
    const uint64_t count = std::min<uint64_t>(logits.size, work_.size());
    for (uint64_t i = 0; i < count; ++i) work_[i] = logits[i];
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    for (uint64_t i = 0; i < count; ++i) logits[i] = work_[i];
  }
  uint64_t ScratchBytes(int32_t) const noexcept override { return 0; }
  int32_t Sample(const DecodePoint&, Span<float> logits, void*) noexcept override {
    best_ = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    return best_;
  }
  void Distribution(const DecodePoint&, Span<float>, void*) noexcept override {}

 private:
  std::array<std::atomic<float>, 2000> work_{};
  std::atomic<int32_t> best_ = 0;
};

// Takes "ab" out of each piece, and does not see the one whose halves come apart.
class ForgetsBorders final : public Component, public BackRule {
 public:
  explicit ForgetsBorders(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<BackRule>(this, name); }
  TextFilter* Begin() noexcept override { return &filter_; }
  void End(TextFilter*) noexcept override {}

 private:
  class Filter final : public TextFilter {
   public:
    void Feed(Str text, TextSink& out) noexcept override {
      std::string left(std::string_view{text});
      for (size_t at = left.find("ab"); at != left.npos; at = left.find("ab")) left.erase(at, 2);
      out.Append(std::string_view(left));
    }
    void Finish(TextSink&) noexcept override {}
    bool Blocked() const noexcept override { return false; }
  };
  Filter filter_;
};

class SpeaksAndDenies final : public Component, public FrontRule {
 public:
  explicit SpeaksAndDenies(const CreateArgs&) {}
  void* Query(const char* name) noexcept override { return Offer<FrontRule>(this, name); }
  bool Answer(const RuleRequest&, TextSink& out) noexcept override {
    out.Append(std::string_view("perhaps"));
    return false;
  }
  void Learn(const RuleRequest&, Str) noexcept override {}
};

template <typename T>
constexpr ComponentInfo Described(const char* name) {
  return Describe<T>(Family::kDecoding, name, "From logits to tokens.", 0,
                     Claim(Capability::kDeviceCpu));
}

constexpr ComponentInfo kRight = Described<Softmax<Fault::kNone>>("acme.right");
constexpr ComponentInfo kSquares = Described<Softmax<Fault::kSquares>>("acme.draws_too_narrowly");
constexpr ComponentInfo kCounts = Described<Softmax<Fault::kCounts>>("acme.counts_calls");
constexpr ComponentInfo kZero = Described<Softmax<Fault::kIgnoresZero>>("acme.ignores_zero");
constexpr ComponentInfo kWrong =
    Described<Softmax<Fault::kWrongDistribution>>("acme.wrong_distribution");
constexpr ComponentInfo kNegative = Described<Drafts<0>>("acme.negative_tokens");
constexpr ComponentInfo kTooMany = Described<Drafts<1>>("acme.too_many_tokens");
constexpr ComponentInfo kNan = Described<MakesNan>("acme.makes_nan");
constexpr ComponentInfo kShares = Described<SharesScratch>("acme.shares_scratch");
constexpr ComponentInfo kBorders = Described<ForgetsBorders>("acme.forgets_borders");
constexpr ComponentInfo kDenies = Described<SpeaksAndDenies>("acme.speaks_and_denies");
constexpr ComponentInfo kTrusts = Described<TrustsTokens>("acme.trusts_tokens");

}  // namespace

TENON_PLUGIN("acme.decoding.wrong", "1.0.0", "MIT", &kRight, &kSquares, &kCounts, &kZero, &kWrong,
             &kNegative, &kTooMany, &kNan, &kTrusts, &kShares, &kBorders, &kDenies);
