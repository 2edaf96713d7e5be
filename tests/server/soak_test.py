# SPDX-License-Identifier: Apache-2.0
"""Many requests, some of them cut off, malformed or oversized: nothing may be lost, kept or mixed up.

soak_test.py BINARY SOURCE_FOLDER [--requests 5000] [--at-once 64] [--seed 1]"""
import argparse
import asyncio
import os
import pathlib
import random
import tempfile
import time

import tiny_model
from raw_client import Connection, Cut, ask, post
from tenon_server import TenonServer, until

CUT, BROKEN = 0.3, 0.05  # shares of the requests
MIB = 1 << 20
BROKEN_REQUESTS = [
    lambda r: b"GET / HTTP/9.9\r\n\r\n",
    lambda r: b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}",
    lambda r: b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    lambda r: b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    lambda r: post("/v1/completions", b"{" * r.randrange(1, 2000)),
    lambda r: post("/v1/completions", bytes(r.randrange(256) for _ in range(200))),
    lambda r: post("/v1/completions", {"model": "none", "prompt": [5]}),
    lambda r: post("/v1/completions", {"prompt": [r.choice([-1, 2**31, 2**63, 10**6])], "max_tokens": 2}),
    lambda r: post("/v1/completions", {"prompt": [5] * 600, "max_tokens": 2}),
    lambda r: post("/v1/completions", {"prompt": [5], "max_tokens": 10**6}),
    lambda r: b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n{",
    lambda r: post("/nowhere", {}),
]


class Soak:
    def __init__(self, server, arguments):
        self.server, self.arguments, self.model = server, arguments, server.get("/v1/models").json["data"][0]["id"]
        self.counts = {}
        self.kept = []  # (body, answer)
        shared = random.Random(arguments.seed)
        self.beginnings = [[shared.randrange(3, 300) for _ in range(48)] for _ in range(4)]

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def body(self, draw):
        prompt = list(draw.choice(self.beginnings)) if draw.random() < 0.5 else []
        prompt += [draw.randrange(3, 300) for _ in range(draw.randrange(1, 100))]
        body = {"model": self.model, "prompt": prompt, "max_tokens": draw.randrange(1, 40), "logprobs": 1, "ignore_eos": True, "seed": draw.randrange(2**31)}
        body["temperature"] = draw.choice([0, 1])
        if draw.random() < 0.1:
            body["n"] = 2
        return body

    async def one(self, draw):
        kind = draw.random()
        if kind < BROKEN:
            await self.broken(draw)
        elif kind < BROKEN + CUT:
            await self.cut(draw)
        else:
            await self.keep(draw, self.body(draw))

    async def broken(self, draw):
        async with await Connection.open(self.server.port) as connection:
            try:
                await connection.send(draw.choice(BROKEN_REQUESTS)(draw))
                status, _ = await connection.head()
            except (ConnectionError, Cut) as error:
                raise AssertionError("a broken request got no answer") from error
            assert 400 <= status < 500, status
            self.count("refused")

    async def cut(self, draw):
        """Leaves in the middle of the request, of the queue, of the prompt, of the answer."""
        data = post("/v1/completions", {**self.body(draw), "stream": True})
        phase = draw.choice(["request", "queue", "prompt", "answer"])
        async with await Connection.open(self.server.port) as connection:
            await connection.send(data[:draw.randrange(len(data))] if phase == "request" else data)
            if phase == "prompt":
                await asyncio.sleep(draw.random() * 0.1)
            if phase == "answer":
                left = draw.randrange(1, 20)
                await connection.head()
                async for _ in connection.events():
                    left -= 1
                    if not left:
                        break
            if draw.random() < 0.5:
                connection.reset()
        self.count(f"cut in the {phase}")

    async def keep(self, draw, body):
        stream = draw.random() < 0.5
        answer = await (self.streamed(body) if stream else self.whole(body))
        assert all(len(tokens) == body["max_tokens"] for tokens, _ in answer), (body["max_tokens"], [len(tokens) for tokens, _ in answer])
        self.kept.append((body, answer))
        self.count("streamed" if stream else "whole")

    async def whole(self, body):
        status, _, answer = await ask(self.server.port, "/v1/completions", body)
        assert status == 200, (status, answer)
        return [(choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"]) for choice in answer["choices"]]

    async def streamed(self, body):
        choices = [([], []) for _ in range(body.get("n", 1))]
        async with await Connection.open(self.server.port) as connection:
            await connection.post("/v1/completions", {**body, "stream": True})
            status, _ = await connection.head()
            assert status == 200, (status, await connection.body())
            async for event in connection.events():
                for choice in event["choices"] if event else ():
                    if choice.get("logprobs"):
                        choices[choice["index"]][0].extend(choice["logprobs"]["tokens"])
                        choices[choice["index"]][1].extend(choice["logprobs"]["token_logprobs"])
            assert event is None, "no [DONE]"
        return choices

    async def run(self, first, last):
        """Requests of these numbers, so many at once."""
        numbers = iter(range(first, last))

        async def client():
            for number in numbers:
                draw = random.Random(self.arguments.seed * 1_000_003 + number)
                try:
                    await asyncio.wait_for(self.one(draw), 300)
                except Exception as error:
                    raise AssertionError(f"request {number}: {error!r}") from error

        await asyncio.gather(*(client() for _ in range(self.arguments.at_once)))

    async def rerun(self, share):
        """Some of the kept requests again, alone: the same tokens, to the last bit of their probabilities."""
        chosen = random.Random(self.arguments.seed).sample(self.kept, max(10, int(len(self.kept) * share)))
        for body, answer in chosen:
            assert await self.whole(body) == answer, f"other company, other tokens: {body}"
        return len(chosen)


def state(server):
    """What must return to its start: (blocks in use, descriptors, threads), and memory."""
    processes = [server.process.pid, *server.workers()]
    descriptors = [len(os.listdir(f"/proc/{pid}/fd")) for pid in processes]
    threads = [len(os.listdir(f"/proc/{pid}/task")) for pid in processes]
    pages = sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes)
    return {"processes": processes, "descriptors": descriptors, "threads": threads}, pages * os.sysconf("SC_PAGE_SIZE")


def connections(port):
    """Sockets that the server has not closed yet."""
    established, left_by_client = "01", "08"
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] in (established, left_by_client)]


