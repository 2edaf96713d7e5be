# SPDX-License-Identifier: Apache-2.0
"""The HTML reports of `tenon compare`, looked at in a headless browser: report_test.py BINARY SOURCE_FOLDER.

Ends with 77 where there is no chromium."""
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

QUICK = ["--prompts", "6", "--gen-tokens", "8", "--requests", "4", "--concurrency", "4", "--repeat", "2"]


def pixels(png):
    """Width, height and rows of (r, g, b) bytes of a PNG with 8 bits a channel."""
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[at + 8 : at + 21])
            assert depth == 8 and colour in (2, 6) and interlaced == 0, (depth, colour, interlaced)
        elif kind == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += size + 12
    channels = 3 if colour == 2 else 4
    stride = width * channels
    raw, rows, above = zlib.decompress(packed), [], bytearray(stride)
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride if kind else 0):
            left = row[x - channels] if x >= channels else 0
            corner = above[x - channels] if x >= channels else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[x]
            elif kind == 3:
                guess = (left + above[x]) // 2
            else:
                guess = min((left, above[x], corner), key=lambda v: abs(left + above[x] - corner - v))
            row[x] = (row[x] + guess) & 255
        rows.append(row)
        above = row
    return width, height, channels, rows


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def report(self, *arguments):
        page = self.folder / "report.html"
        subprocess.run([TENON, "compare", *map(str, arguments), *QUICK, "--html", page], check=True, capture_output=True, timeout=300)
        return page

    def tiny(self, name, text):
        path = self.folder / name
        path.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\n{text}")
        return path

    def browse(self, page, *arguments):
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr", "--v=0",
             f"--user-data-dir={self.folder / 'profile'}", "--window-size=1000,1400", "--hide-scrollbars", *arguments, page.as_uri()],
            capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        # Scripts' errors and what the page's own policy forbids are told here; there are to be none.
        self.assertNotRegex(done.stderr, r"CONSOLE|Refused to|Uncaught")
        return done.stdout

    def look(self, page, plots):
        text = self.browse(page, "--dump-dom")
        svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
        self.assertGreaterEqual(len(svgs), plots)
        for svg in svgs:
            self.assertRegex(svg, r"<(circle|rect|line)\b", "an empty plot")
            self.assertRegex(svg, r"<text [^>]*>[^<]+</text>", "a plot without words")
            self.assertNotRegex(svg, r"=\"-?(nan|inf)", "a plot with no numbers")
        picture = self.folder / "report.png"
        self.browse(page, f"--screenshot={picture}")
        width, height, channels, rows = pixels(picture)
        colours = {bytes(row[x : x + 3]) for row in rows[::3] for x in range(0, width * channels, 3 * channels)}
        self.assertGreater(len(colours), 20, "a blank page")
        # The plots' blue, somewhere in the picture.
        self.assertTrue(any(bytes(row[x : x + 3]) == b"\x24\x50\x7e" for row in rows for x in range(0, width * channels, channels)))
        # Text and plots keep to the page: nothing is painted at its very right.
        for row in rows:
            self.assertEqual(bytes(row[(width - 1) * channels :][:3]), b"\xff\xff\xff")

    def test_a_comparison_renders_with_its_plots(self):
        a = self.tiny("a.yaml", "attention: {kv_type: f32}\n")
        b = self.tiny("a_much_longer_name_than_one_would_give_a_pipeline_of_ones_own.yaml", "attention: {use: reference}\n")
        self.look(self.report(a, b), 4)

    def test_an_ablation_renders_with_its_plots(self):
        self.look(self.report("--ablate", self.tiny("a.yaml", "attention: {use: flash}\ndecoding: [penalties, greedy]\n")), 2)


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
if BROWSER is None:
    print("skipped: there is no chromium")
    sys.exit(77)
unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
