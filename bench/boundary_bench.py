#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the plugin boundary costs anything: one pipeline in `tenon` (shared objects) and `tenon-static` (linked in).

boundary_bench.py BUILD PIPELINE [--pairs N]: runs `tenon bench` on both in turn (A B B A …) and prints, for each row, the
ratio dynamic / static of the medians, pair by pair: median, minimum and maximum. Build both first:
    cmake --build --preset release --target tenon tenon-static
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path


def bench(binary, pipeline, arguments):
    command = [str(binary), "bench", pipeline, "--json", "--repeat", "3", "--prompt-tokens", str(arguments.prompt_tokens),
               "--gen-tokens", str(arguments.gen_tokens), "--batch", arguments.batch]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    rows = json.loads(done.stdout)["results"]
    return {(row["kind"], row["batch"]): row["tokens_per_s"]["median"] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="the build tree, e.g. build/release")
    parser.add_argument("pipeline", help="e.g. configs/default.yaml")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--gen-tokens", type=int, default=64)
    parser.add_argument("--batch", default="1")
    arguments = parser.parse_args()
    ratios, dynamics, statics = {}, {}, {}
    for pair in range(arguments.pairs):
        order = ["tenon", "tenon-static"] if pair % 2 == 0 else ["tenon-static", "tenon"]
        rates = {name: bench(arguments.build / "bin" / name, arguments.pipeline, arguments) for name in order}
        for row, rate in rates["tenon"].items():
            ratios.setdefault(row, []).append(rate / rates["tenon-static"][row])
            dynamics.setdefault(row, []).append(rate)
            statics.setdefault(row, []).append(rates["tenon-static"][row])
        print(f"pair {pair + 1} of {arguments.pairs}", file=sys.stderr)
    print(f"{'kind':<8} {'batch':>5} {'dynamic':>9} {'static':>9}   dynamic/static: median (min to max)")
    for (kind, batch), values in ratios.items():
        print(f"{kind:<8} {batch:>5} {statistics.median(dynamics[kind, batch]):>9.1f} "
              f"{statistics.median(statics[kind, batch]):>9.1f}   {statistics.median(values):.3f} "
              f"({min(values):.3f} to {max(values):.3f})")


main()
