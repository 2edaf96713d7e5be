# SPDX-License-Identifier: Apache-2.0
"""What crosses the plugin boundary, read from the SDK's headers: the types, a library that mentions them all, its layouts.

boundary.py probe INCLUDE_FOLDER OUT.cc    writes the source of that library
boundary.py layouts RECORD.abi OUT.inc     writes the layouts in abidw's record of it as static_asserts
"""
import pathlib
import re
import sys
import xml.etree.ElementTree

# The host's own: they may hold types of the standard library.
HOST_HEADERS = {"model.h", "result.h"}
DEFINITION = re.compile(r"^(?:struct|class|enum class)\s+(?:\[\[\w+\]\]\s+)?(\w+)[^;{]*\{", re.MULTILINE)
TEMPLATE = re.compile(r"^template <[^>]*>\n(?:struct|class)\s+(\w+)[^;{]*\{", re.MULTILINE)


def headers(include):
    return sorted(path for path in pathlib.Path(include, "tenon").glob("*.h") if path.name not in HOST_HEADERS)


def types(include):
    """Names of the types that the headers define in namespace tenon, templates left out."""
    found = []
    for header in headers(include):
        text = header.read_text(encoding="utf-8")
        templates = set(TEMPLATE.findall(text))
        found += [name for name in DEFINITION.findall(text) if name not in templates]
    return found


def probe(include):
    """A translation unit that exports one function for each type, so that its debug information describes them all."""
    lines = ["// Written by tests/abi/boundary.py."]
    lines += [f'#include "tenon/{header.name}"' for header in headers(include)]
    lines.append("namespace tenon::probe {")
    lines += [f"[[gnu::visibility(\"default\")]] void See{name}(const {name}*) {{}}" for name in types(include)]
    return "\n".join([*lines, "}  // namespace tenon::probe", ""])


def layouts(record):
    """static_asserts of all sizes, alignments and offsets of public members in abidw's record."""
    root = xml.etree.ElementTree.parse(record).getroot()
    lines = ["// SPDX-License-Identifier: Apache-2.0", "// Written by tests/abi/record.sh from the SDK's headers; not to be edited."]
    for node in root.iter("namespace-decl"):
        if node.get("name") != "tenon":
            continue
        for found in node:
            name = found.get("name", "")
            if found.tag == "enum-decl":
                lines.append(f"static_assert(sizeof({name}) == 4);")
                for value in found.findall("enumerator"):
                    lines.append(f"static_assert(static_cast<int64_t>({name}::{value.get('name')}) == {value.get('value')});")
            elif found.tag == "class-decl" and found.get("size-in-bits") and "<" not in name:
                lines.append(f"static_assert(sizeof({name}) == {int(found.get('size-in-bits')) // 8});")
                for member in found.findall("data-member"):
                    variable = member.find("var-decl")
                    if member.get("access") == "private" or variable is None or member.get("static") == "yes":
                        continue
                    if "layout-offset-in-bits" in member.attrib and not variable.get("name").startswith("_"):
                        offset = int(member.get("layout-offset-in-bits")) // 8
                        lines.append(f"static_assert(offsetof({name}, {variable.get('name')}) == {offset});")
    return "\n".join([*dict.fromkeys(lines), ""])


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("probe", "layouts"):
        sys.exit(__doc__)
    text = probe(sys.argv[2]) if sys.argv[1] == "probe" else layouts(sys.argv[2])
    pathlib.Path(sys.argv[3]).write_text(text, encoding="utf-8")
