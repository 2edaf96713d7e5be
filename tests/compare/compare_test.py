# SPDX-License-Identifier: Apache-2.0
"""`tenon compare` against arms whose difference is known: compare_test.py BINARY SOURCE_FOLDER PLANTED_PLUGIN"""
import html.parser
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

QUICK = ["--prompts", "6", "--gen-tokens", "16", "--repeat", "1", "--requests", "4", "--concurrency", "4"]


def run(*arguments, expected=0):
    done = subprocess.run([TENON, "compare", *map(str, arguments)], capture_output=True, text=True, timeout=600)
    if expected is not None and done.returncode != expected:
        raise AssertionError(f"tenon compare {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def pipeline(self, name, *decoding):
        path = self.folder / name
        links = "".join(f"  - {link}\n" for link in [*decoding, "{use: greedy}"])
        path.write_text(f"extends: {SOURCE / 'configs/default.yaml'}\nplugins: [{PLANTED}]\ndecoding:\n{links}")
        return path

    def compare(self, a, b, *arguments, expected=0):
        return json.loads(run(a, b, *(arguments if "--prompts" in arguments else [*QUICK, *arguments]), "--json", expected=expected).stdout)

    def test_the_same_pipeline_twice_gives_the_same_bits(self):
        a = self.pipeline("a.yaml")
        document = self.compare(a, a, "--max-kl", "0", "--max-ppl-increase", "0")
        quality = document["quality"]
        self.assertEqual((quality["kl"]["value"], quality["largest_kl"], quality["divergences"]), (0, 0, []))
        self.assertEqual(quality["same_top"]["value"], 1)
        self.assertEqual(quality["ppl_a"], quality["ppl_b"])
        self.assertTrue(document["verdict"]["passed"])
        self.assertIn("the same bits", document["verdict"]["text"])

    def test_finds_a_planted_numeric_fault(self):
        a, b = self.pipeline("a.yaml"), self.pipeline("b.yaml", "{use: planted.fault, offset: 0.02}")
        # Its pass changes norms, which native joins with linears before.
        apart = ["--set-a", "quant.fuse=false", "--set-b", "quant.fuse=false"]
        document = self.compare(a, b, "--max-kl", "0.0001", *apart, expected=1)
        self.assertGreater(document["quality"]["kl"]["low"], 0)
        self.assertFalse(document["verdict"]["passed"])
        self.assertIn("nats a position; at most 0.0001 allowed", document["verdict"]["failures"][0])
        self.assertIn("KL", document["verdict"]["text"])

    def test_finds_a_planted_slow_down_of_ten_per_cent(self):
        # A machine that others use may hide it from one run of three.
        a, b = self.pipeline("a.yaml"), self.pipeline("b.yaml", "{use: planted.slow, percent: 10}")
        rows = []
        for _ in range(3):
            document = self.compare(a, b, "--prompts", "12", "--gen-tokens", "48", "--repeat", "3", "--requests", "4")
            row = next(row for row in document["speed"] if row["name"] == "time per output token")
            rows.append(row["speed_of_b_over_a"])
            if rows[-1]["found"] and rows[-1]["high"] < 1:
                return
        self.fail(f"not found: {rows}")

    def test_writes_a_report_that_closes_its_elements(self):
        a = self.pipeline("a.yaml")
        report = self.folder / "report.html"
        run(a, SOURCE / "configs/exact.yaml", *QUICK, "--html", report)
        text = report.read_text()

        class Balance(html.parser.HTMLParser):
            opened = []

            def handle_starttag(self, tag, attributes):
                if tag not in ("meta", "line", "circle", "rect"):
                    self.opened.append(tag)

            def handle_endtag(self, tag):
                if tag not in ("meta", "line", "circle", "rect"):
                    assert self.opened.pop() == tag, tag

        balance = Balance()
        balance.feed(text)
        self.assertEqual(balance.opened, [])
        for word in ("time to first token", "native", "perplexity", "exact.yaml"):
            self.assertIn(word, text)
        self.assertNotRegex(text, r"\b(nan|inf)\b")

    def test_takes_a_workload_and_names_its_bad_lines(self):
        a = self.pipeline("a.yaml")
        workload = self.folder / "work.jsonl"
        workload.write_text('{"prompt": "Hello", "max_tokens": 3}\n\n{"token_ids": [1, 2, 3]}\n')
        document = self.compare(a, a, "--workload", workload)
        self.assertEqual(document["quality"]["identical_outputs"]["samples"], 2)
        for line in ('{"prompt": 3}', "[1]", '{"token_ids": [-1]}', '{"prompt": "x", "max_tokens": 0}', "{"):
            workload.write_text('{"prompt": "Hello"}\n' + line + "\n")
            ended = run(a, a, *QUICK, "--workload", workload, expected=1)
            self.assertIn("work.jsonl:2: ", ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_compares_speed_alone_where_vocabularies_differ(self):
        tiny = self.folder / "tiny.yaml"
        tiny.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\n")
        ended = run(self.pipeline("a.yaml"), tiny, *QUICK, "--json", expected=None)
        # Prompts of a larger vocabulary may not exist in the smaller one: refused, or speed alone.
        self.assertIn(ended.returncode, (0, 1), ended.stderr)
        self.assertIn("vocabular", ended.stderr)

    def test_wrong_usage_ends_with_2(self):
        a = self.pipeline("a.yaml")
        for wrong in ([], [a], [a, a, "--prompts", "0"], [a, a, "--max-kl", "x"], [a, a, "--nope"]):
            self.assertEqual(run(*wrong, expected=2).stdout, "")


TENON, SOURCE, PLANTED = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
