# SPDX-License-Identifier: Apache-2.0
"""A tiny random model that can be talked to: the weights of tests/data/models/llama with a tokenizer of bytes."""
import json
import pathlib
import shutil

FIRST_BYTE, MERGED = 3, ("t h", "th e", "Ġ a", "Ġ the", "i n", "e r", "o n", "a n", "r e", "Ġ w")


def byte_characters():
    """GPT-2's printable stand-ins of the 256 bytes, by byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def make(source, folder):
    """Writes the model into `folder`: its path. 320 ids; 0 <unk>, 1 <s>, 2 </s>, then bytes, then merges."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(pathlib.Path(source) / "tests/data/models/llama" / name, folder / name)
    special = ["<unk>", "<s>", "</s>"]
    words = [*special, *byte_characters(), *(merge.replace(" ", "") for merge in MERGED)]
    words += [f"<unused{i}>" for i in range(320 - len(words))]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                         for i, word in enumerate(special)],
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {word: i for i, word in enumerate(words)}, "merges": list(MERGED)},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "chat_template": "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
                         "{% if add_generation_prompt %}assistant: {% endif %}"}))
    return folder


def pipeline(source, folder, **sections):
    """A pipeline of the tiny model in `folder`, with f32 arithmetic; `sections` as JSON, which is YAML."""
    model = make(source, pathlib.Path(folder) / "tiny")
    path = pathlib.Path(folder) / "pipeline.yaml"
    merged = {"extends": str(pathlib.Path(source).resolve() / "configs/default.yaml"), "model": str(model), "device": {"use": "cpu", "threads": 1}, **sections}
    path.write_text(json.dumps(merged))
    return path
