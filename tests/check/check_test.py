#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_test.py TENON WRONG PLUGINS: `tenon check` catches each fault of the plugins in WRONG by the test that is there
for it, and finds none in those of PLUGINS."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

TENON, WRONG, PLUGINS = Path(), Path(), Path()

# Plugin, component, the test that must fail, how.
FAULTS = [
    ("wrong_exports", "", "plugin.static.exports", "failed"),
    ("wrong_undefined", "", "plugin.static.undefined", "failed"),
    ("wrong_unique", "", "plugin.static.unique", "failed"),
    ("wrong_default", "", "plugin.static.load", "failed"),
    ("wrong_description", "", "plugin.static.description", "failed"),
    ("wrong_component", "acme.leaks", "any.create.thousand_times", "failed"),
    ("wrong_component", "acme.answers_anything", "any.query.unknown", "failed"),
    ("wrong_component", "acme.offers_nothing", "any.create.defaults", "failed"),
    ("wrong_component", "acme.crashes_on_an_option", "any.create.random_options", "crashed"),
    ("wrong_component", "acme.undocumented_option", "any.options.table", "failed"),
    ("wrong_component", "acme.throws_across", "any.create.defaults", "crashed"),
    ("wrong_component", "acme.refuses_silently", "any.create.random_options", "failed"),
    ("wrong_attention", "acme.ignores_window", "attention.numbers.window", "failed"),
    ("wrong_attention", "acme.reads_first_page", "attention.numbers.f32", "failed"),
    ("wrong_attention", "acme.reads_first_page", "attention.pages.reused", "failed"),
    ("wrong_attention", "acme.forgets_context", "attention.batch.chunked", "failed"),
    ("wrong_attention", "acme.allocates_in_run", "attention.cost.allocations", "failed"),
    ("wrong_attention", "acme.crashes_in_plan", "attention.numbers.f32", "crashed"),
    ("wrong_attention", "acme.hangs_in_run", "attention.numbers.f32", "hung"),
    ("wrong_attention", "acme.shares_state", "any.create.independent", "failed"),
    ("wrong_attention", "acme.depends_on_batch", "attention.batch.invariant", "warning"),
    ("wrong_quant", "acme.drops_residual", "quant.numbers.residual", "failed"),
    ("wrong_quant", "acme.swaps_matrices", "quant.numbers.stacked", "failed"),
    ("wrong_quant", "acme.adds_company", "quant.batch.invariant", "warning"),
    ("wrong_quant", "acme.drops_columns", "quant.numbers.f32", "failed"),
    ("wrong_adapter", "acme.forgets_scale", "quant.adapter.f32", "failed"),
    ("wrong_adapter", "acme.changes_every_row", "quant.adapter.others_untouched", "failed"),
    ("wrong_adapter", "acme.adds_company", "quant.adapter.company", "warning"),
    ("wrong_adapter", "acme.takes_stray_deltas", "quant.adapter.stray_delta", "failed"),
    ("wrong_adapter", "acme.allocates_in_run", "quant.adapter.allocations", "failed"),
    ("wrong_parallel", "acme.forgets_rank", "parallel.communicator.ranks", "failed"),
    ("wrong_parallel", "acme.adds_own_first", "parallel.communicator.all_reduce", "failed"),
    ("wrong_parallel", "acme.gathers_backwards", "parallel.communicator.all_gather", "failed"),
    ("wrong_parallel", "acme.scatters_next_part", "parallel.communicator.reduce_scatter", "failed"),
    ("wrong_parallel", "acme.cuts_messages", "parallel.communicator.send_receive", "failed"),
    ("wrong_scheduler", "acme.starves", "scheduler.play.nobody_starves", "failed"),
    ("wrong_scheduler", "acme.exceeds_budget", "scheduler.plan.budget", "failed"),
    ("wrong_scheduler", "acme.overdraws_blocks", "scheduler.plan.blocks", "failed"),
    ("wrong_scheduler", "acme.grants_twice", "scheduler.plan.sound", "failed"),
    ("wrong_scheduler", "acme.remembers", "scheduler.plan.pure", "failed"),
    ("wrong_decoding", "acme.draws_too_narrowly", "decoding.sampler.draws", "failed"),
    ("wrong_decoding", "acme.counts_calls", "decoding.sampler.same_seed", "failed"),
    ("wrong_decoding", "acme.ignores_zero", "decoding.sampler.arg_max", "failed"),
    ("wrong_decoding", "acme.wrong_distribution", "decoding.sampler.formula", "failed"),
    ("wrong_decoding", "acme.negative_tokens", "decoding.drafter.bounds", "failed"),
    ("wrong_decoding", "acme.too_many_tokens", "decoding.drafter.bounds", "failed"),
    ("wrong_decoding", "acme.makes_nan", "decoding.processor.sensible", "failed"),
    ("wrong_decoding", "acme.shares_scratch", "decoding.processor.threads", "failed"),
    ("wrong_decoding", "acme.shares_scratch", "decoding.sampler.threads", "failed"),
    ("wrong_decoding", "acme.forgets_borders", "decoding.back_rule.pieces", "failed"),
    ("wrong_decoding", "acme.speaks_and_denies", "decoding.front_rule.answers", "failed"),
    ("wrong_decoding", "acme.trusts_tokens", "decoding.processor.hostile", "crashed"),
]
RIGHT = ["wrong_adapter", "wrong_attention", "wrong_parallel", "wrong_quant", "wrong_scheduler", "wrong_decoding"]


