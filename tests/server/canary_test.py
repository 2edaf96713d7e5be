# SPDX-License-Identifier: Apache-2.0
"""Words put in prompts, outputs and keys come out in no log, metric, error, trace or file. canary_test.py BINARY SOURCE_FOLDER"""
import base64
import json
import os
import pathlib
import re
import signal
import sys
import tempfile

import grpc
import grpc_test
import tiny_model
from tenon_server import TenonServer, ask, until
from websockets.sync.client import connect

WORDS = [f"CANARY{i}x7Q" for i in range(9)]
PROMPT, SYSTEM, STOP, KEY, WRONG_KEY, OTHER_KEY, EMBEDDED, USER, SCHEMA = WORDS
BASIC = base64.b64encode(f"me:{KEY}".encode()).decode()


def requests(model):
    """(path, body, whether it must be refused), each with a word in it."""
    chat = {"model": model, "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}], "max_tokens": 8, "stop": [STOP], "ignore_eos": True}
    yield "/v1/chat/completions", chat, False
    yield "/v1/chat/completions", {**chat, "stream": True}, False
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "max_tokens": 8, "logprobs": 2}, False
    yield "/tokenize", {"model": model, "prompt": PROMPT}, False
    yield "/v1/jobs", chat, False
    yield "/v1/chat/completions", {**chat, "user": USER, "cache_salt": USER, "chat_template_kwargs": {"note": USER}, "metadata": {"a": USER}}, False
    yield "/admin/reload", {"prompt": PROMPT}, False
    yield "/v1/jobs", [PROMPT], True
    yield "/detokenize", {"model": model, "tokens": [PROMPT]}, True
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "logit_bias": {PROMPT: 1}}, True
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "stop": [STOP * 500]}, True
    yield "/v1/completions", {"model": model, "prompt": PROMPT, "user": [USER], "cache_salt": {USER: 1}}, True
    yield "/v1/chat/completions", {**chat, "chat_template_kwargs": [USER]}, True
    yield "/v1/chat/completions", {**chat, "tools": [{"type": "function", "function": {"name": SCHEMA, "parameters": {SCHEMA: {}}}}], "tool_choice": "required"}, True
    yield "/v1/chat/completions", {**chat, "response_format": {"type": "json_schema", "json_schema": {"name": SCHEMA, "schema": {SCHEMA: SCHEMA}}}}, True
    yield "/v1/chat/completions", {**chat, "response_format": {"type": SCHEMA}}, True
    yield "/v1/chat/completions", {**chat, "messages": [{"role": "user", "content": [{"type": PROMPT, "text": PROMPT}]}]}, True
    yield "/v1/chat/completions", {**chat, "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": PROMPT}}]}]}, True
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


# The texts of answers and of their parts.
TEXT = re.compile(r'"(?:text|content)":"((?:[^"\\]|\\.)*)"')


class Watch:
    """Where no word may be."""

    def __init__(self, server, folder):
        self.server, self.folder, self.errors = server, folder, []

    def places(self):
        yield "the log", self.server.log
        yield "the metrics", ask(self.server.url + "/metrics", headers=self.key()).text
        for i, text in enumerate(self.errors):
            yield f"error {i}", text
        yield from self.files()

    def files(self):
        for path in pathlib.Path(self.folder).rglob("*"):
            if path.is_file():
                yield str(path), path.read_text(errors="replace")

    @staticmethod
    def key():
        return {"Authorization": f"Bearer {KEY}"}

    def look(self, words):
        self.look_at(self.places(), words)

    def look_at_files(self, words):
        self.look_at(self.files(), words)

    @staticmethod
    def look_at(places, words):
        for place, text in places:
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
        else:
            outputs += TEXT.findall(answer.text)
            if answer.status == 202:
                outputs += TEXT.findall(server.get(f"/v1/jobs/{answer.json['id']}?wait=60", headers=watch.key()).text)
    assert server.get("/v1/models", headers={"Authorization": f"Basic {BASIC}"}).status == 200
    for path in (f"/v1/jobs/{PROMPT}", f"/v1/models/{PROMPT}", f"/{PROMPT}?prompt={PROMPT}"):
        watch.errors.append(server.get(path, headers=watch.key()).text)
    for headers in ({"Authorization": f"Bearer {WRONG_KEY}"}, {"Authorization": WRONG_KEY}, {}):
        answer = server.post("/v1/chat/completions", {"prompt": PROMPT}, headers=headers)
        assert answer.status == 401
        watch.errors.append(answer.text)
    for messages in ([{"role": "user", "content": PROMPT}], PROMPT):
        with connect(server.url.replace("http", "ws") + "/v1/ws", additional_headers=watch.key()) as socket:
            socket.send(json.dumps({"model": model, "messages": messages, "max_tokens": 8, "ignore_eos": True}))
            answers = list(socket)
        outputs += [text for message in answers for text in TEXT.findall(message)]
        watch.errors += [message for message in answers if message.startswith('{"error"')]
    return model, outputs


