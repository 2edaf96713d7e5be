# SPDX-License-Identifier: Apache-2.0
"""Two pipelines on live traffic: shares, shadows, promotion, roll-back. compare_test.py BINARY SOURCE_FOLDER [--only NAME]"""
import argparse
import asyncio
import os
import pathlib
import random
import signal
import subprocess
import tempfile

import tiny_model
from raw_client import Connection, Cut, ask
from reload_test import Crowd
from tenon_server import TenonServer, until

PATIENCE_S = 120
MEMORY = {"kv_tokens": 8192, "context_tokens": 512}
# On a busy machine a pipeline may look slower than itself.
ANY_SPEED = ("--compare-max-ttft-increase", "100000%", "--compare-max-tpot-increase", "100000%")


def report(server):
    answer = server.get("/admin/compare")
    assert answer.status == 200, answer.text
    return answer.json


def settled(server):
    """The report once everything that was asked has ended on both arms."""
    return until(lambda: (now := report(server))["a"]["running"] == now["b"]["running"] == 0 and now, "the end of all requests")


async def end(server, how):
    status, _, answer = await asyncio.wait_for(ask(server.port, f"/admin/compare/{how}", {}), PATIENCE_S)
    return status, answer


async def ask_all(port, bodies, path="/v1/completions", at_once=16):
    gate, answers = asyncio.Semaphore(at_once), [None] * len(bodies)

    async def one(i):
        async with gate:
            status, _, answers[i] = await asyncio.wait_for(ask(port, path, bodies[i]), PATIENCE_S)
            assert status == 200, (status, answers[i])

    await asyncio.gather(*(one(i) for i in range(len(bodies))))
    return answers


def short(user=None, **more):
    return {"prompt": [5, 6, 7], "max_tokens": 3, "ignore_eos": True, **({"user": user} if user else {}), **more}


