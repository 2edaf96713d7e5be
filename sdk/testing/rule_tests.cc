// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <string>

#include "tenon/rules.h"
#include "tenon/testing/decoding_tests.h"
#include "tenon/testing/options.h"

namespace tenon::testing {
namespace {

constexpr int kTexts = 200;

class Collected final : public TextSink {
 public:
  void Append(Str piece) noexcept override { text += std::string_view(piece); }
  std::string text;
};

// Few letters, so that what is looked for is found often; one of two bytes.
std::string RandomText(std::mt19937_64& random) {
  const char* const letters[] = {"a", "b", "a", "b", "c", " ", "\xc3\xa9"};
  std::string text;
  for (uint64_t left = random() % 40; left > 0; --left) text += letters[random() % 7];
  return text;
}

// Bytes up to the end of the character that begins at `at`.
size_t Character(const std::string& text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) ++end;
  return end - at;
}

struct Filtered {
  std::string text;
  bool blocked = false;
  bool operator==(const Filtered&) const = default;
};

// The text through one filter, in pieces of `most` characters at most.
Filtered Through(BackRule& rule, const std::string& text, uint64_t most, std::mt19937_64& random) {
  Collected out;
  TextFilter* filter = rule.Begin();
  if (filter == nullptr) return {"no filter", false};
  for (size_t at = 0; at < text.size() && !filter->Blocked();) {
    size_t bytes = 0;
    for (uint64_t left = 1 + random() % most; left > 0 && at + bytes < text.size(); --left) {
      bytes += Character(text, at + bytes);
    }
    filter->Feed(std::string_view(text).substr(at, bytes), out);
    at += bytes;
  }
  if (!filter->Blocked()) filter->Finish(out);
  const bool blocked = filter->Blocked();
  rule.End(filter);
  return {out.text, blocked};
}

// Options with "ab" wherever any text is allowed: what a rule looks for, if it looks for anything.
std::map<std::string, std::string> Looking(const ComponentInfo& info) {
  std::map<std::string, std::string> options;
  for (uint32_t i = 0; i < info.option_count; ++i) {
    const OptionInfo& option = info.options[i];
    const bool text = option.type == OptionType::kString && ChoicesOf(option).empty();
    if (text) options[option.name] = "ab";
  }
  return options;
}

// How a text is cut into pieces does not show.
Verdict Pieces(const Subject& subject) {
  std::mt19937_64 random(1);
  for (const bool looking : {false, true}) {
    KitHost host;
    KitDevice device(subject.device);
    const Instance made(
        *subject.component, &host, &device,
        looking ? Looking(*subject.component) : std::map<std::string, std::string>());
    if (made.status() != Status::kOk) continue;
    auto* rule = made.As<BackRule>();
    if (rule == nullptr) return Skipped("offers no tenon.decoding.back_rule/1");
    for (int i = 0; i < kTexts; ++i) {
      const std::string text = RandomText(random);
      const Filtered whole = Through(*rule, text, 1000, random);
      for (const uint64_t most : {uint64_t{1}, uint64_t{3}}) {
        const Filtered cut = Through(*rule, text, most, random);
        if (cut == whole) continue;
        return Failed(Text("\"%s\" became \"%s\" as a whole, and \"%s\" in pieces", text.c_str(),
                           whole.text.c_str(), cut.text.c_str()));
      }
    }
  }
  return Passed();
}

// An answer comes whole or not at all, and the same request gets the same one.
Verdict Answers(const Subject& subject) {
  Role<FrontRule> made(subject);
  if (made.role == nullptr) return Skipped("offers no tenon.decoding.front_rule/1");
  std::mt19937_64 random(1);
  for (int i = 0; i < kTexts; ++i) {
    const std::string text = RandomText(random), learnt = RandomText(random);
    const RuleRequest request{std::string_view(text), {random(), random()}};
    Collected first, again;
    const bool answered = made.role->Answer(request, first);
    if (!answered && !first.text.empty()) {
      return Failed("gave text out and said that it had no answer");
    }
    if (made.role->Answer(request, again) != answered || again.text != first.text) {
      return Failed("the same request got another answer");
    }
    if (answered) continue;
    made.role->Learn(request, std::string_view(learnt));
    Collected taught;
    if (made.role->Answer(request, taught) && taught.text != learnt) {
      return Failed("an answer that it was told came back changed");
    }
  }
  return Passed();
}

}  // namespace

void AddRuleTests(std::vector<Test>* tests) {
  tests->insert(tests->end(),
                {{"decoding.front_rule.answers", Answers}, {"decoding.back_rule.pieces", Pieces}});
}

}  // namespace tenon::testing
