// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizers.h"

#include <algorithm>
#include <array>

namespace tenon::text {
namespace {

// Each expression takes time linear in the text's length and no stack. Where a model's own one
// would look ahead over a run again and again, the comment says how it is written instead.

constexpr SplitStage kGpt2[] = {{R"('(?:[sdmt]|ll|ve|re))"
                                 R"(| ?\p{L}+)"
                                 R"(| ?\p{N}+)"
                                 R"(| ?[^\s\p{L}\p{N}]+)"
                                 R"(|\s+(?!\S))"
                                 R"(|\s+)"}};

// GPT-2's after each digit was cut out alone: a digit ends a run of spaces as the text's end does.
constexpr SplitStage kSingleDigits[] = {{R"('(?:[sdmt]|ll|ve|re))"
                                         R"(| ?\p{L}+)"
                                         R"(|\p{N})"
                                         R"(| ?[^\s\p{L}\p{N}]+)"
                                         R"(|\s+(?![^\s\p{N}]))"
                                         R"(|\s+)"}};

constexpr SplitStage kLlama3[] = {{R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                                   R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
                                   R"(|\p{N}{1,3})"
                                   R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                                   R"(|\s*[\r\n]+)"
                                   R"(|\s+(?!\S))"
                                   R"(|\s+)"}};

constexpr SplitStage kQwen2[] = {{R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                                  R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
                                  R"(|\p{N})"
                                  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                                  R"(|\s*[\r\n]+)"
                                  R"(|\s+(?!\S))"
                                  R"(|\s+)"}};

constexpr SplitStage kQwen35[] = {{R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                                   R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)"
                                   R"(|\p{N})"
                                   R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
                                   R"(|\s*[\r\n]+)"
                                   R"(|\s+(?!\S))"
                                   R"(|\s+)"}};

// Qwen2's without contractions.
constexpr SplitStage kUfakzeka[] = {{R"([^\r\n\p{L}\p{N}]?\p{L}+)"
                                     R"(|\p{N})"
                                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                                     R"(|\s*[\r\n]+)"
                                     R"(|\s+(?!\S))"
                                     R"(|\s+)"}};

constexpr SplitStage kSeedCoder[] = {{R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                                      R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
                                      R"(|\p{N})"
                                      R"(| ?[^\s\p{L}\p{N}\r\n]+)"
                                      R"(|\s*[\r\n]+)"
                                      R"(|\s+(?!\S))"
                                      R"(|\s+)"}};

constexpr SplitStage kBailing[] = {{R"('(?i:[sdmt]|ll|ve|re))"
                                    R"(|[^\r\n\p{L}\p{N}]?+\p{L}+)"
                                    R"(|\p{N})"
                                    R"(| ?[^\s\p{L}\p{N}]++[\r\n]*)"
                                    R"(|\s*[\r\n])"
                                    R"(|\s+(?!\S))"
                                    R"(|\s+)"}};

// Its words reach over single spaces: (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+, here without backtracking.
constexpr SplitStage kExaoneMoe[] = {
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
     R"(|[^\r\n\p{L}\p{N}]?\p{L}[\p{L}\p{M}]*+(?: \p{L}[\p{L}\p{M}]*+)*+)"
     R"(|\p{N})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?)"
     R"(|\s*[\r\n])"
     R"(|\s+(?!\S))"
     R"(|\s+)"}};

// Words change from upper to lower case once.
constexpr SplitStage kTekken[] = {
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"(|\p{N})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)"
     R"(|\s*[\r\n]+)"
     R"(|\s+(?!\S))"
     R"(|\s+)"}};

// O200k.
constexpr SplitStage kGpt4o[] = {
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)"
     R"(|\s*[\r\n]+)"
     R"(|\s+(?!\S))"
     R"(|\s+)"}};

// \d{1,3}(?=(?:\d{3})*\b) first, as one match for all groups of a number; then o200k.
constexpr SplitStage kTinyAya[] = {{R"((?<!\p{Nd})\p{Nd}++(?![\p{L}\p{M}\p{N}\p{Pc}]))", true},
                                   kGpt4o[0]};

