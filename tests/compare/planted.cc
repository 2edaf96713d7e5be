// SPDX-License-Identifier: Apache-2.0
// Faults that `tenon compare` must find: a pipeline slowed down by a known share, and one that
// computes slightly wrong. Nothing here is installed.
#include <atomic>
#include <chrono>

#include "tenon/decoding.h"
#include "tenon/ops.h"
#include "tenon/plugin.h"
#include "tenon/program.h"

namespace tenon::testing {
namespace {

using Clock = std::chrono::steady_clock;

// Spins for a share of the time since it was last asked, which is one step of a single sequence.
class Slow final : public Component, public LogitProcessor {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"percent", OptionType::kInt, "10", "How much longer each step takes.", 0, 1000}};

  explicit Slow(const CreateArgs& args)
      : share_(static_cast<double>(args.options.Int("percent")) / 100) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }

  void Apply(const DecodePoint& point, Span<float>) noexcept override {
    const Clock::time_point now = Clock::now();
    const Clock::time_point last(Clock::duration(last_.exchange(now.time_since_epoch().count())));
    // The first token of a request waits by what the prompt is worth; its step is not known here.
    if (static_cast<int64_t>(point.tokens.size) > point.prompt_tokens) {
      const auto until = now + (now - last) * share_;
      while (Clock::now() < until) {
      }
    }
  }

 private:
  double share_;
  std::atomic<Clock::rep> last_{Clock::now().time_since_epoch().count()};
};

// Adds to the weight of every norm.
class Fault final : public Component, public LogitProcessor, public Pass {
 public:
  static constexpr OptionInfo kOptions[] = {
      {"offset", OptionType::kFloat, "0.01", "What is added to the norms' weights.", -1, 1}};

  explicit Fault(const CreateArgs& args)
      : offset_(static_cast<float>(args.options.Float("offset"))) {}
  void* Query(const char* name) noexcept override {
    return Offer<LogitProcessor, Pass>(this, name);
  }
  void Apply(const DecodePoint&, Span<float>) noexcept override {}

  Status Rewrite(ProgramEditor& program) noexcept override {
    for (int32_t i = 0; i < program.Count(); ++i) {
      Node node = program.At(i);
      if (!(node.kind == Str(kRmsNorm))) continue;
      RmsNormParams params = *static_cast<const RmsNormParams*>(node.params);
      params.weight_offset += offset_;
      node.params = &params;
      program.Replace(i, node);
    }
    return Status::kOk;
  }

 private:
  float offset_;
};

constexpr Capabilities kAnywhere = Claim(Capability::kDeviceCpu, Capability::kDeviceCuda);
constexpr ComponentInfo kSlow = Describe<Slow>(
    Family::kDecoding, "planted.slow", "Makes every step longer.", 0, kAnywhere, Slow::kOptions);
constexpr ComponentInfo kFault =
    Describe<Fault>(Family::kDecoding, "planted.fault", "Makes every norm slightly wrong.", 0,
                    kAnywhere, Fault::kOptions);

}  // namespace
}  // namespace tenon::testing

TENON_PLUGIN("test.planted", "0.1.0", "Apache-2.0", &tenon::testing::kSlow,
             &tenon::testing::kFault);
