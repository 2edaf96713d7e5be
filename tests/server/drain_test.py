# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load: no accepted request is lost. drain_test.py BINARY SOURCE_FOLDER [--times 3] [--at-once 16]"""
import argparse
import asyncio
import os
import pathlib
import random
import signal
import tempfile

import tiny_model
from raw_client import Connection, Cut
from tenon_server import TenonServer, until

PATIENCE_S = 120


class Crowd:
    """Clients that ask without pause until the server is gone."""

    def __init__(self, server, draw):
        self.port, self.draw, self.model = server.port, draw, server.get("/v1/models").json["data"][0]["id"]
        self.accepted, self.completed, self.refused, self.turned_away, self.ending = 0, 0, 0, 0, False

    async def client(self):
        while True:
            try:
                connection = await Connection.open(self.port)
            except OSError:
                assert self.ending, "nobody listens, without SIGTERM"
                self.turned_away += 1
                return
            async with connection:
                body = {"model": self.model, "prompt": [self.draw.randrange(3, 300) for _ in range(self.draw.randrange(1, 80))],
                        "max_tokens": self.draw.randrange(1, 200), "ignore_eos": True, "stream": self.draw.random() < 0.7}
                try:
                    await connection.post("/v1/completions", body)
                    status, _ = await connection.head()
                except (Cut, ConnectionError):
                    # It came when nobody listened any more; nothing of it was accepted.
                    assert self.ending, "no answer, without SIGTERM"
                    self.turned_away += 1
                    return
                if status == 503:
                    assert self.ending, "503 without SIGTERM"
                    self.refused += 1
                    await asyncio.sleep(0.02)
                    continue
                assert status == 200, status
                self.accepted += 1
                await self.complete(connection, body)
                self.completed += 1

    async def complete(self, connection, body):
        if not body["stream"]:
            assert b"finish_reason" in await connection.body()
            return
        finished = False
        async for event in connection.events():
            assert event is None or "error" not in event, event
            finished |= event is not None and any(choice["finish_reason"] for choice in event["choices"])
        assert event is None and finished, "a stream without its end"


async def drain_once(server, at_once, draw):
    crowd = Crowd(server, draw)
    clients = [asyncio.create_task(crowd.client()) for _ in range(at_once)]
    await asyncio.to_thread(until, lambda: crowd.accepted > 0, "the first answer to begin")
    await asyncio.sleep(draw.random())
    crowd.ending = True
    server.process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(*clients), PATIENCE_S)
    return crowd


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pipeline = tiny_model.pipeline(arguments.source, folder, memory={"kv_tokens": 8192, "context_tokens": 512})
        totals = [0, 0, 0]
        for time in range(arguments.times):
            with TenonServer(arguments.binary, pipeline) as server:
                crowd = asyncio.run(drain_once(server, arguments.at_once, random.Random(arguments.seed + time)))
                server.process.wait(PATIENCE_S)
            assert crowd.completed == crowd.accepted, "an answer that began did not end"
            for i, count in enumerate((crowd.completed, crowd.refused, crowd.turned_away)):
                totals[i] += count
        print(f"{arguments.times} drains: {totals[0]} completed, {totals[1]} refused with 503, {totals[2]} without a connection; none lost")
        # A second SIGTERM does not wait.
        with TenonServer(arguments.binary, pipeline) as server:
            force(server)


def force(server):
    # The engine stands still, so that its request would keep a drain waiting until the worker is given up.
    model = server.get("/v1/models").json["data"][0]["id"]
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    job = server.post("/v1/jobs", {"model": model, "prompt": [5], "max_tokens": 500, "ignore_eos": True})
    assert job.status == 202, job.text
    server.process.send_signal(signal.SIGTERM)
    until(lambda: "event=drain" in server.log, "the drain")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(PATIENCE_S)
    server.expect_code = 1
    until(lambda: "forced=1" in server.log, "the log's end")


if __name__ == "__main__":
    main()
