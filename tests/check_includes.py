#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_includes.py ROOT: imports flow one way, sdk <- kernels <- {models, plugins}, sdk <- {core, text}, all <- apps.

Also: plugins include neither core nor one another, interface headers of the SDK include only the SDK and the standard
library, and every source starts with its SPDX line. Prints each breach as file:line and exits 1 if there is one."""
import re
import sys
from pathlib import Path

# Whom a room may include, besides itself and the SDK.
MAY = {
    "sdk": set(),
    "kernels": set(),
    "text": set(),
    "core": {"text"},
    "models": {"kernels"},
    "plugins": {"kernels"},
    "apps": {"core", "models", "text", "kernels"},
}
CODE = {".cc", ".cu", ".h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
TEST = re.compile(r"_(test|bench|fuzz)\.(cc|cu)$")
SPDX = "SPDX-License-Identifier: Apache-2.0"


def technique(parts):
    """family/name of a file of a plugin; None for the family's common folder."""
    return None if len(parts) < 3 or "common" in parts[1:3] else parts[1:3]


def breaches_of_include(path, quoted, target):
    """What is wrong with `path` including `target`, as texts."""
    room, other = path.parts[0], Path(target).parts[0]
    if quoted and other in MAY and other != room and other != "sdk" and other not in MAY[room]:
        yield f"{room} may not include {target}"
    if room == "plugins" and quoted and other == "plugins":
        mine, theirs = technique(path.parts), technique(Path(target).parts)
        if theirs is not None and mine != theirs:
            yield f"includes {target}, which is another technique's"
    if path.as_posix().startswith("sdk/include/") and "/" in target and other not in ("tenon", "sys"):
        yield f"an SDK header includes {target}"


def breaches(root, path):
    lines = (root / path).read_text(encoding="utf-8").splitlines()
    if not lines or SPDX not in lines[0]:
        yield f"{path}:1: the first line is not // {SPDX}"
    if TEST.search(path.name):
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            for text in breaches_of_include(path, match.group(1) == '"', match.group(2)):
                yield f"{path}:{number}: {text}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = sorted(f.relative_to(root) for room in MAY for f in (root / room).rglob("*") if f.suffix in CODE)
    found = [text for path in files for text in breaches(root, path)]
    print("\n".join(found))
    print(f"check_includes: {len(files)} files, {len(found)} breaches")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
