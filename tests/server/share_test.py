# SPDX-License-Identifier: Apache-2.0
"""Two workers keep their weights once, answer alike, and leave nothing in memory. share_test.py BINARY SOURCE_FOLDER"""
import json
import os
import pathlib
import re
import signal
import struct
import sys
import tempfile

import tiny_model
from tenon_server import TenonServer, until

SHARED = pathlib.Path("/dev/shm")


def folders():
    return {path for path in SHARED.glob("tenon-weights-*") if path.stat().st_uid == os.getuid()}


def memory(pid, field):
    """KiB of a process, as its /proc/PID/smaps_rollup has them."""
    return int(re.search(rf"^{field}: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE).group(1))


def widen(model, width):
    """Gives the tiny model's MLPs `width` columns, for blocks of weights that are worth sharing."""
    data, config = (model / "model.safetensors").read_bytes(), json.loads((model / "config.json").read_text())
    size = struct.unpack_from("<Q", data)[0]
    tensors, body, header = json.loads(data[8:8 + size]), bytearray(), {}
    for name, tensor in tensors.items():
        if name == "__metadata__":
            continue
        begin, end = tensor["data_offsets"]
        values, shape = data[8 + size + begin:8 + size + end], list(tensor["shape"])
        if ".mlp." in name:
            values *= width // config["intermediate_size"]
            shape[shape.index(config["intermediate_size"])] = width
        header[name] = {"dtype": tensor["dtype"], "shape": shape, "data_offsets": [len(body), len(body) + len(values)]}
        body += values
    text = json.dumps(header).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    (model / "config.json").write_text(json.dumps({**config, "intermediate_size": width}))


def answers(server, model):
    body = {"model": model, "prompt": [5, 6, 7], "max_tokens": 8, "temperature": 0, "logprobs": 1}
    return {str(server.post("/v1/completions", body).json["choices"][0]["logprobs"]["token_logprobs"]) for _ in range(8)}


def main():
    binary, source = sys.argv[1], pathlib.Path(sys.argv[2])
    if not SHARED.is_dir():
        return print("no /dev/shm here: nothing to test")
    before = folders()
    with tempfile.TemporaryDirectory() as folder:
        pipeline = tiny_model.pipeline(source, folder, serve={"workers": 2}, quant={"use": "dequant"},
                                       memory={"kv_tokens": 2048, "context_tokens": 256})
        widen(pathlib.Path(folder) / "tiny", 16000)
        with TenonServer(binary, pipeline) as server:
            until(lambda: len(server.workers()) == 2, "two workers")
            ours = folders() - before
            assert len(ours) == 1, ours
            files = list(next(iter(ours)).iterdir())
            if not files:
                return print("no huge pages for files here: nothing is shared")
            model = server.get("/v1/models").json["data"][0]["id"]
            assert len(answers(server, model)) == 1, "workers that share weights answer differently"
            size = sum(file.stat().st_size for file in files) / 1024
            until(lambda: all(memory(pid, "Pss_Shmem") > 0.3 * size for pid in server.workers()), "both to share")
            parts = [memory(pid, "Pss_Shmem") for pid in server.workers()]
            print(f"weights of {size / 1024:.0f} MiB; each worker's part {[round(part / 1024) for part in parts]} MiB")
            assert sum(parts) < 1.1 * size, "they are not kept once"
        assert folders() == before, "the folder is still there"
        with TenonServer(binary, pipeline) as server:
            left = folders() - before
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
            server.expect_code = -signal.SIGKILL
        assert folders() - before == left, "a killed server cannot have removed it"
        with TenonServer(binary, pipeline):
            assert not folders() & left, "what a killed server left is still there"
        assert folders() == before


if __name__ == "__main__":
    main()
