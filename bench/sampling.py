#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Choosing one token from a vocabulary, Tenon beside llama.cpp, on the same logits, in turn.

sampling.py [MODEL] [--rounds N] [--bench build/release/bench/sampling_bench]

llama.cpp computes a prompt's logits; they go to a file, from which Tenon's sampler chooses too. The chain: top-k 40, top-p
0.95, temperature 0.8, a draw. `sample` is llama_sampler_sample, what its users call: it fills an array of candidates and
applies the chain; `apply` is the chain alone on an array that lies ready.
Build sampling_bench with: cmake --build --preset release --target sampling_bench
"""
import argparse
import ctypes
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import peer_worker

ROOT = Path(__file__).resolve().parent.parent
PROMPT = b"The harbour was quiet that morning, and nobody"
CALLS = 200


class Llama:
    def __init__(self, path):
        import llama_cpp

        self.api = api = llama_cpp
        self.log = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(self.log, None)
        self.model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        options = api.llama_context_default_params()
        options.n_ctx = 256
        self.context = api.llama_init_from_model(self.model, options)
        vocabulary = api.llama_model_get_vocab(self.model)
        self.size = api.llama_vocab_n_tokens(vocabulary)
        tokens = (api.llama_token * 64)()
        count = api.llama_tokenize(vocabulary, PROMPT, len(PROMPT), tokens, 64, True, False)
        if api.llama_decode(self.context, api.llama_batch_get_one(tokens, count)) != 0:
            raise RuntimeError("llama_decode failed")
        self.chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        for part in (api.llama_sampler_init_top_k(40), api.llama_sampler_init_top_p(0.95, 1), api.llama_sampler_init_temp(0.8),
                     api.llama_sampler_init_dist(1)):
            api.llama_sampler_chain_add(self.chain, part)
        self.candidates = (api.llama_token_data * self.size)()
        logits = self.logits()
        for i in range(self.size):
            self.candidates[i] = api.llama_token_data(i, logits[i], 0.0)
        self.work = (api.llama_token_data * self.size)()

    def logits(self):
        return self.api.llama_get_logits_ith(self.context, -1)[0:self.size]

    def sample(self):
        start = time.perf_counter()
        for _ in range(CALLS):
            self.api.llama_sampler_sample(self.chain, self.context, -1)
        return (time.perf_counter() - start) / CALLS

    def apply(self):
        seconds = 0.0
        for _ in range(CALLS):
            ctypes.memmove(self.work, self.candidates, ctypes.sizeof(self.work))
            array = self.api.llama_token_data_array(ctypes.cast(self.work, ctypes.POINTER(self.api.llama_token_data)), self.size, -1, False)
            start = time.perf_counter()
            self.api.llama_sampler_apply(self.chain, ctypes.byref(array))
            seconds += time.perf_counter() - start
        return seconds / CALLS


def tenon(bench, logits):
    done = subprocess.run([bench, f"--logits={logits}", "--benchmark_filter=file/", "--benchmark_format=json", "--benchmark_min_time=0.1"],
                          capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["benchmarks"][0]
    return result["real_time"] * 1e-9, result["% of one pass"]


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="gemma-3-270m")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bench", type=Path, default=ROOT / "build/release/bench/sampling_bench")
    arguments = parser.parse_args()
    llama = Llama(peer_worker.model_file(arguments.model))
    llama.sample(), llama.apply()
    own, share, whole, chain = [], [], [], []
    with tempfile.NamedTemporaryFile(suffix=".f32") as file:
        file.write(bytes((ctypes.c_float * llama.size)(*llama.logits())))
        file.flush()
        for turn in range(arguments.rounds):
            steps = [lambda: whole.append(llama.sample()), lambda: chain.append(llama.apply()),
                     lambda: [kept.append(value) for kept, value in zip((own, share), tenon(arguments.bench, file.name))]]
            for step in steps if turn % 2 == 0 else reversed(steps):
                step()
    print(f"{arguments.model}, {llama.size} logits, top-k 40, top-p 0.95, temperature 0.8")
    print(f"tenon {statistics.median(own) * 1e6:.1f} us, {statistics.median(share):.0f} % of one pass over the logits")
    for name, theirs in (("sample", whole), ("apply", chain)):
        ratios = [other / mine for mine, other in zip(own, theirs)]
        print(f"llama.cpp {name} {statistics.median(theirs) * 1e6:.1f} us: tenon is {spread(ratios)} times as fast")


if __name__ == "__main__":
    main()
