#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What serving costs: 32 streams through HTTP beside the engine alone, and time to first token with a shared prefix.

serve_bench.py [BINARY] [PIPELINE] [--streams 32] [--gen-tokens 384] [--rounds 5] [--prefix-tokens 1840] [--json FILE]

Streams: `tenon bench --batch N` and `tenon bench-serve --max-concurrency N` in turn (A B A B ...), both decoding --gen-tokens
after the same short prompt; the ratio is that of output tokens a second while all streams decode, that is N / TPOT for the
server. Prefix: prompts of which 90 % are shared, sent one after the other to a server whose cache is on and to one whose cache
is off; the ratio is that of median times to first token.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Server:
    def __init__(self, binary, pipeline, *arguments):
        self.process = subprocess.Popen([binary, "serve", pipeline, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = None
        for line in self.process.stdout:
            found = re.search(r"http://[^\s\"]+:\d+", line)
            if found:
                self.url = found.group(0)
                break
        if not self.url:
            raise SystemExit(f"tenon serve ended with {self.process.wait()}")
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()
        while True:
            try:
                urllib.request.urlopen(self.url + "/ready").close()
                return
            except OSError:
                time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def run(*command):
    return json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout)


def engine_rate(a):
    result = run(a.binary, "bench", a.pipeline, "--prompt-tokens", 0, "--gen-tokens", a.gen_tokens, "--batch", a.streams, "--depth", a.prompt_tokens,
                 "--repeat", 1, "--json")["results"]
    return next(row["tokens_per_s"]["median"] for row in result if row["kind"] == "decode")


def server_rate(a, server):
    result = run(a.binary, "bench-serve", server.url, "--num-prompts", a.streams, "--max-concurrency", a.streams, "--input-len", a.prompt_tokens,
                 "--output-len", a.gen_tokens, "--ignore-eos", "--temperature", 0, "--seed", time.monotonic_ns() % 2**31, "--json")
    if result["failed"]:
        raise SystemExit(f"requests failed: {result['errors']}")
    return 1000 * a.streams / result["mean_tpot_ms"], result["output_throughput"]


def streams(a):
    rounds = []
    with Server(a.binary, a.pipeline) as server:
        server_rate(a, server)
        for _ in range(a.rounds):
            alone = engine_rate(a)
            decoding, whole = server_rate(a, server)
            rounds.append({"engine": alone, "server": decoding, "server_whole_run": whole, "ratio": decoding / alone})
            print(f"{a.streams} streams: engine {alone:.0f} tok/s, through HTTP {decoding:.0f} tok/s ({whole:.0f} with prefill), ratio {decoding / alone:.3f}", flush=True)
    ratio = statistics.median(row["ratio"] for row in rounds)
    print(f"median ratio {ratio:.3f} (goal: 0.90)")
    return {"rounds": rounds, "median_ratio": ratio}


def first_token_ms(a, server):
    suffix = round(a.prefix_tokens / 9)
    result = run(a.binary, "bench-serve", server.url, "--dataset-name", "prefix_repetition", "--num-prompts", 12, "--prefix-repetition-num-prefixes", 1,
                 "--prefix-repetition-prefix-len", a.prefix_tokens, "--prefix-repetition-suffix-len", suffix, "--output-len", 2, "--max-concurrency", 1,
                 "--num-warmups", 1, "--temperature", 0, "--json")
    if result["failed"]:
        raise SystemExit(f"requests failed: {result['errors']}")
    return result["median_ttft_ms"], result["total_cached_tokens"] / result["total_input_tokens"]


def prefix(a):
    rows = {}
    for name, arguments in (("cache on", ()), ("cache off", ("--set", "memory.prefix_cache=false"))):
        with Server(a.binary, a.pipeline, *arguments) as server:
            ms, hits = first_token_ms(a, server)
        rows[name] = {"median_ttft_ms": ms, "hit_rate": hits}
        print(f"90 % shared prefix, {name}: median time to first token {ms:.1f} ms, {100 * hits:.0f} % of prompt tokens from the cache", flush=True)
    ratio = rows["cache off"]["median_ttft_ms"] / rows["cache on"]["median_ttft_ms"]
    print(f"ratio {ratio:.1f} (goal: 6)")
    return {**rows, "ratio": ratio}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", default=str(ROOT / "build/release/bin/tenon"))
    parser.add_argument("pipeline", nargs="?", default=str(ROOT / "configs/default.yaml"))
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--gen-tokens", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefix-tokens", type=int, default=1840)
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args()
    result = {"streams": streams(a), "prefix": prefix(a)}
    if a.json:
        a.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
