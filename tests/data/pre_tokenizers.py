#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pre_tokenizers.json: how the PyPI package tokenizers (Oniguruma) cuts difficult texts into words.

    pip install tokenizers==0.23.3 && python3 tests/data/pre_tokenizers.py

The expressions are those of the models' tokenizer.json, or of llama.cpp's src/llama-vocab.cpp where a model has none.
For each rule: the names of GGUF's tokenizer.ggml.pre that it stands for, and for each text the words' lengths in bytes.
"""
import json
import pathlib
import random

from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split

S = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SLASH = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
O200K = (f"{LEAD}{UPPER}*{LOWER}+{S}?|{LEAD}{UPPER}+{LOWER}*{S}?" + r"|\p{N}{1,3}|" + SLASH)
KIMI_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
KIMI_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
KANA = "[一-龥\u3040-ゟ゠-ヿ]+"
ASCII = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
ASIAN = "[一-龥ࠀ-一가-\ud7ff]+"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
LLAMA3 = S + "|" + LETTERS + r"|\p{N}{1,3}|" + TAIL
QWEN2 = S + "|" + LETTERS + r"|\p{N}|" + TAIL
CASED = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\u1f5f-\u1f7d"
    "ᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ"
    "ﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")

RULES = [
    ("gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code "
     "roberta-bpe mpt olmo jais trillion granite-docling exaone4", [GPT2]),
    ("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", [r"\p{N}", GPT2]),
    ("llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe glm4 chatglm-bpe",
     [LLAMA3]),
    ("qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2", [QWEN2]),
    ("qwen35", [S + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]),
    ("ufakzeka", [LETTERS + r"|\p{N}|" + TAIL]),
    ("seed-coder", [S + "|" + LETTERS + r"|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"]),
    ("bailingmoe bailingmoe2 llada-moe",
     [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"]),
    ("exaone-moe", [S + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                        r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"]),
    ("tekken", [f"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*" + r"|\p{N}|" + SLASH]),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", [O200K]),
    ("tiny_aya cohere2moe", [r"\d{1,3}(?=(?:\d{3})*\b)", O200K]),
    ("youtu", ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + KANA, O200K.replace("{1,3}", "")]),
    ("kimi-k2", [r"[\p{Han}]+" + f"|{LEAD}{KIMI_UPPER}*{KIMI_LOWER}+{S}?|{LEAD}{KIMI_UPPER}+{KIMI_LOWER}*{S}?"
                 + r"|\p{N}{1,3}|" + TAIL]),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4",
     [r"\p{N}{1,3}", KANA, ASCII + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
                                   r"|\s*[\r\n]+|\s+(?!\S)|\s+"]),
    ("spark2_5", [r"\p{N}{1,3}", KANA, ASCII + r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]"
                                               r"|\s+(?!\S)|\s+", r"\p{N}"]),
    ("deepseek-coder", ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", ASIAN, r"\p{N}"]),
    ("deepseek-llm", ["[\r\n]", r"\s?[" + CASED + "]+", r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$", ASIAN, r"\p{N}+"]),
    ("falcon", [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]),
    ("default", [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]),
    ("bloom poro-chat gpt3-finnish", [BLOOM]),
    ("viking", [BLOOM, r"\p{N}"]),
    ("chameleon", ["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
                   r"[\p{P}!-/:-@\[-`{-~]", GPT2]),
    ("minicpm5", [r"\p{N}{1,3}", S + "|" + LETTERS + r"|\p{N}+|" + TAIL]),
    ("laguna", [r"[^\n]+|[\n]+", QWEN2]),
    ("jais-2", [S + "|" + LETTERS + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
                + "".join(r"\s{%d}(?!\S)|" % (1 << power) for power in range(9, 1, -1)) + r"\s{1,2}(?!\S)|\s{1}"]),
]

TEXTS = [
    "I'm here, we'll see: they'd've said it's O'Neill's, isn't it? DON'T, WE'LL, I'Ve, 'RE 'sa 'Tx",
    "'s's'ſ'LL'd''t 'm ' s can\u2019t l\u2019eau", "1 12 123 1234 12345 123456 1234567 x1234567y 12_345 3.14159 1,000,000",
    "\u0661\u0662\u0663\u0664\u0665 \u00b2\u00b3\u00bd \u2167 12\u00b9 \u3007\u4e00 \uff11\uff12\uff13\uff14", "a  b   c    d     e",
    "  lead", "trail  ", " \t mixed \t\t tabs\t", "\n\nx\n \n  \ny \r\n\r\n z\r", "end \n", "   \n   x", "x   \n", "\n", " ", "  ", "",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u200bg\ufeffh", "\u180ea \u180e b", "tab\x0bvt\x0cff\x1fus\x00nul\x7fdel",
    "HelloWorld helloWorld HTTPServer iPhone XMLHttpRequest ABCdefGHI aBcD éÉé ÉÉé ǅungla ŉ ªº",
    "Привет, МИР! приВЕТ Ελληνικά ΣΊΣΥΦΟΣ ﬁn ﬃ Straße İı Кириллица\u0301 э\u0301то",
    "e\u0301e\u0301 \u0301x \u0301\u0301 n\u0303o a\u0308\u0304b \u0915\u094d\u0937\u093f \u0e01\u0e33 \u0ba8\u0bbf",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002",
    "\ud55c\uad6d\uc5b4 \ub744\uc5b4\uc4f0\uae30 \u3131\u3134 \u3105\u3106 \u2e80\u2f00\u3005\u3021 !\u2e80x \u4e00\u3007\u3021\u5341",
    "\u201cquoted\u201d \u2018x\u2019\u2014y\u2026 \u3001\u3002\u300c\u300d \ufe30\ufe4f \uff0c\uff1b\uff1a a\uff1ab",
    "\U0001F60D\U0001F468\u200D\U0001F469\u200D\U0001F467 x\U0001F600y \U0001F1EB\U0001F1F7 \u2764\ufe0f 1\ufe0f\u20e3 \u00a9\u00ae\u2122",
    "int main() {\n\treturn a[i++] << 2 && !b; // done\n}\n\n#include <x.h>\nfoo->bar::baz(&x, *y);",
    "def f(x):\n    return x**2  # \u00b2\n\n\n        deep = {'k': [1,2,3]}\n", "http://a.b/c?d=e&f=%20#g user@x.org C:\\dir\\file ../..//",
    "$100 +5 -3 <=> ^~ |a| `code` ~~~ === != ~/x $$ 5% #tag @me a_b __init__ _ -_-", "!!!\n\n ???\n...\r\n ---/\n/ /x //\n",
    "\u0645\u0631\u062d\u0628\u0627\u060c \u0643\u064a\u0641 \u0627\u0644\u062d\u0627\u0644\u061f \u0661\u0662\u0663 \u0939\u093f\u0928\u094d\u0926\u0940\u0964 \u0623\u064e\u0646\u0652\u062a\u064e",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u1000\u103b\u1031\u1038 \u1780\u17d2 \u10d2\u10d0\u10db \u13a0\u13b9 \u0531\u0562",
    "<sentinel:12> <sentinel:x> IMGIMGABCDZ IMGIMGAZ IMGIMGABCDEZ IMGIMGZ", "x\n\n\ny\n\n 12\n 345 6", "a\t\tb\t c\t\n\t\n",
    " " * 7 + "x", "x" + " " * 600 + "y", " " * 1100, "\n" * 5 + " " * 5, ("ab " * 8).strip(), "1" * 10 + "a" + "2" * 10, "9" * 8 + "_7",
    "A" * 20 + "b" * 3, "aA" * 8, "\u1d43\u02b0\u01bb \u0294x \u2c7c\u2c7d \u24b6\u24d0 \u2160\u2170 \u0345\u0250",
]
PIECES = ["a", "B", "é", "É", "ß", "z", "ñ", "日", "の", "한", "ع", "1", "23", "456", "²", "٣", " ", " ", "  ", "\n", "\r\n",
          "\t", "\u3000", "\u00a0", "'", "'s", "'LL", "’", ".", ",", "!", "-", "_", "/", "(", "$", "+", "~", "|", "\u0301",
          "\u0941", "😍", "\u200d", "。", "，", "“", "\x00", "ǅ", "ª", "the", "HTTP"]


def random_texts(count):
    source = random.Random(20)
    return ["".join(source.choice(PIECES) for _ in range(source.randrange(4, 40))) for _ in range(count)]


def lengths(patterns, text):
    cut = Sequence([Split(Regex(pattern), "isolated") for pattern in patterns])
    words = [word for word, _ in cut.pre_tokenize_str(text)]
    assert "".join(words) == text, (patterns, text)
    return [len(word.encode()) for word in words]


def main():
    texts = TEXTS + random_texts(60)
    rules = [{"names": names.split(), "words": [lengths(patterns, text) for text in texts]} for names, patterns in RULES]
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"texts": texts, "rules": rules}, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(rules)} rules, {len(texts)} texts")


if __name__ == "__main__":
    main()
