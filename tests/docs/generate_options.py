#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""generate_options.py TENON SOURCE: rewrites the options of every component in docs/pipelines.md.

They come from `tenon plugins --json` and `tenon plugins --schema`. What this build of TENON lacks (the CUDA
plugins where there is no nvcc) keeps the text it has, as long as its folder is in SOURCE/plugins."""
import json
import pathlib
import re
import subprocess
import sys

DOCUMENT = "docs/pipelines.md"
BEGIN = "<!-- options: written by tests/docs/generate_options.py -->"
END = "<!-- options: end -->"
FAMILIES = ("device", "attention", "quant", "scheduler", "parallel", "decoding")
SECTION = re.compile(r"^### (\w+): `([\w.]+)`$", re.M)


def ask(tenon, *arguments):
    """The JSON document that `tenon plugins` prints."""
    run = subprocess.run([str(tenon), "plugins", *arguments], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def cell(text):
    return str(text).replace("|", r"\|")


def table(options):
    lines = ["| option | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | `{default}` | {cell(allowed)} | {cell(doc)} |" for name, default, allowed, doc in options]
    return "\n".join(lines)


def section(component):
    """The heading and the text of a component."""
    used = " Used where a pipeline leaves the family out." if component["default"] else ""
    parts = [f"### {component['family']}: `{component['name']}`", component["doc"] + used]
    if component["capabilities"]:
        parts.append("Understands: " + ", ".join(component["capabilities"]) + ".")
    options = [(o["name"], o["default"], o["allowed"], o["doc"]) for o in component["options"]]
    parts.append(table(options) if options else "No options.")
    return "\n\n".join(parts)


def section_of_core(schema, key):
    """The options of `memory:` or `serve:`, which belong to no component."""
    options = []
    for name, option in schema["properties"][key]["properties"].items():
        doc, allowed = option["description"].split(" Allowed: ")
        options.append((name, option["default"], allowed.rstrip("."), doc))
    return f"### `{key}:`\n\n" + table(options)


def kept(text, source, names):
    """Sections of the text as it is, of components that this build lacks but the tree has."""
    starts = list(SECTION.finditer(text)) + [re.search(r"\Z", text)]
    found = {}
    for here, after in zip(starts, starts[1:]):
        key = here.groups()
        body = re.split(r"^### ", text[here.start():after.start()], flags=re.M)[1]
        if key not in names and (source / "plugins" / key[0] / key[1] / "plugin.cc").exists():
            found[key] = "### " + body.strip()
    return found


def generate(tenon, source):
    """The whole document as it should be."""
    document = (source / DOCUMENT).read_text(encoding="utf-8")
    before, _, rest = document.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{DOCUMENT}: {BEGIN} or {END} is missing")
    own = [c for c in ask(tenon, "--json")["components"] if c["plugin"].startswith("tenon.")]
    sections = {(c["family"], c["name"]): section(c) for c in own}
    sections.update(kept(old, source, sections))
    ordered = [sections[key] for key in sorted(sections, key=lambda k: (FAMILIES.index(k[0]), k[1]))]
    ordered += [section_of_core(ask(tenon, "--schema"), key) for key in ("memory", "serve")]
    return before + BEGIN + "\n\n" + "\n\n".join(ordered) + "\n\n" + END + after


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    root = pathlib.Path(sys.argv[2]).resolve()
    (root / DOCUMENT).write_text(generate(pathlib.Path(sys.argv[1]).resolve(), root), encoding="utf-8")
