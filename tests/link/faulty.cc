// SPDX-License-Identifier: Apache-2.0
// A processor that takes its time, and that crashes, aborts or never returns where a prompt ends
// with a certain token.
#include <cstdlib>
#include <ctime>

#include "tenon/decoding.h"
#include "tenon/plugin.h"

namespace {

using namespace tenon;

class Faulty final : public Component, public LogitProcessor {
 public:
  explicit Faulty(const CreateArgs& args)
      : sleep_us_(args.options.Int("sleep_us")),
        crash_(args.options.Int("crash_token")),
        abort_(args.options.Int("abort_token")),
        hang_(args.options.Int("hang_token")) {}
  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }

  void Apply(const DecodePoint& point, Span<float>) noexcept override {
    const timespec time{sleep_us_ / 1000000, sleep_us_ % 1000000 * 1000};
    nanosleep(&time, nullptr);
    if (point.tokens.size != static_cast<uint64_t>(point.prompt_tokens)) return;
    const int32_t last = point.tokens[point.tokens.size - 1];
    if (last == crash_) *nowhere_ = 1;
    if (last == abort_) std::abort();
    while (last == hang_) nanosleep(&time, nullptr);
  }

 private:
  const int64_t sleep_us_, crash_, abort_, hang_;
  int* volatile nowhere_ = nullptr;
};

constexpr OptionInfo kOptions[] = {
    {"sleep_us", OptionType::kInt, "0", "How long a token takes.", 0, 1000000},
    {"crash_token", OptionType::kInt, "-1", "Writes to nowhere.", -1, 1 << 20},
    {"abort_token", OptionType::kInt, "-1", "Aborts.", -1, 1 << 20},
    {"hang_token", OptionType::kInt, "-1", "Never returns.", -1, 1 << 20}};

constexpr ComponentInfo kFaulty =
    Describe<Faulty>(Family::kDecoding, "acme.faulty", "Changes nothing, or ends the process.", 0,
                     Claim(Capability::kDeviceCpu), kOptions);

}  // namespace

TENON_PLUGIN("acme.faulty", "1.0.0", "MIT", &kFaulty);