def command(plugin, *arguments):
    return [TENON, "check", plugin, "--json", "--plugin-dir", PLUGINS, *arguments]


def check(plugin, *arguments):
    """The exit code and the report."""
    done = subprocess.run(command(plugin, *arguments), capture_output=True, text=True, timeout=600)
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AssertionError(f"no report; code {done.returncode}: {done.stderr}") from None


def tests_of(report):
    """All tests of a report as (component, test)."""
    yield from (("", test) for test in report["tests"])
    for component in report["components"]:
        yield from ((component["name"], test) for test in component["tests"])


class Faults(unittest.TestCase):
    def test_each_is_caught_by_its_test(self):
        for plugin, component, name, status in FAULTS:
            with self.subTest(plugin=plugin, component=component, test=name):
                arguments = ["--only", name, "--timeout", "3" if status == "hung" else "120"]
                if component:
                    arguments += ["--component", component]
                code, report = check(WRONG / f"{plugin}.so", *arguments)
                found = [t for owner, t in tests_of(report) if t["name"] == name and owner == component]
                self.assertEqual(len(found), 1, report)
                if status == "warning":
                    self.assertTrue(found[0]["warning"], found)
                    self.assertEqual((code, report["passed"]), (0, True))
                    self.assertEqual(check(WRONG / f"{plugin}.so", "--strict", *arguments)[0], 1)
                else:
                    self.assertEqual(found[0]["status"], status, found)
                    self.assertNotEqual(found[0]["message"], "")
                    self.assertEqual((code, report["passed"]), (1, False))

    def test_a_crash_is_not_the_end(self):
        _, report = check(WRONG / "wrong_attention.so", "--component", "acme.crashes_in_plan",
                          "--only", "attention.batch")
        self.assertEqual([t["status"] for _, t in tests_of(report)], ["crashed"] * 4)

    def test_what_is_right_passes(self):
        for plugin in RIGHT:
            with self.subTest(plugin=plugin):
                code, report = check(WRONG / f"{plugin}.so", "--component", "acme.right", "--strict")
                bad = [t for _, t in tests_of(report) if t["status"] not in ("passed", "skipped")]
                self.assertEqual((code, bad), (0, []))


class Plugins(unittest.TestCase):
    def test_all_of_this_tree_pass(self):
        files = sorted(PLUGINS.glob("*.so"))
        self.assertTrue(files)
        for file in files:
            with self.subTest(plugin=file.name):
                code, report = check(file)
                bad = [t for _, t in tests_of(report) if t["status"] not in ("passed", "skipped")]
                self.assertEqual((code, bad), (0, []))
                self.assertTrue(report["components"])


    def test_rates_stand_beside_what_the_machine_can_do(self):
        for plugin, name, read, computed in (("attention_paged", "attention.cost.time", "decode", "prefill"),
                                             ("quant_native", "quant.cost.time", "1 row", "64 rows")):
            with self.subTest(plugin=plugin):
                _, report = check(PLUGINS / f"{plugin}.so", "--only", name)
                rates = {rate["what"]: rate for _, test in tests_of(report) for rate in test["rates"]}
                self.assertEqual({what: rate["unit"] for what, rate in rates.items()}, {read: "B/s", computed: "op/s"})
                self.assertEqual(list(rates[read]["shares"]), ["memory"])
                self.assertIn("f32", rates[computed]["shares"])
                for rate in rates.values():
                    for share in rate["shares"].values():
                        self.assertGreater(share, 0)
                # No more than an instruction set can, of its fastest type; half as much again for a machine that others use.
                self.assertLess(min(rates[computed]["shares"].values()), 1.5)
        text = subprocess.run([TENON, "check", PLUGINS / "quant_native.so", "--only", "quant.cost.time"], capture_output=True, text=True, timeout=120)
        self.assertRegex(text.stdout, r"1 row: [0-9.e+]+ GB/s, [0-9.e+]+ % of memory\n")


class Command(unittest.TestCase):
    def test_says_what_is_not_there(self):
        for arguments in (["no_such.so"], [WRONG / "wrong_quant.so", "--component", "acme.absent"]):
            done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertNotEqual(done.stderr, "")
        done = subprocess.run(command("x.so", "--family", "nonsense"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 2)

    def test_text_has_a_line_a_test(self):
        done = subprocess.run([TENON, "check", WRONG / "wrong_nothing.so"], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("passed   any.create.thousand_times", done.stdout)
        self.assertRegex(done.stdout, r"\npassed: \d+ passed \d+ skipped\n$")

    def test_ctrl_c_ends_the_child_too(self):
        file = WRONG / "wrong_attention.so"
        process = subprocess.Popen(command(file, "--component", "acme.hangs_in_run", "--only", "attention.numbers.f32"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        child = None
        while child is None and time.monotonic() < deadline:
            child = self.hanging_child(process.pid)
            time.sleep(0.1)
        self.assertIsNotNone(child)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertFalse(os.path.exists(f"/proc/{child}"))

    @staticmethod
    def hanging_child(parent):
        """The child that runs the hanging test, once it does."""
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
        for child in children:
            try:
                if b"attention.numbers.f32" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
            except OSError:
                pass
        return None


if __name__ == "__main__":
    TENON, WRONG, PLUGINS = (Path(argument).resolve() for argument in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
