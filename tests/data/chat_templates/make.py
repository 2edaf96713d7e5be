# SPDX-License-Identifier: Apache-2.0
"""Renders every template here with every conversation, by jinja2: writes expected.json."""
import json
import pathlib

from environment import make_environment

HERE = pathlib.Path(__file__).parent


def rendered(environment, source, conversation):
    variables = {"tools": None, "documents": None, "add_generation_prompt": True,
                 "bos_token": "<s>", "eos_token": "</s>"}
    variables.update((k, v) for k, v in conversation.items() if k != "name")
    try:
        return {"text": environment.from_string(source).render(**variables)}
    except Exception as error:  # whatever a template raises
        return {"raises": str(error)}


def main():
    environment = make_environment()
    conversations = json.loads((HERE / "conversations.json").read_text())
    expected = {}
    for path in sorted(HERE.glob("*.jinja")):
        source = path.read_text()
        expected[path.stem] = {c["name"]: rendered(environment, source, c) for c in conversations}
    text = json.dumps(expected, ensure_ascii=False, indent=1, sort_keys=True)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
