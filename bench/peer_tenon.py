# SPDX-License-Identifier: Apache-2.0
"""Worker of peers.py: Tenon, by `tenon bench`."""
import json
import subprocess

import peer_worker


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def main():
    arguments = peer_worker.arguments_of(["--tenon", "--pipeline"])
    common = [arguments.pipeline, "--set", f"model={arguments.model}", "--set", f"device.threads={arguments.threads}"]

    def answer(request):
        if request["kind"] == "load":
            return run([arguments.tenon, "run", *common, "--token-ids", "1", "--max-tokens", "1", "--json"])["timing"]["load_ms"] * 1e-3
        prefill = request["kind"] == "prefill"
        command = [arguments.tenon, "bench", *common, "--json", "--repeat", "1", "--batch", str(request["batch"]), "--depth",
                   str(request["depth"]), "--prompt-tokens", str(request["tokens"] if prefill else 0), "--gen-tokens",
                   str(0 if prefill else request["tokens"])]
        result = run(command)["results"][0]
        return result["tokens"] / result["tokens_per_s"]["median"]

    def open_engine():
        explained = run([arguments.tenon, "explain", *common, "--json"])
        model, memory = explained["model"], explained["memory"]
        embedding = model["vocabulary"] * model["hidden"]
        levels = run([arguments.tenon, "devices", "--json"])["isa_levels"]
        about = {"instruction_sets": [level["name"] for level in levels if level["used"]], "version": subprocess.run([arguments.tenon, "--version"], capture_output=True, text=True).stdout.strip(),
                 "layer_parameters": model["parameters"] - embedding, "weights_bytes": memory["weights_bytes"],
                 "kv_bytes_per_token": memory["kv_bytes_per_token"]}
        return about, answer

    peer_worker.serve(open_engine)


main()