def drive_grpc(server, watch, source, folder):
    grpc_test.SOURCE = source.resolve()
    client = grpc_test.Client(re.search(r"gRPC at (\S+)", server.log).group(1), pathlib.Path(folder))
    fields = {"prompt": PROMPT, "max_tokens": 8, "ignore_eos": True}
    with client.channel:
        outputs = [chunk.text for chunk in client.generate(KEY, **fields)]
        for key, more in ((KEY, {"temperature": -1.0}), (KEY, {"model": "none"}), (WRONG_KEY, {})):
            try:
                list(client.generate(key, **{**fields, **more}))
                raise AssertionError(f"gRPC took {more} with {key}")
            except grpc.RpcError as error:
                watch.errors.append(f"{error.details()} {error.trailing_metadata()}")
        try:
            client.embed(KEY, input=[EMBEDDED])
            raise AssertionError("a model that generates embedded")
        except grpc.RpcError as error:
            watch.errors.append(f"{error.details()} {error.trailing_metadata()}")
    return outputs


def lose_worker(server, watch, model):
    """The report of a crash names a plugin, not what it worked on."""
    (worker,) = until(lambda: len(server.workers()) == 1 and server.workers(), "the worker before the reload to end")
    with connect(server.url.replace("http", "ws") + "/v1/ws", additional_headers=watch.key()) as socket:
        socket.send(json.dumps({"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 400, "n": 8, "ignore_eos": True, "stream": True}))
        socket.recv()
        os.kill(worker, signal.SIGSEGV)
        watch.errors.append(list(socket)[-1])
    until(lambda: "died of SIGSEGV" in server.log, "what the log says of it")
    until(lambda: server.workers() and server.get("/ready").status == 200, "a new worker")


def main():
    binary, source = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as scratch:
        keys = pathlib.Path(folder) / "keys"
        keys.write_text(KEY + "\n")
        keys.chmod(0o600)
        pipeline = tiny_model.pipeline(source, folder, memory={"kv_tokens": 8192, "context_tokens": 512})
        with TenonServer(binary, pipeline, "--api-key-file", keys, "--grpc-port", 0, "--trace", f"{scratch}/trace.json",
                         env={"TMPDIR": scratch, "TENON_API_KEY": OTHER_KEY}) as server:
            watch = Watch(server, scratch)
            model, outputs = drive(server, watch)
            outputs += drive_grpc(server, watch, source, folder)
            lose_worker(server, watch, model)
            words = [*WORDS, BASIC, *(text for text in outputs if len(text) > 5)]
            assert len(words) > len(WORDS) + 1, outputs
            watch.look(words)
            (worker,) = server.workers()
            for file in ("environ", "cmdline"):
                text = pathlib.Path(f"/proc/{worker}/{file}").read_bytes()
                assert not any(key.encode() in text for key in (KEY, OTHER_KEY)), f"a worker was given a key: {file}"
        assert "event=http" in server.log, server.log
        watch.look_at_files(words)
        for word in words:
            assert word not in server.log, f"{word} was logged at the end"


if __name__ == "__main__":
    main()
