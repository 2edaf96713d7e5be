#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains small SentencePiece models beside this file and writes what the PyPI package makes of texts to cases.json.

    pip install sentencepiece==0.2.3 && python3 tests/data/sentencepiece/make_models.py

`ids` and `decoded` are those of each text; `odd` are ids no encoder gives, and their text. Left out is what Tenon does
otherwise: it shows control tokens where not
asked to skip them, and drops the space before the first token only.
"""
import json
import os
import pathlib

import sentencepiece

HERE = pathlib.Path(__file__).parent
TEXT = (HERE.parent / "golden" / "wikitext2-head.txt").read_text(encoding="utf-8")[:20000]
SENTENCES = [line.strip() for line in TEXT.split("\n") if line.strip()] + ["naïve café 你好 世界", "12 345 6789"]
# Small rules instead of NFKC's, whose table has 240 kB.
RULES = "FB01\t66 69\nBD\t31 2F 32\nFF21\t61\nFF22\t62\n65 301\tE9\nA0\t20\n3000\t20\nFEFF\t\n200B\t\n49\t69\n54\t74\n"
MODELS = {
    "bpe-bytes": dict(model_type="bpe", vocab_size=620, byte_fallback=True, normalization_rule_name="identity",
                      remove_extra_whitespaces=False, split_digits=True, user_defined_symbols=["<tag>", "\n\n"]),
    "bpe-plain": dict(model_type="bpe", vocab_size=300, normalization_rule_name="identity", add_dummy_prefix=False, character_coverage=0.99),
    "unigram-rules": dict(model_type="unigram", vocab_size=420, rules=True, control_symbols=["<sep>"], pad_id=3,
                         user_defined_symbols=["<mask>"]),
    "unigram-bytes": dict(model_type="unigram", vocab_size=560, byte_fallback=True, unk_surface=" [?] ", rules=True,
                          treat_whitespace_as_suffix=False),
}
TEXTS = [
    "", " ", "   ", "a", "The game was released in Japan .", " leading and  double   spaces ", "trailing  ", "tabs\tand\nlines\n\nmore",
    "naïve café ﬁne ½ ＡＢＣ", "你好，世界！", "😍 emoji 👨‍👩‍👧", "<tag>inside<tag> text", "x<mask>y <mask> z", "1234567 3.14", "e\u0301 combining",
    "UPPER lower MiXed", "a \u2581 mark \u2581\u2581", "It 's a test , isn 't it ?", "<s> is text </s> <unk> <sep>", "\u00a0nbsp\u3000wide", "null\x00byte",
    "long " * 40, "a" * 200, "\u0645\u0631\u062d\u0628\u0627", "\ufeffbom \u200bzero",
]


def main():
    os.chdir(HERE)  # the models name the file of rules
    out = []
    for name, options in MODELS.items():
        path = HERE / f"{name}.model"
        rules = HERE / "rules.tsv"
        if options.pop("rules", False):
            rules.write_text(RULES)
            options["normalization_rule_tsv"] = rules.name
        with open(path, "wb") as file:
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES), model_writer=file, num_threads=1,
                                                     hard_vocab_limit=False, minloglevel=2, **options)
        rules.unlink(missing_ok=True)
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        cases = [{"text": text, "ids": model.encode(text), "decoded": model.decode(model.encode(text))} for text in TEXTS]
        odd = [[0], [5, 0, 6], list(range(6, 60)), list(range(200, 150, -1))]
        if options.get("byte_fallback"):
            b = model.piece_to_id("<0x00>")
            odd += [[b + 0xE4, b + 0xBD, b + 0xA0], [b + 0xE4, b + 0xBD], [b + 0xFF, b + 0x41, b + 0xC3], [b + 0x20, b + 0x61]]
        out.append({"model": name, "vocab_size": model.vocab_size(), "unk": model.unk_id(), "bos": model.bos_id(),
                    "eos": model.eos_id(), "pad": model.pad_id(), "cases": cases,
                    "odd": [{"ids": ids, "decoded": model.decode(ids)} for ids in odd]})
        print(name, path.stat().st_size, model.vocab_size())
    (HERE / "cases.json").write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