def worker_of(server, pipeline):
    found = [pid for pid in server.workers() if str(pipeline) in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(found) == 1, (found, server.workers())
    return found[0]


class Two:
    """A and B, the same tiny model under two names."""

    def __init__(self, binary, source, folder):
        self.binary, self.source, self.folder = binary, source, pathlib.Path(folder)
        self.a, self.b = self.make("a"), self.make("b")

    def make(self, name, **sections):
        (self.folder / name).mkdir(exist_ok=True)
        return tiny_model.pipeline(self.source, self.folder / name, **{"memory": MEMORY, **sections})

    def serve(self, *arguments, b=None):
        return TenonServer(self.binary, self.a, "--compare", b or self.b, *arguments)

    def refuses(self, code, text, *arguments, b=None):
        command = [self.binary, "serve", self.a, "--port", "0", "--compare", b or self.b, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == code and text in done.stderr and "http://" not in done.stdout, (done.returncode, done.stdout, done.stderr)


def split(two):
    """B's share is as asked for, and whole users are B's."""
    with two.serve("--split", "25%", *ANY_SPEED) as server:
        asyncio.run(ask_all(server.port, [short() for _ in range(400)]))
        now = settled(server)
        assert (now["status"], now["mode"], now["options"]["share"]) == ("running", "split", 0.25), now
        assert 65 <= now["b"]["requests"] <= 135, now  # 100 expected, deviation 8.7
        assert now["a"]["done"] + now["b"]["done"] == 400 and now["b"]["output_tokens"] == 3 * now["b"]["done"], now
        assert now["b"]["ttft"]["requests"] == now["b"]["tpot"]["requests"] == now["b"]["done"], now
        assert now["ttft"]["increase"]["low"] <= now["ttft"]["increase"]["value"] <= now["ttft"]["increase"]["high"], now
        assert "outputs" not in now, now
        for user in ("ann", "bob", "cyd", "dan"):
            before = report(server)["b"]["requests"]
            asyncio.run(ask_all(server.port, [short(user) for _ in range(20)]))
            assert settled(server)["b"]["requests"] - before in (0, 20), f"{user} was on both"
        assert server.post("/admin/compare", {}).status == 405
        print(f"split: {now['b']['requests']} of 400 at 25 %")


async def under_load(server, how, loser):
    """Ends the trial while clients ask without pause: the other's worker goes, no request does."""
    crowd = Crowd(server)
    clients = [asyncio.create_task(crowd.client(random.Random(i))) for i in range(12)]
    await asyncio.to_thread(until, lambda: report(server)["b"]["done"] > 5 and report(server)["a"]["done"] > 5, "both at work")
    status, _, answer = await ask(server.port, "/admin/reload", {})
    assert (status, answer["error"]["code"]) == (409, "comparison_running"), (status, answer)
    for _ in range(2):
        status, answer = await end(server, how)
        assert (status, answer["status"]) == (200, {"promote": "promoted", "rollback": "rolled_back"}[how]), (status, answer)
    status, answer = await end(server, {"promote": "rollback", "rollback": "promote"}[how])
    assert (status, answer["error"]["code"]) == (409, "comparison_state"), (status, answer)
    await asyncio.to_thread(until, lambda: loser not in server.workers(), "the other's worker to end")
    done = crowd.completed
    await asyncio.to_thread(until, lambda: crowd.completed > done + 24 or any(client.done() for client in clients), "requests behind it")
    crowd.over = True
    await asyncio.gather(*clients)
    return crowd.completed


def promote(two):
    with two.serve("--split", "50%", *ANY_SPEED) as server:
        name = server.get("/v1/models").json["data"][0]["id"]
        a, b = worker_of(server, two.a), worker_of(server, two.b)
        asked = asyncio.run(under_load(server, "promote", a))
        assert server.workers() == [b] and settled(server)["status"] == "promoted"
        assert server.get("/v1/models").json["data"][0]["id"] == name, "the model's name changed"
        answer = server.post("/admin/reload", {})
        assert answer.status == 200, answer.text
        until(lambda: b not in server.workers(), "the reload of B")
        assert str(two.b) in pathlib.Path(f"/proc/{server.workers()[0]}/cmdline").read_text(), "the reload was not B's"
        assert server.get("/v1/models").json["data"][0]["id"] == name
        print(f"promotion under load: {asked} requests, none dropped")


def rollback(two):
    with two.serve("--split", "50%", *ANY_SPEED) as server:
        a, b = worker_of(server, two.a), worker_of(server, two.b)
        asked = asyncio.run(under_load(server, "rollback", b))
        now = settled(server)
        assert server.workers() == [a] and now["status"] == "rolled_back" and now["reason"] == "asked for", now
        assert server.post("/admin/reload", {}).status == 200
        print(f"roll-back under load: {asked} requests, none dropped")


def draws(count, **more):
    """Prompts and seeds of their own; the ids of what comes back are told."""
    draw = random.Random(5)
    return [{"messages": [{"role": "user", "content": f"{draw.random()}"}], "max_tokens": 60, "seed": i, "logprobs": True, "ignore_eos": True, **more} for i in range(count)]


def said(answer):
    return [token["bytes"] for token in answer["choices"][0]["logprobs"]["content"]]


def shadow(two):
    """B beside A is not heard, and two of a kind say the same, also when they sample."""
    with two.serve("--shadow", "--compare-max-shadows", 64) as server:
        asyncio.run(ask_all(server.port, draws(100, temperature=1.5), "/v1/chat/completions"))
        now = settled(server)
        assert now["mode"] == "shadow" and now["a"]["done"] == now["b"]["done"] == 100, now
        assert now["outputs"]["compared"] == now["outputs"]["identical"] == 100, now
        assert now["a"]["output_tokens"] == now["b"]["output_tokens"] == 6000, now
        assert server.get("/v1/models").json["data"][0]["id"] and len(server.get("/v1/models").json["data"]) == 1
        asyncio.run(ask_all(server.port, draws(40, temperature=1.5, stop=["a", "e", "th"]), "/v1/chat/completions"))
        now = settled(server)["outputs"]
        assert now["compared"] == now["identical"] == 140, now
    # Beyond their number requests are not shadowed, and nothing waits for them.
    with two.serve("--shadow", "--compare-max-shadows", 1) as server:
        asyncio.run(ask_all(server.port, draws(40), "/v1/chat/completions"))
        now = settled(server)
        assert now["a"]["done"] == 40 and now["outputs"]["not_shadowed"] > 0, now
        assert now["outputs"]["not_shadowed"] + now["b"]["done"] == 40, now


def difference(two):
    """What a shadow says of outputs is true: B, promoted, gives just those."""
    b = two.make("other", attention={"use": "paged", "kv_type": "int8"})
    bodies = draws(60, temperature=0)
    with two.serve("--shadow", "--compare-max-shadows", 64, b=b) as server:
        of_a = [said(one) for one in asyncio.run(ask_all(server.port, bodies, "/v1/chat/completions"))]
        outputs = settled(server)["outputs"]
        assert asyncio.run(end(server, "promote"))[0] == 200
        of_b = [said(one) for one in asyncio.run(ask_all(server.port, bodies, "/v1/chat/completions"))]
        firsts = sorted(next(i for i, (a, b) in enumerate(zip(one, other)) if a != b) for one, other in zip(of_a, of_b) if one != other)
        assert firsts, "the two say the same: nothing is tested"
        assert outputs["compared"] == 60 and outputs["identical"] == 60 - len(firsts), (outputs, firsts)
        half = len(firsts) // 2
        assert outputs["first_difference_median"] == (firsts[half] + firsts[-1 - half]) / 2, (outputs, firsts)
        assert sum(bucket["requests"] for bucket in outputs["first_difference"]) == len(firsts), outputs
    # The same as a limit.
    with two.serve("--shadow", "--compare-max-shadows", 64, "--compare-min-identical", "100%", "--compare-min-requests", 10, b=b) as server:
        worker = worker_of(server, b)
        asyncio.run(ask_all(server.port, bodies, "/v1/chat/completions"))
        now = until(lambda: (now := report(server))["status"] == "rolled_back" and now, "the roll-back")
        assert "identical" in now["reason"], now
        until(lambda: worker not in server.workers(), "B's end")
    print(f"difference: {len(firsts)} of 60 outputs differ, from token {firsts[0]} on")


def slow(two):
    """A planted delay breaks the limit on the time to first token, and B is rolled back by itself."""
    b = two.make("slow", scheduler={"use": "dynamic", "window_us": 300000})
    with two.serve("--split", "50%", "--compare-min-requests", 10, b=b) as server:
        worker = worker_of(server, b)

        async def one_by_one():
            for _ in range(500):
                await ask_all(server.port, [short()])
                if report(server)["status"] != "running":
                    return

        asyncio.run(one_by_one())
        now = until(lambda: (now := report(server))["status"] == "rolled_back" and now, "the roll-back")
        assert "time to first token is longer" in now["reason"] and now["ttft"]["increase"]["low"] > 0.5, now
        until(lambda: worker not in server.workers(), "B's end")
        asyncio.run(ask_all(server.port, [short() for _ in range(20)]))
        assert report(server)["b"]["requests"] == now["b"]["requests"], "B was asked behind its roll-back"
        assert "rolled back" in server.log
        print(f"a slow B: rolled back after {now['b']['requests']} requests")


async def stream(port, user, ends):
    body = {"prompt": [5, 6, 7], "max_tokens": 400, "n": 4, "ignore_eos": True, "stream": True, "user": user}
    async with await Connection.open(port) as connection:
        await connection.post("/v1/completions", body)
        status, _ = await connection.head()
        ends[user] = "began"
        last = status
        try:
            async for event in connection.events():
                last = "done" if event is None else "error" if "error" in event else "text"
        except Cut:
            last = "cut"
        ends[user] = last


def lost(two):
    """B's worker is killed: A's streams go on, B is rolled back, and whoever was B's is served by A."""
    with two.serve("--split", "50%", *ANY_SPEED) as server:
        worker, users = worker_of(server, two.b), {"a": [], "b": []}
        for i in range(24):
            before = report(server)["b"]["requests"]
            asyncio.run(ask_all(server.port, [short(f"user {i}")]))
            users["b" if settled(server)["b"]["requests"] > before else "a"].append(f"user {i}")
        assert len(users["a"]) >= 3 and len(users["b"]) >= 3, users
        ends = {}

        async def kill():
            streams = [asyncio.create_task(stream(server.port, user, ends)) for user in users["a"][:3] + users["b"][:3]]
            await asyncio.to_thread(until, lambda: len(ends) == 6, "all streams' beginning")
            os.kill(worker, signal.SIGKILL)
            await asyncio.wait_for(asyncio.gather(*streams), PATIENCE_S)

        asyncio.run(kill())
        assert all(ends[user] == "done" for user in users["a"][:3]), ends
        assert all(ends[user] in ("error", "done") for user in users["b"][:3]), ends
        now = until(lambda: (now := report(server))["status"] == "rolled_back" and now, "the roll-back")
        assert "SIGKILL" in now["reason"] or "failed" in now["reason"], now
        until(lambda: len(server.workers()) == 1, "A alone")
        asyncio.run(ask_all(server.port, [short(user) for user in users["a"] + users["b"]]))
        assert server.get("/ready").status == 200
        print(f"B killed: {ends}, {now['reason']}")


def refused(two):
    """What cannot be compared ends the start with an error."""
    two.refuses(1, "its sequences hold 256 tokens instead of 512", "--shadow", b=two.make("small", memory={**MEMORY, "context_tokens": 256}))
    broken = two.folder / "broken.yaml"
    broken.write_text('{"model": "nowhere/none.gguf"}')
    two.refuses(1, "none.gguf", "--split", "10%", b=broken)
    two.refuses(2, "--split SHARE or --shadow")
    two.refuses(2, "0% to 100% allowed", "--split", "110%")
    two.refuses(2, "exactly one PIPELINE", "--split", "10%", two.a)
    with TenonServer(two.binary, two.a) as server:
        for ask_it in (lambda: server.get("/admin/compare"), lambda: server.post("/admin/compare/promote", {}), lambda: server.post("/admin/compare/rollback", {})):
            answer = ask_it()
            assert (answer.status, answer.json["error"]["code"]) == (404, "no_comparison"), answer.text


CASES = {case.__name__: case for case in (refused, split, promote, rollback, shadow, difference, slow, lost)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--only", choices=CASES, action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        two = Two(arguments.binary, arguments.source, folder)
        for name in arguments.only or CASES:
            CASES[name](two)


if __name__ == "__main__":
    main()
