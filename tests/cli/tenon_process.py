# SPDX-License-Identifier: Apache-2.0
"""Runs the tenon binary as a user would, and holds every run to what no run may do: end other than with
0, 1, 2 or 130, fail without a word, or show a trace."""
import json
import os
import pathlib
import signal
import subprocess
import time

BINARY = "tenon"
SOURCE = pathlib.Path()
TIMEOUT_S = 300  # far beyond any run here, on a busy machine too

EXIT_CODES = (0, 1, 2, 130)
TRACES = ("terminate called", "what():", "Aborted", "Segmentation", "core dumped", "AddressSanitizer",
          "LeakSanitizer", "runtime error:", "ThreadSanitizer", "broken invariant", "std::", "Assertion")


class Ended:
    """How a run ended: its exit code and what it wrote."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code = arguments, code
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        said = f"{arguments}: exit {code}\nstdout: {self.out[:400]}\nstderr: {self.err[:2000]}"
        assert code in EXIT_CODES, f"no exit code of ours: {said}"
        assert not any(trace in self.err for trace in TRACES), f"a trace: {said}"
        assert code == 0 or code == 130 or self.err.strip(), f"a failure without a word: {said}"
        self.said = said

    def document(self):
        """The one JSON document on stdout."""
        return json.loads(self.out)


def environment(extra=None):
    merged = {key: value for key, value in os.environ.items() if key != "TENON_ISA"}
    merged.update(extra or {})
    return merged


def tenon(*arguments, stdin=b"", env=None, cwd=None, stdout=subprocess.PIPE):
    """Runs to the end. stdin: bytes, or None for /dev/null."""
    process = start(*arguments, env=env, cwd=cwd, stdout=stdout)
    try:
        out, err = process.communicate(stdin or b"", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(arguments, process.returncode, out or b"", err)


def start(*arguments, env=None, cwd=None, stdout=subprocess.PIPE):
    return subprocess.Popen([str(BINARY), *map(str, arguments)], stdin=subprocess.PIPE, stdout=stdout,
                            stderr=subprocess.PIPE, env=environment(env), cwd=cwd)


def interrupt(process):
    """Ctrl-C, not before the process listens for it."""
    bit = 1 << (signal.SIGINT - 1)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & bit:
            process.send_signal(signal.SIGINT)
            return
        time.sleep(0.005)
    raise AssertionError("the process never listened for Ctrl-C")


def finish(process, stdin=b""):
    out, err = process.communicate(stdin, timeout=TIMEOUT_S)
    return Ended(process.args, process.returncode, out or b"", err)


def config(name):
    return str(SOURCE / "configs" / name)


def data(name):
    return str(SOURCE / "tests" / "data" / name)


# A model of three layers without a tokenizer, for what needs no text.
def tiny(name="llama"):
    return ["--set", "model=" + data("models/" + name)]


def generate(*arguments, pipeline="default.yaml", **more):
    """`tenon run --json` that must succeed: its document."""
    ended = tenon("run", config(pipeline), "--json", *arguments, **more)
    assert ended.code == 0, ended.said
    return ended.document()
