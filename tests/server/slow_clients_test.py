# SPDX-License-Identifier: Apache-2.0
"""Clients that send or read a byte now and then: they cost little, and nobody waits for them.

slow_clients_test.py BINARY SOURCE_FOLDER [--slow 300] [--idle 300] [--strict]
--strict holds the promised numbers (a good client's p99 time to first token within 1.5 times, 50 KB an idle connection)."""
import argparse
import asyncio
import json
import os
import pathlib
import random
import resource
import subprocess
import tempfile
import time

import tiny_model
from raw_client import Connection, post
from tenon_server import TenonServer, until


PROMPTS = 300  # of the good client


def memory(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def bench(binary, server):
    process = await asyncio.create_subprocess_exec(
        binary, "bench-serve", server.url, "--num-prompts", str(PROMPTS), "--max-concurrency", "2", "--input-len", "16", "--output-len", "8", "--ignore-eos",
        "--json", stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 300)
    result = json.loads(out)
    assert result["completed"] == PROMPTS, result["errors"]
    return result["p99_ttft_ms"]


async def slow(port, kind, model, draw, stop):
    """One client that is slow with its head, its body, or with reading, until `stop`."""
    body = {"model": model, "prompt": [draw.randrange(3, 300)], "max_tokens": 4, "ignore_eos": True, "stream": True}
    data = post("/v1/completions", body)
    split = {"head": 20, "body": data.index(b"\r\n\r\n") + 6, "read": len(data)}[kind]
    try:
        async with await Connection.open(port) as connection:
            await connection.send(data[:split])
            for byte in data[split:]:
                if stop.is_set():
                    return
                await asyncio.sleep(1)
                await connection.send(bytes([byte]))
            await stop.wait()
    except (ConnectionError, OSError):
        pass  # cut off, as it should be


async def crowd(arguments, server, model):
    draw, stop = random.Random(1), asyncio.Event()
    alone = await bench(arguments.binary, server)
    clients = [asyncio.create_task(slow(server.port, ("head", "body", "read")[i % 3], model, draw, stop)) for i in range(arguments.slow)]
    # Those that are slow at reading have asked for something, too.
    await asyncio.sleep(1)
    await asyncio.to_thread(until, lambda: server.metrics()["num_requests_running"] == 0, "what the slow clients asked for")
    among = await bench(arguments.binary, server)
    stop.set()
    await asyncio.gather(*clients)
    print(f"p99 time to first token: {alone:.1f} ms alone, {among:.1f} ms among {arguments.slow} slow clients")
    assert among <= alone * 1.5 + (5 if arguments.strict else 1000)


async def idle(arguments, server):
    before = memory(server.process.pid)
    connections = []
    for _ in range(arguments.idle):
        # An answer shows that the server has it, and not only the system's queue.
        connections.append(await Connection.open(server.port))
        await connections[-1].send(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (await connections[-1].head())[0] == 200
        await connections[-1].body()
    each = (memory(server.process.pid) - before) / arguments.idle
    for connection in connections:
        connection.writer.close()
    print(f"{each / 1000:.1f} KB for each of {arguments.idle} idle connections")
    assert each < 50_000


async def unread(server, model):
    """A stream that nobody reads: cut off, and its blocks are free again."""
    async with await Connection.open(server.port) as connection:
        connection.writer.transport.pause_reading()
        # Long enough for more than a socket's buffers and the server's hold: log-probabilities make each chunk large.
        body = {"model": model, "prompt": [5], "max_tokens": 500, "ignore_eos": True, "stream": True, "n": 64, "logprobs": 5}
        before = server.metrics()["generation_tokens_total"]
        await connection.post("/v1/completions", body)
        await asyncio.to_thread(until, lambda: server.metrics()["generation_tokens_total"] > before, "its first tokens")
        await asyncio.to_thread(until, lambda: server.metrics()["num_requests_running"] == 0, "its sequences to go", 120)
        connection.writer.transport.resume_reading()
        data = b""
        try:
            while piece := await asyncio.wait_for(connection.reader.read(1 << 16), 30):
                data += piece
        except ConnectionError:
            pass
    print(f"an unread stream was cut after {len(data) / 1e6:.1f} MB")
    assert b"[DONE]" not in data, "it was sent whole: not long enough to show anything"


async def deadlines(server, strict):
    """A head that never ends is answered 408 or closed, within its time."""
    began = time.monotonic()
    async with await Connection.open(server.port) as connection:
        await connection.send(b"GET /health HTTP/1.1\r\n")
        data = await asyncio.wait_for(connection.reader.read(), 120)
        took = time.monotonic() - began
        assert data == b"" or b" 408 " in data.split(b"\r\n")[0], data
        print(f"a head without end was closed after {took:.1f} s")
        assert took > 9.9
        assert took < (12 if strict else 60)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--slow", type=int, default=300)
    parser.add_argument("--idle", type=int, default=300)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        pipeline = tiny_model.pipeline(arguments.source, folder, memory={"kv_tokens": 16384, "context_tokens": 512})
        connections = max(1024, 2 * arguments.slow, 2 * arguments.idle)
        with TenonServer(arguments.binary, pipeline, "--max-connections", connections) as server:
            model = server.get("/v1/models").json["data"][0]["id"]
            asyncio.run(idle(arguments, server))
            asyncio.run(crowd(arguments, server, model))
            asyncio.run(unread(server, model))
            asyncio.run(deadlines(server, arguments.strict))
            until(lambda: server.metrics()["kv_cache_usage_perc"] == 0, "all blocks to be free")


if __name__ == "__main__":
    main()
