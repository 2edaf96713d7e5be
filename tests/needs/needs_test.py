# SPDX-License-Identifier: Apache-2.0
"""What each architecture needs is named by `tenon explain`, and refused of components that do not claim it:
needs_test.py BINARY SOURCE_FOLDER BARE_PLUGIN"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

# What the small models of the reference data need beyond f32 weights and their KV type.
NEEDS = {
    "llama": ([], []),
    "mistral": (["sliding window"], []),
    "qwen2": ([], ["linear with bias"]),
    "qwen3": ([], []),
    "phi3": ([], []),
    "gemma2": (["sliding window", "attention soft cap"], []),
    "gemma3_text": (["sliding window"], []),
    "mixtral": ([], ["grouped linear (experts)"]),
    "qwen2_moe": ([], ["grouped linear (experts)", "linear with bias"]),
    "qwen3_moe": ([], ["grouped linear (experts)"]),
    "deepseek_v2": (["latent KV (MLA)"], ["grouped linear (experts)"]),
    "deepseek_v3": (["latent KV (MLA)"], ["grouped linear (experts)"]),
    "gpt_oss": (["sliding window", "attention sinks"], ["grouped linear (experts)", "linear with bias"]),
}


def folder_of(name):
    for folder in (SOURCE / "tests/data/models" / name, SOURCE.parent / "shared/reference/tiny" / name):
        if folder.is_dir():
            return folder
    return None


class Needs(unittest.TestCase):
    def explain(self, folder, *overrides):
        with tempfile.TemporaryDirectory() as temporary:
            path = pathlib.Path(temporary) / "p.yaml"
            path.write_text(f"extends: {SOURCE / 'configs/exact.yaml'}\nmodel: {folder}\nplugins: [{BARE}]\n")
            sets = [word for override in overrides for word in ("--set", override)]
            return subprocess.run([TENON, "explain", str(path), "--json", *sets], capture_output=True, text=True, timeout=100)

    def test_explain_names_what_each_architecture_needs(self):
        seen = 0
        for name, (attention, quant) in NEEDS.items():
            folder = folder_of(name)
            if folder is None:
                continue
            seen += 1
            with self.subTest(name):
                done = self.explain(folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                components = json.loads(done.stdout)["components"]
                self.assertEqual(set(components["attention"]["needs"]), {*attention, "device cpu", "f32 KV"})
                self.assertEqual(set(components["quant"]["needs"]), {*quant, "device cpu", "f32 weights"})
        self.assertGreater(seen, 1)

    def test_what_a_component_does_not_claim_is_refused_before_it_is_made(self):
        for name, needs in NEEDS.items():
            folder = folder_of(name)
            for family, bits in zip(("attention", "quant"), needs):
                if folder is None or not bits:
                    continue
                with self.subTest(f"{name}, {family}"):
                    done = self.explain(folder, f"{family}.use=test.bare_{family}")
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn(f"TN109 test.bare_{family} does not understand", done.stderr)
                    for bit in bits:
                        self.assertIn(bit, done.stderr)
                    self.assertNotIn("it was made", done.stderr)
                    # And what would do instead.
                    self.assertIn("native" if family == "quant" else "paged", done.stderr)

    def test_what_it_does_claim_lets_it_be_made(self):
        done = self.explain(folder_of("llama"), "quant.use=test.bare_quant")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("it was made", done.stderr)


TENON, SOURCE, BARE = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
