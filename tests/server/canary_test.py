# SPDX-License-Identifier: Apache-2.0
"""Words put in prompts, outputs and keys come out in no log, metric, error or file. canary_test.py BINARY SOURCE_FOLDER"""
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import tiny_model
from tenon_server import TenonServer, ask, until
from websockets.sync.client import connect

WORD = "CANARY{}x7Q"
PROMPT, SYSTEM, STOP, KEY, WRONG_KEY, EMBEDDED = (WORD.format(i) for i in range(6))


def requests(model):
    """(path, body, whether it must be refused), each with a word in it."""
    chat = {"model": model, "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}], "max_tokens": 8, "stop": [STOP], "ignore_eos": True}
    yield "/v1/chat/completions", chat, False
    yield "/v1/chat/completions", {**chat, "stream": True}, False
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "max_tokens": 8, "logprobs": 2}, False
    yield "/tokenize", {"model": model, "prompt": PROMPT}, False
    yield "/v1/jobs", chat, False
    yield "/v1/embeddings", {"model": model, "input": EMBEDDED}, True
    yield "/v1/completions", {"model": model, "prompt": {"text": PROMPT}}, True
    yield "/v1/completions", {"model": model, "prompt": [PROMPT, 5]}, True
    yield "/v1/completions", {"model": model, "prompt": PROMPT * 500, "max_tokens": 8}, True
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "temperature": -1}, True
    yield "/v1/chat/completions", {**chat, "messages": [{"role": PROMPT, "content": PROMPT}]}, True
    yield "/v1/chat/completions", {**chat, "messages": PROMPT}, True
    yield "/v1/chat/completions", {**chat, "stop": {STOP: 1}}, True
    yield "/v1/chat/completions", ('{"messages": [{"content": "' + PROMPT + '"}').encode(), True
    yield "/v1/chat/completions", b'"' + PROMPT.encode() + b"\xff", True


class Watch:
    """Where no word may be."""

    def __init__(self, server, folder):
        self.server, self.folder, self.errors = server, folder, []

    def places(self):
        yield "the log", self.server.log
        yield "the metrics", ask(self.server.url + "/metrics", headers=self.key()).text
        for i, text in enumerate(self.errors):
            yield f"error {i}", text
        for path in pathlib.Path(self.folder).rglob("*"):
            if path.is_file() and path.name != "keys":
                yield str(path), path.read_text(errors="replace")

    @staticmethod
    def key():
        return {"Authorization": f"Bearer {KEY}"}

    def look(self, words):
        for place, text in self.places():
            for word in words:
                assert word not in text, f"{word} is in {place}: {text[max(0, text.index(word) - 200):][:400]}"


def drive(server, watch):
    model = server.get("/v1/models", headers=watch.key()).json["data"][0]["id"]
    outputs = []
    for path, body, refused in requests(model):
        answer = server.post(path, body, headers=watch.key())
        assert (400 <= answer.status < 500) == refused, (path, answer.status, answer.text)
        if refused:
            watch.errors.append(answer.text)
        elif path == "/v1/completions":
            outputs.append(answer.json["choices"][0]["text"])
    for headers in ({"Authorization": f"Bearer {WRONG_KEY}"}, {"Authorization": WRONG_KEY}, {}):
        answer = server.post("/v1/chat/completions", {"prompt": PROMPT}, headers=headers)
        assert answer.status == 401
        watch.errors.append(answer.text)
    with connect(server.url.replace("http", "ws") + "/v1/ws", additional_headers=watch.key()) as socket:
        socket.send(json.dumps({"model": model, "messages": PROMPT}))
        watch.errors.extend(socket)
    return model, [text for text in outputs if len(text) > 5]


def lose_worker(server, watch, model):
    """The report of a crash names a plugin, not what it worked on."""
    (worker,) = server.workers()
    with connect(server.url.replace("http", "ws") + "/v1/ws", additional_headers=watch.key()) as socket:
        socket.send(json.dumps({"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 400, "n": 8, "ignore_eos": True, "stream": True}))
        socket.recv()
        os.kill(worker, signal.SIGSEGV)
        watch.errors.append(list(socket)[-1])
    until(lambda: server.get("/ready").status == 200, "a new worker")


def main():
    binary, source = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as scratch:
        keys = pathlib.Path(folder) / "keys"
        keys.write_text(KEY + "\n")
        keys.chmod(0o600)
        pipeline = tiny_model.pipeline(source, folder, memory={"kv_tokens": 8192, "context_tokens": 512})
        with TenonServer(binary, pipeline, "--api-key-file", keys, env={"TMPDIR": scratch}) as server:
            watch = Watch(server, scratch)
            model, outputs = drive(server, watch)
            lose_worker(server, watch, model)
            time.sleep(0.5)  # for what is logged late
            watch.look([PROMPT, SYSTEM, STOP, KEY, WRONG_KEY, EMBEDDED, *outputs])
            command = pathlib.Path(f"/proc/{server.workers()[0]}/environ").read_bytes() + pathlib.Path(f"/proc/{server.workers()[0]}/cmdline").read_bytes()
            assert KEY.encode() not in command, "a worker was given the key"
        assert server.log.strip(), "nothing was logged at all"
        for word in (PROMPT, SYSTEM, STOP, KEY, WRONG_KEY, EMBEDDED, *outputs):
            assert word not in server.log, f"{word} was logged at the end"


if __name__ == "__main__":
    main()
