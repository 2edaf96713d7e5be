# SPDX-License-Identifier: Apache-2.0
"""Plugins compiled with the first SDK of each ABI, in today's host: samples_test.py TENON SOURCE_FOLDER PLUGIN_FOLDER"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

FAMILIES = ["attention", "decoding", "device", "parallel", "quant", "scheduler"]


def run(*arguments):
    done = subprocess.run([TENON, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"tenon {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Samples(unittest.TestCase):
    def tokens(self, text):
        with tempfile.TemporaryDirectory() as folder:
            pipeline = pathlib.Path(folder) / "sample.yaml"
            pipeline.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\ndevice: {{use: cpu, threads: 1}}\n{text}")
            return run("run", pipeline, "--token-ids", "1,7,11,3,5", "--max-tokens", "8", "--greedy", "--ignore-eos", "--json")["token_ids"]

    def test_there_is_one_of_each_family(self):
        self.assertEqual(sorted(file.stem for file in SAMPLES[0].glob("*.so")), FAMILIES)

    def test_each_passes_todays_check(self):
        for file in (file for folder in SAMPLES for file in sorted(folder.glob("*.so"))):
            with self.subTest(sample=f"{file.parent.name}/{file.name}"):
                report = run("check", file, "--json", "--plugin-dir", PLUGINS)
                self.assertTrue(report["passed"])
                self.assertEqual([component["name"] for component in report["components"]], ["first.sample"])

    def test_each_works_in_a_pipeline(self):
        usual = self.tokens("")
        for folder in SAMPLES:
            for family in FAMILIES:
                # The sample of a device makes four ops, which no model makes do with.
                if family == "device":
                    continue
                use = "decoding: [first.sample, sampler]" if family == "decoding" else f"{family}: {{use: first.sample}}"
                with self.subTest(sample=f"{folder.name}/{family}"):
                    tokens = self.tokens(f"plugins: [{folder / family}.so]\n{use}\n")
                    self.assertEqual(len(tokens), 8)
                    if family in ("scheduler", "parallel", "decoding"):
                        self.assertEqual(tokens, usual)


TENON, SOURCE, PLUGINS = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
SAMPLES = sorted((SOURCE / "tests/abi/samples").glob("abi_*"))
unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
