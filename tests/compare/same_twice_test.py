# SPDX-License-Identifier: Apache-2.0
"""`tenon compare` of a pipeline with itself finds nothing, nineteen times of twenty: same_twice_test.py BINARY SOURCE_FOLDER"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNS = 20
QUICK = ["--prompts", "12", "--gen-tokens", "16", "--requests", "4", "--concurrency", "4", "--json"]


def differences(pipeline):
    """What was found in RUNS experiments, one line each."""
    found = []
    for _ in range(RUNS):
        done = subprocess.run([TENON, "compare", pipeline, pipeline, *QUICK], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        document = json.loads(done.stdout)
        if document["quality"]["largest_kl"] != 0 or document["quality"]["divergences"]:
            raise AssertionError(f"the same pipeline, other bits: {document['quality']}")
        if document["verdict"]["difference"]:
            found.append(document["verdict"]["text"])
    return found


class SameTwice(unittest.TestCase):
    def test_finds_no_difference_in_nineteen_of_twenty_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            pipeline = pathlib.Path(folder) / "tiny.yaml"
            # One lane: those of a model this small would wait for each other more than they compute.
            pipeline.write_text(f"model: {SOURCE / 'tests/data/models/llama'}\ndevice: {{use: cpu, threads: 1}}\ndecoding: [greedy]\n")
            # What errs in one experiment of fifty still errs twice in twenty now and then, but not in the next twenty too.
            rounds = [differences(pipeline)]
            if len(rounds[0]) > 1:
                rounds.append(differences(pipeline))
            self.assertLessEqual(len(rounds[-1]), 1, rounds)


TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
