// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// What of Hugging Face's tokenizer.json can be read: one list, which the readers, their error
// messages and the documentation share. Names are the values of "type" in the file.
namespace tenon::text {

struct TokenizerKind {
  std::string_view name;
  std::string_view what;
};

inline constexpr TokenizerKind kModelKinds[] = {
    {"BPE", "byte-pair encoding by merges; byte fallback, unknown tokens, prefixes and suffixes"},
    {"Unigram", "the most likely pieces (Viterbi), byte fallback"},
    {"WordPiece", "the longest pieces first, \"##\" inside words"},
};

inline constexpr TokenizerKind kNormalizerKinds[] = {
    {"BertNormalizer", "BERT's cleaning: control characters, CJK, accents, case"},
    {"ByteLevel", "bytes as GPT-2's letters"},
    {"Lowercase", "lower case, character by character"},
    {"NFC", "Unicode normal form C"},
    {"NFD", "Unicode normal form D"},
    {"NFKC", "Unicode normal form KC"},
    {"NFKD", "Unicode normal form KD"},
    {"Nmt", "control characters out, all kinds of space as spaces"},
    {"Precompiled", "SentencePiece's compiled character map"},
    {"Prepend", "a text put in front"},
    {"Replace", "a string or regular expression replaced"},
    {"Sequence", "several, in order"},
    {"Strip", "white space at the ends taken off"},
    {"StripAccents", "marks taken out"},
};

inline constexpr TokenizerKind kPreTokenizerKinds[] = {
    {"BertPreTokenizer", "words between white space; punctuation alone"},
    {"ByteLevel", "GPT-2's words, bytes as letters"},
    {"Digits", "numbers, or each digit, apart"},
    {"Metaspace", "spaces as U+2581, words begin with it"},
    {"Punctuation", "punctuation apart"},
    {"Sequence", "several, in order"},
    {"Split", "cut at a string or regular expression (Oniguruma's syntax)"},
    {"Whitespace", "runs of word characters and runs of others"},
    {"WhitespaceSplit", "words between white space"},
};

inline constexpr TokenizerKind kPostProcessorKinds[] = {
    {"BertProcessing", "cls before, sep behind"},
    {"ByteLevel", "moves offsets only, which are not kept"},
    {"RobertaProcessing", "cls before, sep behind"},
    {"Sequence", "several, in order"},
    {"TemplateProcessing", "special tokens before and behind, as listed"},
};

inline constexpr TokenizerKind kDecoderKinds[] = {
    {"BPEDecoder", "an end-of-word suffix as a space"},
    {"ByteFallback", "<0xNN> as bytes"},
    {"ByteLevel", "GPT-2's letters as bytes"},
    {"Fuse", "the rest acts on the whole text"},
    {"Metaspace", "U+2581 as a space, none at the start"},
    {"Replace", "a string or, before Fuse, a regular expression replaced"},
    {"Sequence", "several, in order"},
    {"Strip", "characters taken off the ends of a token or, behind Fuse, of the text"},
    {"WordPiece", "words joined by spaces, \"##\" pieces without; clean-up of punctuation"},
};

}  // namespace tenon::text
