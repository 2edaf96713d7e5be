#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the small tokenizer.json files of this folder and what the package `tokenizers` says of them.

    make.py TEXT_FILE      (../shared/reference/wikitext2-head.txt)

Each family's folder gets tokenizer.json, with the pipeline of that family's models and a vocabulary trained on
the text, and cases.json: text, ids without and with what the post-processor adds, and the decoded text without and
with special tokens. Needs tokenizers 0.23.3 (pip install tokenizers==0.23.3). Its trainers break ties at random, so a
vocabulary that is there already is kept: the same input gives the same files. Delete a folder to train it anew.
"""
import base64
import json
import pathlib
import struct
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
          r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]

UNICODE = [
    "Ünïcödé naïve café — “quotes” … ½ ² Ⅷ", "e\u0301a\u0308o\u0302 \u1e9b\u0323 \ufb01n ＦＵＬＬ　ｗｉｄｔｈ ｶﾞ",
    "日本語のテキストと漢字、カタカナ。", "中文分词测试，简体和繁體。", "한국어 텍스트 각 가나다", "Привет, мир! Ёлка",
    "שלום עולם", "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया क्षत्रिय", "ไทย ภาษา", "Ελληνικά ΑΣ İstanbul ǅ",
    "👩‍👩‍👧‍👦 🇫🇷 🏳️‍🌈 ✨👍🏽", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🄰 Ⓐ", "\u0300\u0301 lone marks \u0345\u0360", "a\u200db\u200cc\u00ad\ufeff\u2060d",
]
PLAIN = [
    "", " ", "  ", "\n", "\t", " \n \n\n  x", "Hello, world!", "Hello  world   and    more", "it's I'LL we'Ve don't '",
    "3.14159 1,000,000 42 ١٢ 123456789", "snake_case camelCase HTTPServer2x", "if (a && b) { return x->y[0]++; }\r\n\r\n",
    "end with space ", " begin with space", "tab\there\x0bvt\x0cff", "line\r\nline\rline\u2028para\u2029nel\u0085x",
    "\u00a0nbsp\u3000wide\u2003em\u180evs", "\x00\x01\x07\x1b[0m\x7f\x80\x9f", "a" * 200, " " * 70 + "x", "....!!!???,,,",
    "http://example.org/a?b=c&d=%20#e", "▁already ▁▁ marked▁", "x\ufffdy", "<0x41> <0x0A>",
]
SPECIAL = [
    "<s>[INST] hi [/INST] there</s>", "a<|end|>b", " <|end|> ", "<|end|><|end|>", "<|end|", "x<tool>y", "x <tool> y",
    "word wordy sword word.", "a <mask> b", "a  <mask>  b<mask>", "<|END|>", "＜tool＞",
]


def lines_of(path):
    return [line for line in pathlib.Path(path).read_text().split("\n") if line.strip()]


def added():
    return [AddedToken("<s>", special=True), AddedToken("</s>", special=True), AddedToken("<|end|>", special=True),
            AddedToken("<tool>"), AddedToken("word", single_word=True, normalized=False),
            AddedToken("<mask>", special=True, lstrip=True, rstrip=True)]


def template(tokenizer, single):
    ids = [(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
    return processors.TemplateProcessing(single=single, pair=None, special_tokens=ids)


def byte_level(pre, lines, size=420, normalizer=None, post="<s> $A", **bpe):
    tokenizer = Tokenizer(models.BPE(**bpe))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens(added())
    if post:
        tokenizer.post_processor = processors.Sequence(
            [processors.ByteLevel(trim_offsets=False), template(tokenizer, post)])
    return tokenizer


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def metaspace_bpe(lines, normalizer, pre, decoder, size=320, alphabet=60, **bpe):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True, **bpe))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # bounds the pieces while it trains
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=alphabet,
                                  special_tokens=["<unk>", "<s>", "</s>"] + BYTES)
    tokenizer.train_from_iterator(lines, trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in BYTES]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoder
    if pre:
        tokenizer.pre_tokenizer = pre
    else:
        state = json.loads(tokenizer.to_str())
        state["pre_tokenizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_tokens(added())
    tokenizer.post_processor = template(tokenizer, "<s> $A")
    return tokenizer


def llama2_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])


def charsmap():
    """A character map in SentencePiece's format: a double-array trie that was laid out by hand, and its texts."""
    rules = {"\u2160": "I", "\uff21": "A", "\ufb01": "fi", "\u3000": " ", "\t": " ", "e\u0301": "\u00e9", "\u00ad": "",
             "\uff1c": "<", "\uff1e": ">"}
    texts, offsets = b"", {}
    for key, value in rules.items():
        offsets[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    units = [0] * 4096
    used = [False] * len(units)

    def children(prefix):
        return sorted({key[len(prefix)] for key in offsets if key.startswith(prefix) and len(key) > len(prefix)})

    def place(prefix, node):
        wanted = children(prefix)
        leaf = prefix in offsets
        slots = wanted + ([0] if leaf else [])
        offset = next(o for o in range(256, 2048) if not any(used[node ^ o ^ c] for c in slots))
        base = node ^ offset
        units[node] |= offset << 10 | (1 << 8 if leaf else 0)
        for c in slots:
            used[base ^ c] = True
        if leaf:
            units[base] = offsets[prefix] | 1 << 31
        for c in wanted:
            units[base ^ c] |= c
            place(prefix + bytes([c]), base ^ c)

    used[0] = True
    place(b"", 0)
    trie = struct.pack("<4096I", *units)
    return struct.pack("<I", len(trie)) + trie + texts


def unigram(lines, normalizer, pre, decoder, byte_fallback=False, post="$A </s>"):
    special = ["<unk>", "<s>", "</s>"] + (BYTES if byte_fallback else [])
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"],
                                      unk_token="<unk>", max_piece_length=8)
    tokenizer.train_from_iterator(lines, trainer)
    state = json.loads(tokenizer.to_str())
    pieces = [piece for piece in state["model"]["vocab"] if piece[0] not in special]
    pieces = sorted(pieces, key=lambda piece: (-round(piece[1], 6), piece[0]))  # the trainer's threads differ
    state["model"]["vocab"] = [[token, 0.0] for token in special] + [[t, round(s, 6)] for t, s in pieces]
    state["model"]["byte_fallback"] = byte_fallback
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    tokenizer.add_tokens(added())
    tokenizer.post_processor = template(tokenizer, post)
    return tokenizer


