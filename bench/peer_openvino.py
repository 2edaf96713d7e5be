# SPDX-License-Identifier: Apache-2.0
"""Worker of peers.py: OpenVINO GenAI, which reads GGUF files of some architectures and types."""
import random
import time

import peer_worker


def main():
    arguments = peer_worker.arguments_of()
    path = peer_worker.model_file(arguments.model)
    state = {}

    def pipeline():
        import openvino_genai

        settings = openvino_genai.SchedulerConfig()
        settings.enable_prefix_caching = False
        settings.max_num_batched_tokens = 512
        settings.max_num_seqs = 64
        return openvino_genai.ContinuousBatchingPipeline(path, settings, "CPU", {"INFERENCE_NUM_THREADS": arguments.threads})

    def generate(batch, prompt_tokens, new_tokens):
        """Seconds until all sequences have their tokens, and until the first step was done."""
        import numpy
        import openvino
        import openvino_genai

        config = openvino_genai.GenerationConfig(max_new_tokens=new_tokens, min_new_tokens=new_tokens, ignore_eos=True)
        engine = state["engine"]
        start = time.perf_counter()
        handles = []
        for sequence in range(batch):
            ids = numpy.array([[random.randrange(state["vocabulary"]) for _ in range(prompt_tokens)]], dtype=numpy.int64)
            handles.append(engine.add_request(sequence, openvino.Tensor(ids), config))
        begun = None
        while engine.has_non_finished_requests():
            engine.step()
            if begun is None and all(handle.can_read() for handle in handles):
                begun = time.perf_counter() - start
            for handle in handles:
                if handle.can_read():
                    handle.read()
        return time.perf_counter() - start, begun

    def answer(request):
        if request["kind"] == "load":
            start = time.perf_counter()
            pipeline()
            return time.perf_counter() - start
        if request["kind"] == "prefill":
            return generate(request["batch"], request["tokens"], 1)[0]
        whole, begun = generate(request["batch"], max(request["depth"], 1), request["tokens"] + 1)
        return whole - begun

    def open_engine():
        import openvino_genai

        state["engine"] = pipeline()
        state["vocabulary"] = 32000  # random ids below any of these vocabularies' sizes
        generate(1, 16, 4)
        return {"version": f"OpenVINO GenAI {openvino_genai.__version__}"}, answer

    peer_worker.serve(open_engine)


main()
