#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tenon beside other engines, on one machine, on the same model file, in one run.

peers.py [MODEL ...] [--peers llama_cpp,openvino] [--rounds N] [--threads N] [--rows REGEX] [--isa avx2] [--json FILE]

Every row is measured for each engine in turn (A B A B ...), so that a noisy neighbour meets all of them alike; what counts
is the median of the ratios, pair by pair, and their spread. An engine that is not installed, or cannot load the model, is
left out and the reason is printed. `limit` is the share of what the machine can do at most, as `tenon bench --machine`
measures it before and after the rounds: of the int8 peak for prefill, of memory reads (weights and KV) for decode.

Peers come from PyPI, into any environment that runs this script:
  pip install llama-cpp-python --no-binary llama-cpp-python     (builds natively)
  pip install openvino-genai
or into one of their own: --python llama_cpp=/path/to/bin/python.

--isa avx2 holds Tenon to that level; a peer takes part only if it says that it uses nothing above it. For llama.cpp:
  CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON" \
    pip install --no-cache-dir llama-cpp-python --no-binary llama-cpp-python
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MODELS = ["smollm2-135m-instruct", "gemma-3-270m"]
BUSY = "while True: pass"

# Instruction sets, as workers name them, that lie above a level.
ABOVE = {"avx2": {"AVX_VNNI", "AVX512"}, "avx2+vnni": {"AVX512"}, "avx512": set()}

# name, request, whether a second process keeps one core busy meanwhile
ROWS = [
    ("prefill 512", {"kind": "prefill", "tokens": 512, "batch": 1, "depth": 0}, False),
    ("decode", {"kind": "decode", "tokens": 64, "batch": 1, "depth": 0}, False),
    ("decode at 1k", {"kind": "decode", "tokens": 48, "batch": 1, "depth": 1024}, False),
    ("decode at 4k", {"kind": "decode", "tokens": 32, "batch": 1, "depth": 4096}, False),
    ("decode, 8 sequences", {"kind": "decode", "tokens": 48, "batch": 8, "depth": 0}, False),
    ("decode, 32 sequences", {"kind": "decode", "tokens": 32, "batch": 32, "depth": 0}, False),
    ("prefill 512, one core busy", {"kind": "prefill", "tokens": 512, "batch": 1, "depth": 0}, True),
    ("decode, one core busy", {"kind": "decode", "tokens": 64, "batch": 1, "depth": 0}, True),
    ("load", {"kind": "load"}, False),
]


class Engine:
    """A worker process that answers one JSON request a line: {"seconds": s} or {"error": text}."""

    def __init__(self, name, model, arguments):
        self.name = name
        python = dict(arguments.python).get(name, sys.executable)
        worker = [python, str(HERE / f"peer_{name}.py"), "--model", model, "--threads", str(arguments.threads)]
        if name == "tenon":
            worker += ["--tenon", str(arguments.tenon), "--pipeline", str(arguments.pipeline)]
        self.process = subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            return {"error": f"its worker ended with code {self.process.wait()}"}
        return json.loads(line)

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": "its worker has ended"}
        return self.answer()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def open_engines(model, arguments):
    engines = []
    for name in ["tenon", *arguments.peers.split(",")]:
        engine = Engine(name, model, arguments)
        forbidden = set() if arguments.isa is None else ABOVE[arguments.isa]
        sets = engine.about.get("instruction_sets")
        if name != "tenon" and forbidden and "error" not in engine.about:
            if sets is None:
                engine.about["error"] = f"it does not say which instruction sets it uses, and --isa is {arguments.isa}"
            elif forbidden & set(sets):
                engine.about["error"] = f"it uses {', '.join(sorted(forbidden & set(sets)))}, and --isa is {arguments.isa}"
        if "error" in engine.about:
            print(f"{model}: {name} is left out: {engine.about['error']}", file=sys.stderr)
            engine.close()
            if name == "tenon":
                sys.exit(1)
        else:
            engines.append(engine)
    return engines


def rate(request, seconds):
    return 1 / seconds if request["kind"] == "load" else request["tokens"] * request["batch"] / seconds


