# SPDX-License-Identifier: Apache-2.0
"""What the documents' tests read out of a Markdown file: fenced blocks, code spans, links, headings."""
import re

FENCE = re.compile(r"^(\s*)```(.*)$")
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")


class Block:
    """A fenced block. `info` is what follows the fence, split at spaces: the language, then what it is."""

    def __init__(self, document, line, info, text):
        self.document, self.line, self.info, self.text = document, line, info, text
        self.where = f"{document.name}:{line}"

    def word(self, index):
        return self.info[index] if index < len(self.info) else ""


class Document:
    """A file of the source tree. Blocks are apart from the prose, which spans and links are looked for in."""

    def __init__(self, source, name):
        self.name, self.path = name, source / name
        self.text = self.path.read_text(encoding="utf-8")
        self.blocks, self.prose = [], []  # prose: (line number, text)
        self._split()

    def _split(self):
        block, info, start = None, None, 0
        for number, line in enumerate(self.text.splitlines(), 1):
            fence = FENCE.match(line)
            if fence and block is None:
                block, info, start = [], fence.group(2).split(), number
            elif fence:
                self.blocks.append(Block(self, start, info, "".join(part + "\n" for part in block)))
                block = None
            elif block is not None:
                block.append(line)
            else:
                self.prose.append((number, line))
        assert block is None, f"{self.name}:{start}: a block that does not end"

    def spans(self):
        """(place, text) of every `code span`."""
        return [(f"{self.name}:{number}", span) for number, line in self.prose for span in SPAN.findall(line)]

    def links(self):
        """(place, target) of every link."""
        return [(f"{self.name}:{number}", target) for number, line in self.prose
                for target in LINK.findall(SPAN.sub("code", line))]

    def anchors(self):
        """What #fragments may name, made from headings as GitHub makes them."""
        found = set()
        for _, line in self.prose:
            heading = HEADING.match(line)
            if heading:
                text = re.sub(r"[^\w\- ]", "", heading.group(1).lower())
                found.add(text.replace(" ", "-"))
        return found

    def rows(self, first_header):
        """The cells of the table whose first column is headed so, without its head."""
        rows, inside = [], False
        for _, line in self.prose:
            cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells and cells[0] == first_header:
                inside = True
            elif inside and not cells:
                return rows
            elif inside and not set(cells[0]) <= set("-: "):
                rows.append(cells)
        return rows
