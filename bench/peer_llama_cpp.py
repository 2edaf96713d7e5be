# SPDX-License-Identifier: Apache-2.0
"""Worker of peers.py: llama.cpp through llama-cpp-python's bindings of its C functions."""
import random
import time

import peer_worker

SETTINGS = [{"flash": flash, "ubatch": ubatch} for flash in (0, 1) for ubatch in (512, 128)]


class Llama:
    def __init__(self, path, threads, setting, tokens=8192, sequences=32):
        import llama_cpp

        self.api = llama_cpp
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp cannot load this file")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = tokens
        options.n_batch = 512
        options.n_ubatch = setting["ubatch"]
        options.n_seq_max = sequences
        options.n_threads = options.n_threads_batch = threads
        options.kv_unified = True
        options.flash_attn_type = setting["flash"]
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if not self.context:
            raise RuntimeError("llama.cpp cannot make a context")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.batch = llama_cpp.llama_batch_init(512, 0, 1)

    def close(self):
        self.api.llama_batch_free(self.batch)
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)

    def clear(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def decode(self, entries):
        """entries: (token, position, sequence, whether its logits are wanted)."""
        for i, (token, position, sequence, logits) in enumerate(entries):
            self.batch.token[i] = token
            self.batch.pos[i] = position
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = sequence
            self.batch.logits[i] = logits
        self.batch.n_tokens = len(entries)
        if self.api.llama_decode(self.context, self.batch) != 0:
            raise RuntimeError("llama_decode failed")
        self.api.llama_synchronize(self.context)

    def fill(self, sequence, count, first=0):
        """`count` random tokens behind the first `first` of a sequence, in batches; logits of the last."""
        tokens = [random.randrange(self.vocabulary) for _ in range(count)]
        for begin in range(0, count, 512):
            part = tokens[begin:begin + 512]
            self.decode([(token, first + begin + i, sequence, begin + i == count - 1) for i, token in enumerate(part)])

    def prefill(self, request):
        self.clear()
        start = time.perf_counter()
        for sequence in range(request["batch"]):
            self.fill(sequence, request["tokens"])
        return time.perf_counter() - start

    def generate(self, request):
        self.clear()
        depth = max(request["depth"], 1)
        for sequence in range(request["batch"]):
            self.fill(sequence, depth)
        picks = [random.randrange(self.vocabulary) for _ in range(request["batch"])]
        start = time.perf_counter()
        for step in range(request["tokens"]):
            self.decode([(token, depth + step, sequence, True) for sequence, token in enumerate(picks)])
        return time.perf_counter() - start


def main():
    arguments = peer_worker.arguments_of()
    path = peer_worker.model_file(arguments.model)
    state = {}

    def best_setting(kind):
        """The quickest of its settings for prefill or decode, found once."""
        if kind not in state:
            request = {"tokens": 512 if kind == "prefill" else 24, "batch": 1, "depth": 0 if kind == "prefill" else 256}
            times = []
            for setting in SETTINGS:
                engine = Llama(path, arguments.threads, setting)
                run = engine.prefill if kind == "prefill" else engine.generate
                run(request)
                times.append(min(run(request) for _ in range(2)))
                engine.close()
            state[kind] = SETTINGS[times.index(min(times))]
        return state[kind]

    def answer(request):
        if request["kind"] == "load":
            start = time.perf_counter()
            engine = Llama(path, arguments.threads, best_setting("decode"))
            seconds = time.perf_counter() - start
            engine.close()
            return seconds
        setting = best_setting(request["kind"])
        if state.get("open") != setting:
            if "engine" in state:
                state["engine"].close()
            state["engine"], state["open"] = Llama(path, arguments.threads, setting), setting
            state["engine"].prefill({"tokens": 64, "batch": 1})
        engine = state["engine"]
        return engine.prefill(request) if request["kind"] == "prefill" else engine.generate(request)

    def open_engine():
        import llama_cpp

        llama_cpp.llama_log_set(state.setdefault("log", llama_cpp.llama_log_callback(lambda *_: None)), None)
        Llama(path, arguments.threads, SETTINGS[0]).close()
        used = [part.split("=")[0].split(":")[-1].strip() for part in llama_cpp.llama_print_system_info().decode().split("|") if "= 1" in part]
        about = {"instruction_sets": used, "version": f"llama.cpp of llama-cpp-python {llama_cpp.__version__}; settings tried: {SETTINGS}"}
        return about, answer

    peer_worker.serve(open_engine)


main()
