# SPDX-License-Identifier: Apache-2.0
"""Engines on other machines, and engines that embed, as fleets: they are lost and come back.

remote_test.py BINARY SOURCE_FOLDER"""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import tiny_model
from tenon_server import TenonServer, until

PROMPT = {"prompt": [5, 6, 7], "max_tokens": 8, "ignore_eos": True, "temperature": 0}


def certificates(folder):
    """A fresh authority, and what it signed for a worker and a front end: TLS arguments by who they are for."""
    ca = folder / "ca"
    signed = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key"]
    for who, more in (("ca", []), ("worker", signed), ("front", signed)):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={who}",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / f"{who}.key", "-out", folder / f"{who}.pem", *more],
                       check=True, capture_output=True)
    return {who: ["--tls-cert", folder / f"{who}.pem", "--tls-key", folder / f"{who}.key", "--tls-ca", f"{ca}.pem"] for who in ("worker", "front")}


@contextlib.contextmanager
def worker(binary, pipeline, tls, port=0):
    """(process, port) of a worker that somebody else started."""
    command = [binary, "worker", pipeline, "--listen", f"127.0.0.1:{port}", *tls]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            found = re.search(r"at port (\d+)", line)
            assert found, f"a worker said: {line}"
            yield process, int(found.group(1))
        finally:
            process.kill()


def completes(server):
    answer = server.post("/v1/completions", PROMPT)
    assert answer.status == 200 and answer.json["usage"]["completion_tokens"] == 8, answer.text
    return answer.json["choices"][0]["text"]


def remote(binary, pipeline, tls):
    """Two workers over TLS: one is lost and the other serves; both are lost, and found again."""
    with contextlib.ExitStack() as stack:
        (first, port), (second, other) = (stack.enter_context(worker(binary, pipeline, tls["worker"])) for _ in range(2))
        both = (f"--worker=localhost:{port}", f"--worker=localhost:{other}")
        server = stack.enter_context(TenonServer(binary, *both, *tls["front"]))
        said = completes(server)
        assert not server.workers(), "the front end started workers of its own"
        first.kill()
        first.wait()
        until(lambda: f"localhost:{port} is lost" in server.log, "the loss in the log")
        for _ in range(4):
            assert completes(server) == said
        until(lambda: server.get("/ready").status == 200, "/ready with one of two")
        second.kill()
        until(lambda: server.get("/ready").status == 503, "/ready false")
        assert server.post("/v1/completions", PROMPT).status == 503
        stack.enter_context(worker(binary, pipeline, tls["worker"], port))
        until(lambda: server.get("/ready").status == 200, "the worker's return")
        assert completes(server) == said


def embeds(binary, source):
    """A fleet of two encoders that are killed while they work: calls end in time, and others follow."""
    pipeline = source / "configs/embed.yaml"
    with TenonServer(binary, pipeline, "--set", "serve.workers=2", "--set", "device.threads=1") as server:
        until(lambda: len(server.workers()) == 2, "two workers")
        body = {"input": ["a cat " * 50] * 64, "encoding_format": "float"}
        vector = server.post("/v1/embeddings", {**body, "input": "a dog"}).json["data"][0]["embedding"]
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(server.post, "/v1/embeddings", body) for _ in range(8)]
            before = server.workers()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            statuses = {call.result().status for call in calls}
        assert statuses <= {200, 500, 503} and statuses != {200}, statuses
        until(lambda: server.get("/ready").status == 200 and not set(server.workers()) & set(before), "other workers")
        again = server.post("/v1/embeddings", {**body, "input": "a dog"})
        assert again.status == 200 and again.json["data"][0]["embedding"] == vector, again.text[:200]


def main():
    binary, source = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pipeline = tiny_model.pipeline(source, folder, memory={"kv_tokens": 4096, "context_tokens": 512})
        remote(binary, pipeline, certificates(folder))
    embeds(binary, source)


if __name__ == "__main__":
    main()