constexpr SplitStage kYoutu[] = {
    {R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+)"
     R"(|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C})"
     R"(\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+)"
     R"(|[\x{3105}-\x{312F}]+)"
     R"(|[\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)"
     R"(|\s*[\r\n]+)"
     R"(|\s+(?!\S))"
     R"(|\s+)"}};

// O200k with Han characters kept apart; its classes of letters are written as what they leave out.
constexpr SplitStage kKimiK2[] = {
    {R"(\p{sc:Han}+)"
     R"(|[^\r\n\p{L}\p{N}]?[^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]*)"
     R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]+)"
     R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{sc:Han}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+)"
     R"(|\s+(?!\S))"
     R"(|\s+)"}};

constexpr SplitStage kDeepSeek3[] = {{R"(\p{N}{1,3})"},
                                     {R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)"},
                                     {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
                                      R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
                                      R"(| ?[\p{P}\p{S}]+[\r\n]*)"
                                      R"(|\s*[\r\n]+)"
                                      R"(|\s+(?!\S))"
                                      R"(|\s+)"}};

constexpr SplitStage kSpark[] = {{R"(\p{N}{1,3})"},
                                 {R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)"},
                                 {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
                                  R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
                                  R"(| ?[\p{P}\p{S}]+)"
                                  R"(|[\r\n])"
                                  R"(|\s+(?!\S))"
                                  R"(|\s+)"},
                                 {R"(\p{N})"}};

constexpr SplitStage kDeepSeekCoder[] = {{R"([\r\n])"},
                                         {R"(\s?\p{L}+)"},
                                         {R"(\s?\p{P}+)"},
                                         {R"([\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+)"},
                                         {R"(\p{N})"}};

// Its second stage lists the letters that have case. \s+$ is looked for at the start of a run only.
constexpr SplitStage kDeepSeekLlm[] = {
    {R"([\r\n])"},
    {R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
     R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386})"
     R"(\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F})"
     R"(\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA})"
     R"(\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15})"
     R"(\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B})"
     R"(\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4})"
     R"(\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4})"
     R"(\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124})"
     R"(\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F})"
     R"(\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4})"
     R"(\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F})"
     R"(\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
     R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3})"
     R"(\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"
     R"(\x{1E900}-\x{1E943}]+)"},
    {R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)"},
    {R"((?<!\s)\s++\z)"},
    {R"([\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+)"},
    {R"(\p{N}+)"}};

constexpr SplitStage kFalcon[] = {{R"([\p{P}$+<=>^~|`]+)"}, kGpt2[0], {R"([0-9][0-9][0-9])"}};

constexpr SplitStage kDefault[] = {
    {R"([\p{P}$+<=>^~|]+)"}, kGpt2[0], {R"(\p{N}+)"}, {R"([0-9][0-9][0-9])"}};

