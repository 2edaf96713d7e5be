# SPDX-License-Identifier: Apache-2.0
"""`tenon compare` against arms whose difference is known: compare_test.py BINARY SOURCE_FOLDER PLANTED_PLUGIN"""
import html.parser
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

QUICK = ["--prompts", "6", "--gen-tokens", "16", "--requests", "4", "--concurrency", "4"]
ONCE = [*QUICK, "--repeat", "1"]


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
        return json.loads(run(a, b, *(arguments if "--prompts" in arguments else [*ONCE, *arguments]), "--json", expected=expected).stdout)

    def test_the_same_pipeline_twice_gives_the_same_bits(self):
        a = self.pipeline("a.yaml")
        document = self.compare(a, a, "--max-kl", "0", "--max-ppl-increase", "0")
        quality = document["quality"]
        self.assertEqual((quality["kl"]["value"], quality["largest_kl"], quality["divergences"]), (0, 0, []))
        self.assertEqual(quality["same_top"]["value"], 1)
        self.assertEqual(quality["ppl_a"], quality["ppl_b"])
        self.assertTrue(document["verdict"]["passed"])
        self.assertIn("the same bits", document["verdict"]["text"])
        self.assertIn("one repetition cannot tell", document["verdict"]["text"])
        self.assertIsNone(document["speed"][0]["speed_of_b_over_a"]["high"])

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
            document = self.compare(a, b, "--prompts", "12", "--gen-tokens", "48", "--repeat", "5", "--requests", "4")
            row = next(row for row in document["speed"] if row["name"] == "time per output token")
            rows.append(row["speed_of_b_over_a"])
            if rows[-1]["found"] and rows[-1]["high"] < 1:
                return
        self.fail(f"not found: {rows}")

    def test_writes_a_report_that_closes_its_elements(self):
        a = self.pipeline("a.yaml")
        report = self.folder / "report.html"
        run(a, SOURCE / "configs/exact.yaml", *ONCE, "--html", report)
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

    def tiny(self, name, text):
        path = self.folder / name
        path.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\nplugins: [{PLANTED}]\n{text}")
        return path

    def ablate(self, pipeline, *arguments):
        document = json.loads(run("--ablate", pipeline, *QUICK, "--json", *arguments).stdout)
        return {plugin["component"]: plugin for plugin in document["plugins"]}

    def test_ablates_each_plugin_of_a_pipeline(self):
        pipeline = self.tiny("whole.yaml", "device: {use: cpu, threads: 1}\nattention: {use: flash, kv_type: f32}\n"
                             "quant: {use: native, fuse: false}\ndecoding:\n"
                             "  - {use: penalties}\n  - {use: planted.fault, offset: 0.3}\n  - {use: greedy}\n")
        report = self.folder / "ablation.html"
        plugins = self.ablate(pipeline, "--repeat", "2", "--html", report)
        self.assertEqual({name: plugin["state"] for name, plugin in plugins.items()},
                         {"cpu": "measured", "flash": "measured", "native": "measured", "chunked": "default", "none": "default",
                          "penalties": "measured", "planted.fault": "measured", "greedy": "measured"})
        self.assertEqual({name: plugin["instead"] for name, plugin in plugins.items() if plugin["state"] == "measured"},
                         {"cpu": "cpu with its default options", "flash": "paged", "native": "native with its default options",
                          "penalties": "left out", "planted.fault": "left out", "greedy": "sampler"})
        self.assertEqual(plugins["chunked"]["reason"], "is the default already")
        self.assertGreater(plugins["planted.fault"]["contributes"]["kl"]["low"], 0)
        self.assertEqual(plugins["penalties"]["contributes"]["kl"]["value"], 0)
        for name, speed in plugins["flash"]["contributes"]["speed"].items():
            self.assertLessEqual(speed["low"], speed["value"], name)
            self.assertLessEqual(speed["value"], speed["high"], name)
        self.assertIn("use: flash", plugins["planted.fault"]["pipeline"])
        self.assertNotIn("planted.fault", plugins["planted.fault"]["pipeline"].split("decoding:")[1])
        page = report.read_text()
        for word in ("decoding planted.fault", "is the default already", "cpu with its default options"):
            self.assertIn(word, page)

    def test_ablation_says_what_cannot_be_left_out(self):
        pipeline = self.tiny("needed.yaml", "decoding: [penalties, sampler]\n")
        plugins = self.ablate(pipeline, "--repeat", "1")
        self.assertEqual(plugins["sampler"]["state"], "needed")
        self.assertIn("sampler", plugins["sampler"]["reason"])
        text = run("--ablate", pipeline, *ONCE).stdout
        self.assertRegex(text, r"decoding sampler +cannot be switched: left out: ")
        self.assertRegex(text, r"device cpu +is the default already")

    def test_takes_a_workload_and_names_its_bad_lines(self):
        a = self.pipeline("a.yaml")
        workload = self.folder / "work.jsonl"
        workload.write_text('{"prompt": "Hello", "max_tokens": 3}\n\n{"token_ids": [1, 2, 3]}\n')
        document = self.compare(a, a, "--workload", workload)
        self.assertEqual(document["quality"]["identical_outputs"]["samples"], 2)
        for line in ('{"prompt": 3}', "[1]", '{"token_ids": [-1]}', '{"prompt": "x", "max_tokens": 0}', "{"):
            workload.write_text('{"prompt": "Hello"}\n' + line + "\n")
            ended = run(a, a, *ONCE, "--workload", workload, expected=1)
            self.assertIn("work.jsonl:2: ", ended.stderr)
            self.assertEqual(ended.stdout, "")

    def test_compares_speed_alone_where_vocabularies_differ(self):
        tiny = self.folder / "tiny.yaml"
        tiny.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\n")
        ended = run(self.pipeline("a.yaml"), tiny, *ONCE, "--json", expected=None)
        # Prompts of a larger vocabulary may not exist in the smaller one: refused, or speed alone.
        self.assertIn(ended.returncode, (0, 1), ended.stderr)
        self.assertIn("vocabular", ended.stderr)

    def test_wrong_usage_ends_with_2(self):
        a = self.pipeline("a.yaml")
        for wrong in ([], [a], [a, a, "--prompts", "0"], [a, a, "--max-kl", "x"], [a, a, "--nope"], ["--ablate", a, a], ["--ablate", a, "--max-kl", "1"]):
            self.assertEqual(run(*wrong, expected=2).stdout, "")


TENON, SOURCE, PLANTED = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
