# SPDX-License-Identifier: Apache-2.0
"""Workers that are killed or stopped at random points: their streams end with an error, the server stays and serves again.

worker_loss_test.py BINARY SOURCE_FOLDER [--times 4] [--strict]
--strict holds the promised times (error 2 s, not ready 1 s, serving 5 s); else ten times as much, for busy machines."""
import argparse
import asyncio
import os
import pathlib
import random
import signal
import tempfile
import time

import tiny_model
from raw_client import Connection, Cut, ask
from tenon_server import TenonServer, until

STREAMS = 6
CHOICES = 8


async def stream(port, model, draw, ends):
    """One long stream; when and how it ended goes to `ends`: "whole" only where every choice of it was."""
    body = {"model": model, "prompt": [draw.randrange(3, 300) for _ in range(draw.randrange(1, 200))], "max_tokens": 300, "n": CHOICES, "ignore_eos": True, "stream": True}
    finished = 0
    async with await Connection.open(port) as connection:
        await connection.post("/v1/completions", body)
        status, _ = await connection.head()
        last = status
        if status != 200:
            await connection.body()
        else:
            try:
                async for event in connection.events():
                    if event is None:
                        last = "whole" if finished == CHOICES else "done"
                    else:
                        last = "error" if "error" in event else "text"
                        finished += sum(choice["finish_reason"] == "length" for choice in event.get("choices", ()))
            except Cut:
                last = "cut"
    ends.append((last, time.monotonic()))


async def ready(port):
    async with await Connection.open(port) as connection:
        await connection.send(b"GET /ready HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        status, _ = await connection.head()
        return status == 200


async def wait_unready(server, worker, seconds):
    """Until the loss shows: in /ready, or in that the worker has gone already, where this process was held up for so long."""
    began = time.monotonic()
    while await ready(server.port) and worker in server.workers():
        assert time.monotonic() - began < seconds, f"/ready false: not within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def wait_ready(server, worker, seconds):
    """Until another worker serves."""
    began = time.monotonic()
    while worker in server.workers() or not server.workers() or not await ready(server.port):
        assert time.monotonic() - began < seconds, f"serving again: not within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def lose(server, model, draw, how, slack):
    """Takes the worker away under load; (seconds until not ready, until all streams ended, until it serves again)."""
    (worker,) = server.workers()
    ends = []
    streams = [asyncio.create_task(stream(server.port, model, draw, ends)) for _ in range(STREAMS)]
    await asyncio.sleep(draw.random() * 0.5)
    os.kill(worker, how)
    lost = time.monotonic()
    unready_s = await wait_unready(server, worker, slack)
    await asyncio.wait_for(asyncio.gather(*streams), 60 * slack)
    ended_s = max((when - lost for how_ended, when in ends if how_ended != "whole"), default=0)
    for how_ended, _ in ends:
        assert how_ended in ("error", "whole", 500, 503), f"a stream ended with {how_ended}"
    assert ended_s < 2 * slack, f"a stream's error came after {ended_s:.1f} s"
    again_s = await wait_ready(server, worker, 5 * slack)
    assert server.process.poll() is None, "the server ended"
    assert worker not in server.workers()
    status, _, answer = await ask(server.port, "/v1/completions", {"model": model, "prompt": [5, 6], "max_tokens": 4, "ignore_eos": True})
    assert status == 200 and answer["usage"]["completion_tokens"] == 4, (status, answer)
    return unready_s, ended_s, again_s


def quarantine(server):
    """Three deaths in a minute: no fourth worker, the server says so and stays."""
    for death in range(3):
        (worker,) = until(lambda: server.workers(), "a worker")
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker not in server.workers(), "its end")
        if death < 2:
            until(lambda: server.workers() and server.get("/ready").status == 200, "the next worker")
    until(lambda: "quarantine" in server.get("/ready").text, "the quarantine")
    time.sleep(2)
    assert server.workers() == [], "a worker was started all the same"
    answer = server.post("/v1/completions", {"prompt": [5], "max_tokens": 2})
    assert (server.get("/health").status, answer.status) == (200, 503), answer.text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        pipeline = tiny_model.pipeline(arguments.source, folder, memory={"kv_tokens": 16384, "context_tokens": 512})
        for turn in range(arguments.times):
            how = signal.SIGSTOP if turn % 2 else signal.SIGKILL
            # Three deaths in a minute put a pipeline into quarantine: a server each for a few.
            with TenonServer(arguments.binary, pipeline) as server:
                model = server.get("/v1/models").json["data"][0]["id"]
                times = asyncio.run(lose(server, model, draw, how, 1 if arguments.strict else 10))
            print(f"{how.name}: not ready after {times[0]:.2f} s, last error after {times[1]:.2f} s, serving after {times[2]:.2f} s")
        with TenonServer(arguments.binary, pipeline) as server:
            quarantine(server)
        print("three deaths in a minute: quarantined")


if __name__ == "__main__":
    main()