constexpr SplitStage kBloom[] = {
    {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)"}};

constexpr SplitStage kViking[] = {
    {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)"}, {R"(\p{N})"}};

constexpr SplitStage kChameleon[] = {{R"(<sentinel:[0-9]+>)"},    {R"(IMGIMG[A-I]{1,4}Z)"},
                                     {R"([\t\n]|    |  )"},       {R"(\p{N})"},
                                     {R"([\p{P}!-/:-@\[-`{-~])"}, kGpt2[0]};

constexpr SplitStage kMiniCpm5[] = {{R"(\p{N}{1,3})"},
                                    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
                                     R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
                                     R"(|\p{N}+)"
                                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                                     R"(|\s*[\r\n]+)"
                                     R"(|\s+(?!\S))"
                                     R"(|\s+)"}};

constexpr SplitStage kLaguna[] = {{R"([^\n]+)"
                                   R"(|\n+)"},
                                  kQwen2[0]};

// Llama 3's, then runs of spaces in powers of two. Its own single expression would look for a
// line's end behind every piece of a run.
constexpr SplitStage kJais2[] = {
    kLlama3[0],
    {R"((?s)\A\s*[\r\n]+|\A\s?\S.*+)"
     R"(|\s{512}|\s{256}|\s{128}|\s{64}|\s{32}|\s{16}|\s{8}|\s{4}|\s{1,2})"}};

constexpr auto kKnown = std::to_array<PreTokenizer>({
    {"a.x-4.0", kGpt2},
    {"bailingmoe", kBailing},
    {"bailingmoe2", kBailing},
    {"bloom", kBloom},
    {"chameleon", kChameleon, false, true},
    {"chatglm-bpe", kLlama3},
    {"codeshell", kSingleDigits},
    {"cohere2moe", kTinyAya},
    {"command-r", kSingleDigits},
    {"dbrx", kLlama3},
    {"deepseek-coder", kDeepSeekCoder},
    {"deepseek-llm", kDeepSeekLlm},
    {"deepseek-r1-qwen", kQwen2},
    {"deepseek-v3", kDeepSeek3},
    {"default", kDefault},
    {"exaone", kSingleDigits},
    {"exaone-moe", kExaoneMoe},
    {"exaone4", kGpt2},
    {"f2llmv2", kQwen2},
    {"falcon", kFalcon},
    {"falcon-h1", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"gigachat", kGpt2},
    {"glm4", kLlama3},
    {"gpt-2", kGpt2},
    {"gpt-4o", kGpt4o},
    {"gpt3-finnish", kBloom},
    {"granite-docling", kGpt2},
    {"grok-2", kQwen2},
    {"hunyuan", kQwen2},
    {"hunyuan-dense", kDeepSeek3},
    {"hy_v4", kDeepSeek3},
    {"jais", kGpt2},
    {"jais-2", kJais2},
    {"jina-de", kGpt2},
    {"jina-es", kGpt2},
    {"jina-v1-en", kGpt2},
    {"jina-v2-code", kGpt2},
    {"jina-v2-de", kGpt2},
    {"jina-v2-es", kGpt2},
    {"jina-v5-nano", kLlama3, true, true},
    {"joyai-llm", kDeepSeek3},
    {"kanana2", kGpt4o},
    {"kimi-k2", kKimiK2},
    {"kormo", kQwen2},
    {"laguna", kLaguna},
    {"lfm2", kLlama3, true, true},
    {"llada-moe", kBailing},
    {"llama-bpe", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"llama3", kLlama3, true, true},
    {"llama4", kGpt4o},
    {"megrez", kQwen2},
    {"mellum", kGpt2},
    {"mellum2", kSingleDigits},
    {"midm-2.0", kLlama3, true, true},
    {"minerva-7b", kSingleDigits},
    {"minicpm5", kMiniCpm5, true},
    {"minimax-m2", kGpt4o},
    {"modern-bert", kGpt2},
    {"mpt", kGpt2},
    {"olmo", kGpt2},
    {"phi-2", kGpt2},
    {"pixtral", kLlama3, true, true},
    {"poro-chat", kBloom},
    {"qwen2", kQwen2},
    {"qwen35", kQwen35},
    {"refact", kSingleDigits},
    {"roberta-bpe", kGpt2},
    {"seed-coder", kSeedCoder},
    {"smaug-bpe", kLlama3},
    {"smollm", kSingleDigits},
    {"solar-open", kQwen2},
    {"spark2_5", kSpark},
    {"stablelm2", kQwen2},
    {"starcoder", kSingleDigits},
    {"talkie", kGpt4o},
    {"tekken", kTekken, true, true},
    {"tiny_aya", kTinyAya},
    {"trillion", kGpt2},
    {"ufakzeka", kUfakzeka},
    {"viking", kViking},
    {"youtu", kYoutu, true},
});

}  // namespace

std::span<const PreTokenizer> PreTokenizers() { return kKnown; }

const PreTokenizer* FindPreTokenizer(std::string_view name) {
  const auto found = std::find_if(kKnown.begin(), kKnown.end(),
                                  [&](const PreTokenizer& known) { return known.name == name; });
  return found == kKnown.end() ? nullptr : &*found;
}

}  // namespace tenon::text