def settle(server):
    def idle():
        metrics = server.metrics()
        return all(metrics[name] == 0 for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"))

    until(idle, "all blocks to be free")
    until(lambda: not connections(server.port), "all connections to be closed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # 64 requests of about 100 tokens need four times as many slots.
        pipeline = tiny_model.pipeline(arguments.source, folder, memory={"kv_tokens": 1600, "context_tokens": 512})
        with TenonServer(arguments.binary, pipeline) as server:
            soak = Soak(server, arguments)
            began = time.monotonic()
            asyncio.run(soak.run(0, arguments.requests // 10))  # until caches and pools have their size
            settle(server)
            before, _ = state(server)
            asyncio.run(soak.run(arguments.requests // 10, arguments.requests // 2))
            settle(server)
            _, half_bytes = state(server)
            asyncio.run(soak.run(arguments.requests // 2, arguments.requests))
            settle(server)
            after, end_bytes = state(server)
            print(f"{arguments.requests} requests in {time.monotonic() - began:.0f} s: {soak.counts}")
            print(f"before {before}\nafter  {after}\nmemory at half {half_bytes / MIB:.1f} MiB, at the end {end_bytes / MIB:.1f} MiB")
            metrics = server.metrics()
            print({name: metrics[name] for name in ("num_preemptions_total", "prefix_cache_queries_total", "prefix_cache_hits_total")})
            if after != before:  # what has been closed may not be gone yet
                until(lambda: state(server)[0] == before, "descriptors and threads to return to their start")
            assert end_bytes - half_bytes <= max(half_bytes / 100, 8 * MIB), "memory grows"
            assert metrics["num_preemptions_total"] > 0, "the pool was never short"
            print(f"{asyncio.run(soak.rerun(0.01))} of {len(soak.kept)} kept requests alone: the same tokens")


if __name__ == "__main__":
    main()