def measure_row(engines, row, rounds):
    """Rates by engine name, one a round; engines that cannot do the row are left out."""
    title, request, busy = row
    rates = {engine.name: [] for engine in engines}
    neighbour = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
    try:
        for turn in range(rounds):
            for engine in engines if turn % 2 == 0 else reversed(engines):
                if engine.name not in rates:
                    continue
                answer = engine.ask(request)
                if "error" in answer:
                    print(f"{title}: {engine.name}: {answer['error']}", file=sys.stderr)
                    del rates[engine.name]
                else:
                    rates[engine.name].append(rate(request, answer["seconds"]))
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()
    return rates


def share_of_limit(request, median, about, machine):
    """The share of the machine's limit that `median` tokens a second are; None where there is none."""
    if request["kind"] == "prefill":
        return median * 2 * about["layer_parameters"] / machine["ops_per_s"].get("int8", float("inf"))
    if request["kind"] != "decode":
        return None
    depth = request["depth"] + request["tokens"] / 2
    step_bytes = about["weights_bytes"] + request["batch"] * depth * about["kv_bytes_per_token"]
    return median / request["batch"] * step_bytes / machine["read_bytes_per_s"]


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report_row(title, request, rates, about, machine):
    line = {"row": title, "rates": rates, "ratios": {}}
    own = rates["tenon"]
    unit = "loads/s" if request["kind"] == "load" else "tok/s"
    limit = share_of_limit(request, statistics.median(own), about, machine)
    line["limit"] = limit
    cells = [title, f"{statistics.median(own):.1f} {unit}", "" if limit is None else f"{100 * limit:.0f} %"]
    for name, theirs in rates.items():
        if name == "tenon":
            continue
        ratios = [mine / other for mine, other in zip(own, theirs)]
        line["ratios"][name] = ratios
        cells.append(f"{name} {statistics.median(theirs):.1f}: {spread(ratios)}x")
    return line, cells


def better(a, b):
    """The higher of two measurements of the machine, value by value."""
    return {**a, "read_bytes_per_s": max(a["read_bytes_per_s"], b["read_bytes_per_s"]),
            "ops_per_s": {key: max(value, b["ops_per_s"][key]) for key, value in a["ops_per_s"].items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, help=f"names or files; default: {' '.join(MODELS)}")
    parser.add_argument("--peers", default="llama_cpp,openvino")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rows", default=".", help="only rows whose name matches")
    parser.add_argument("--tenon", type=Path, default=ROOT / "build/release/bin/tenon")
    parser.add_argument("--pipeline", type=Path, default=ROOT / "configs/default.yaml")
    parser.add_argument("--isa", choices=list(ABOVE), help="the level that nobody may exceed (default: each one's best)")
    parser.add_argument("--python", metavar="PEER=FILE", action="append", default=[], type=lambda text: tuple(text.split("=", 1)),
                        help="the interpreter of a peer's own environment")
    parser.add_argument("--json", type=Path, help="write every figure here")
    arguments = parser.parse_args()
    if arguments.isa is not None:
        os.environ["TENON_ISA"] = arguments.isa
    rows = [row for row in ROWS if re.search(arguments.rows, row[0])]
    limits = [arguments.tenon, "bench", "--machine", "--json", "--threads", str(arguments.threads)]
    document = []
    for model in arguments.models:
        engines = open_engines(model, arguments)
        machine = run_json(limits)
        measured = []
        for row in rows:
            print(f"{model}: {row[0]} ...", file=sys.stderr)
            measured.append((row, measure_row(engines, row, arguments.rounds)))
        machine = better(machine, run_json(limits))
        print(f"\n{model}, {arguments.threads} threads, {machine['isa']}; limits: "
              f"int8 {machine['ops_per_s'].get('int8', 0) * 1e-12:.2f} TOP/s, reads {machine['read_bytes_per_s'] * 1e-9:.1f} GB/s")
        for engine in engines:
            print(f"  {engine.name}: {engine.about['version']}; {' '.join(engine.about.get('instruction_sets', ['?']))}")
        print("| row | tenon | of the limit | tenon / peer: median (min to max) |\n| --- | --- | --- | --- |")
        for (title, request, _), rates in measured:
            if not rates.get("tenon"):
                continue
            line, cells = report_row(title, request, rates, engines[0].about, machine)
            document.append({"model": model, **line})
            print(f"| {cells[0]} | {cells[1]} | {cells[2]} | {'; '.join(cells[3:])} |")
        for engine in engines:
            engine.close()
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
