# SPDX-License-Identifier: Apache-2.0
"""Reloads under load: no request is dropped, a pipeline that fails changes nothing. reload_test.py BINARY SOURCE_FOLDER [--times 3]"""
import argparse
import asyncio
import pathlib
import random
import signal
import tempfile

import tiny_model
from raw_client import ask
from tenon_server import TenonServer, until

PATIENCE_S = 120


class Crowd:
    def __init__(self, server):
        self.port, self.model, self.completed, self.over = server.port, server.get("/v1/models").json["data"][0]["id"], 0, False

    async def client(self, draw):
        while not self.over:
            body = {"model": self.model, "prompt": [draw.randrange(3, 300) for _ in range(draw.randrange(1, 80))], "max_tokens": draw.randrange(1, 200), "ignore_eos": True}
            status, _, answer = await asyncio.wait_for(ask(self.port, "/v1/completions", body), PATIENCE_S)
            assert status == 200 and answer["usage"]["completion_tokens"] == body["max_tokens"], (status, answer)
            self.completed += 1


async def swap(server, times, pipeline, broken):
    crowd = Crowd(server)
    clients = [asyncio.create_task(crowd.client(random.Random(i))) for i in range(12)]
    for _ in range(times):
        before = set(server.workers())
        status, _, answer = await asyncio.wait_for(ask(server.port, "/admin/reload", {}), PATIENCE_S)
        assert status == 200, (status, answer)
        await asyncio.to_thread(until, lambda: not before & set(server.workers()), "the old workers to end")
    before, text = set(server.workers()), pipeline.read_text()
    pipeline.write_text(broken)
    status, _, answer = await asyncio.wait_for(ask(server.port, "/admin/reload", {}), PATIENCE_S)
    assert status >= 400 and answer["error"]["message"], (status, answer)
    assert before <= set(server.workers()), "a failed reload took a worker away"
    await asyncio.to_thread(until, lambda: set(server.workers()) == before, "the worker that could not start to end")
    pipeline.write_text(text)
    server.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(until, lambda: not before & set(server.workers()) and server.get("/ready").status == 200, "SIGHUP's reload")
    done = crowd.completed
    await asyncio.to_thread(until, lambda: crowd.completed > done + 12 or any(client.done() for client in clients), "requests behind it")
    crowd.over = True
    await asyncio.gather(*clients)
    print(f"{times + 1} reloads and a failed one: {crowd.completed} requests, none dropped")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pipeline = tiny_model.pipeline(arguments.source, folder, memory={"kv_tokens": 8192, "context_tokens": 512})
        with TenonServer(arguments.binary, pipeline) as server:
            asyncio.run(swap(server, arguments.times, pipeline, '{"model": "nowhere/none.gguf"}'))


if __name__ == "__main__":
    main()
