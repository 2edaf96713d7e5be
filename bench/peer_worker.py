# SPDX-License-Identifier: Apache-2.0
"""What the workers of peers.py share: one request a line on stdin, one answer a line on stdout."""
import argparse
import json
import os
import sys
from pathlib import Path

FILES = {"smollm2-135m-instruct": "smollm2-135m-instruct", "gemma-3-270m": "gemma-3-270m"}


def model_file(name):
    """The GGUF file of a pulled model, or `name` itself where that is a file."""
    if name not in FILES:
        return name
    home = Path(os.environ.get("TENON_HOME", Path.home() / ".cache/tenon"))
    found = sorted((home / "models").glob(f"{FILES[name]}*/*.gguf")) + sorted((home / "models").glob(f"{FILES[name]}*.gguf"))
    if not found:
        raise FileNotFoundError(f"{name} is not there; get it with: tenon pull {name}")
    return str(found[0])


def arguments_of(extra=()):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    for name in extra:
        parser.add_argument(name, required=True)
    return parser.parse_args()


def serve(open_engine):
    """`open_engine()` gives (about, answer); `answer(request)` gives seconds. Errors become answers."""
    say = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to stdout

    def tell(document):
        say.write(json.dumps(document) + "\n")
        say.flush()

    try:
        about, answer = open_engine()
    except Exception as error:  # whatever an engine's loader throws
        tell({"error": f"{type(error).__name__}: {error}"})
        return
    tell(about)
    for line in sys.stdin:
        try:
            tell({"seconds": answer(json.loads(line))})
        except Exception as error:
            tell({"error": f"{type(error).__name__}: {error}"})