def wordpiece(lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=450, show_progress=False, limit_alphabet=100,
                                        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_tokens(added())
    return tokenizer


def with_suffix(lines):
    """OpenAI's first GPT and CLIP: words end with </w>."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, limit_alphabet=60, end_of_word_suffix="</w>",
                                  special_tokens=["<unk>"])
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens(added())
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", tokenizer.token_to_id("</s>")),
                                                            ("<s>", tokenizer.token_to_id("<s>")))
    return tokenizer


def with_prefix(lines):
    """BPE with ## inside words, cut at white space and punctuation."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(False)])
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, limit_alphabet=60,
                                  continuing_subword_prefix="##", special_tokens=["<unk>"])
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.add_tokens(added())
    return tokenizer


def splits(lines):
    """Every behaviour of Split, over a vocabulary of single letters; no decoder."""
    letters = sorted({c for line in lines for c in line} | set("".join(PLAIN + SPECIAL)))
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, [("1", "2")] if "12" in letters else [],
                                     ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"(?=[A-Z])|\b\d{2}+\h\b"), "merged_with_next"),
        pre_tokenizers.Split("-", "merged_with_previous"), pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True),
        pre_tokenizers.Split("e", "contiguous")])
    tokenizer.add_tokens(added())
    return tokenizer


def families(lines):
    first = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    deepseek = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in DEEPSEEK]
    return {
        "llama3": byte_level(split(LLAMA3), lines, ignore_merges=True),
        "qwen2": byte_level(split(QWEN2), lines, normalizer=normalizers.NFC(), post=None),
        "tekken": byte_level(split(TEKKEN), lines, ignore_merges=True),
        "gpt-oss": byte_level(split(O200K), lines, post=None),
        "deepseek": byte_level(pre_tokenizers.Sequence(
            deepseek + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), lines),
        "gpt2": byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), lines, post="<s> $A </s>"),
        "llama2": metaspace_bpe(lines, first, None, llama2_decoder()),
        "mistral": metaspace_bpe(lines, normalizers.NFKC(), pre_tokenizers.Metaspace("▁", "first", False),
                                 llama2_decoder()),
        "gemma": metaspace_bpe(lines, normalizers.Replace(" ", "▁"),
                               pre_tokenizers.Split(" ", "merged_with_previous"),
                               decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                                  decoders.Fuse()])),
        "t5": unigram(lines, normalizers.Sequence([
            normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), "▁")]),
                      pre_tokenizers.Metaspace("▁", "always", True), decoders.Metaspace("▁", "always", True)),
        "xlm-r": unigram(lines, normalizers.NFKC(), pre_tokenizers.Sequence([
            pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always", True)]),
                         decoders.Metaspace("▁", "always", True), byte_fallback=True, post="<s> $A </s>"),
        "bert": wordpiece(lines),
        "gpt1": with_suffix(lines),
        "prefix": with_prefix(lines),
        "splits": splits(lines),
    }


def cases_of(tokenizer, lines):
    cases = []
    for text in PLAIN + UNICODE + SPECIAL + [line[:400] for line in lines[3:60:9]]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        whole = tokenizer.encode(text).ids
        cases.append({"text": text, "ids": ids, "with_special": whole,
                      "decoded": tokenizer.decode(ids, skip_special_tokens=False) if ids else "",
                      "skipped": tokenizer.decode(whole) if ids else ""})
    return cases


def main():
    assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
    lines = lines_of(sys.argv[1])
    training = lines[:120] + UNICODE[:8]
    for name, tokenizer in families(training).items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        state = json.loads(tokenizer.to_str())
        stored = folder / "tokenizer.json"
        if stored.exists():
            kept = json.loads(stored.read_text())
            state.update({key: kept[key] for key in ("model", "added_tokens", "post_processor")})
            tokenizer = Tokenizer.from_str(json.dumps(state))
            state = json.loads(tokenizer.to_str())
        if name == "llama2":  # as it was written before 0.20
            state["model"]["merges"] = [" ".join(pair) for pair in state["model"]["merges"]]
        text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), sort_keys=False)
        stored.write_text(text + "\n")
        cases = {"how": f"tokenizers {tokenizers.__version__}, tests/data/tokenizers/make.py",
                 "cases": cases_of(tokenizer, lines)}
        (folder / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
