# SPDX-License-Identifier: Apache-2.0
"""Recorded loads, replayed: what must be the same is, what differs is found. replay_test.py BINARY SOURCE_FOLDER"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import tiny_model
from tenon_server import TenonServer, ask, until

WORD, REQUESTS, LATE_US = "CANARYx7Q", 100, 5_000_000


def body(i):
    """Greedy and sampled, one choice and two, some ended by a stop string or by who asked."""
    fields = {"prompt": f"{WORD} {i % 7} the rain in Spain " * (1 + i % 3), "max_tokens": 24 + i % 9, "ignore_eos": i % 2 == 0}
    fields.update({"temperature": 0} if i % 3 == 0 else {"temperature": 1.2, "top_p": 0.95})
    if i % 4 == 1:
        fields["seed"] = i
    if i % 5 == 2:
        fields["n"] = 2
    if i % 10 == 3:
        fields["stop"] = ["e", "a"]
    if i % 11 == 4:
        fields["logit_bias"] = {"70": 5, "71": -100}
    return fields


def leaves(i):
    return i % 10 == 7


class Asking:
    """The requests on a server; `when`: seconds from the first, by the client's clock."""

    def __init__(self, server, requests=range(REQUESTS), pause=0.01):
        self.server, self.when = server, {}
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            began, running = time.monotonic(), []
            for i in requests:
                self.when[f"r{i}"] = time.monotonic() - began
                running.append(pool.submit(self.leave if leaves(i) else self.complete, i))
                time.sleep(pause)
            for one in running:
                one.result()

    def complete(self, i):
        answer = ask(self.server.url + "/v1/completions", body(i), headers={"X-Request-Id": f"r{i}"})
        assert answer.status == 200, answer.text

    def leave(self, i):
        """Reads the first chunks of a long stream and goes away."""
        text = json.dumps({**body(i), "max_tokens": 400, "ignore_eos": True, "stream": True, "stop": None}).encode()
        with socket.create_connection(("127.0.0.1", self.server.port), 60) as client:
            client.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Request-Id: r{i}\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
            seen = b""
            while seen.count(b"data: ") < 3:
                seen += client.recv(4096)


def lines(folder, kind):
    """All lines of a kind, of the folder's one run."""
    out = []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        out += [json.loads(line)[kind] for line in path.read_text().splitlines() if line.startswith('{"%s":' % kind)]
    return out


def replay(folder, *arguments, code=0):
    done = subprocess.run([BINARY, "replay", str(folder), "--json", "--save-detailed", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, f"{done.returncode}: {done.stderr[-2000:]} {done.stdout[:2000]}"
    return json.loads(done.stdout)


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.pipeline = tiny_model.pipeline(SOURCE, cls.folder)
        cls.record = cls.folder / "record"
        with TenonServer(BINARY, cls.pipeline, "--record", cls.record) as server:
            cls.asked = Asking(server)
            until(lambda: server.metrics()["num_requests_running"] == 0, "the end of all requests")

    def other_pipeline(self, name, **sections):
        path = self.folder / (name + ".yaml")
        path.write_text(json.dumps({"extends": str(self.pipeline), **sections}))
        return path

    def test_all_that_was_asked_is_there(self):
        requests = {one["id"]: one for one in lines(self.record, "request")}
        self.assertEqual(set(requests), {f"r{i}" for i in range(REQUESTS)})
        self.assertEqual(requests["r1"]["sampling"]["seed"], "1")
        self.assertEqual(len(requests["r2"]["choices"]), 2)
        left = [requests[f"r{i}"] for i in range(REQUESTS) if leaves(i)]
        self.assertTrue(any(choice["end"] == "cancelled" and 0 < len(choice["tokens"]) < 400 for one in left for choice in one["choices"]))
        whole = [choice for one in requests.values() for choice in one["choices"] if choice["end"] in ("stop", "length")]
        self.assertGreater(len(whole), REQUESTS // 2)
        self.assertTrue(all(0 <= choice["first_token_us"] <= choice["last_token_us"] for choice in whole))
        first = min(one["arrival_us"] for one in requests.values())
        for name, when in self.asked.when.items():
            self.assertLess(abs(requests[name]["arrival_us"] - first - when * 1e6), LATE_US, name)
        (engine,) = lines(self.record, "engine")
        self.assertEqual({one["family"] for one in engine["identity"]["components"]}, {"device", "attention", "quant", "scheduler", "parallel", "decoding"})
        for one in engine["identity"]["components"]:
            self.assertEqual(one["sha256"], subprocess.run(["sha256sum", one["file"]], capture_output=True, text=True).stdout.split()[0])

    def test_no_text_is_kept_and_only_its_owner_may_read(self):
        self.assertEqual(stat.S_IMODE(self.record.stat().st_mode), 0o700)
        for path in self.record.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertNotIn(WORD, path.read_text())

    def test_the_same_pipeline_changes_nothing(self):
        result = replay(self.record)
        self.assertEqual((result["requests"], result["changed"], result["failed"], result["not_sent"]), (REQUESTS, 0, 0, 0), result["changes"])
        self.assertEqual(result["plugins"], [])
        self.assertGreater(result["identical"], REQUESTS // 2)
        self.assertGreater(result["same_so_far"], 0)
        self.assertEqual(result["ttft_ms"]["recorded"]["samples"], result["ttft_ms"]["replayed"]["samples"])

    def test_arrivals_keep_their_distances(self):
        recorded = sorted(one["arrival_us"] for one in lines(self.record, "request"))
        for speed in (1, 4):
            result = replay(self.record, "--speed", speed)
            self.assertEqual([one["arrival_us"] for one in result["each"]], [at - recorded[0] for at in recorded])
            for one in result["each"]:
                self.assertEqual(one["due_us"], one["arrival_us"] // speed)
                self.assertGreaterEqual(one["sent_us"], one["due_us"])
                self.assertLess(one["sent_us"] - one["due_us"], LATE_US)
            self.assertGreaterEqual(result["seconds"], (recorded[-1] - recorded[0]) * 1e-6 / speed)

    def test_changes_are_those_of_the_other_pipelines_own_outputs(self):
        other = self.other_pipeline("other", **OTHER)
        with TenonServer(BINARY, other, "--record", self.folder / "other") as server:
            Asking(server, [i for i in range(REQUESTS) if not leaves(i)], pause=0)
        theirs = {one["id"]: one["choices"] for one in lines(self.folder / "other", "request")}
        wanted = {}
        for one in lines(self.record, "request"):
            seeded = one["sampling"]["seed"] == one["id"][1:] or one["sampling"].get("temperature") == 0
            for c, choice in enumerate(one["choices"]):
                # What a stop string ended may have gone on for a token before the engine heard of it.
                if one["id"] not in theirs or not seeded or "cancelled" in (choice["end"], theirs[one["id"]][c]["end"]):
                    continue
                a, b = choice["tokens"], theirs[one["id"]][c]["tokens"]
                at = next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), None)
                wanted[one["id"], c] = None if a == b else (at, a[at], b[at]) if at is not None else (min(len(a), len(b)),)
        result = replay(self.record, "--pipeline", other, "--as-fast-as-possible", code=1)
        found = {(one["id"], one["choice"]): (one["token"], one["recorded"], one["replayed"]) for one in result["changes"]}
        self.assertGreater(sum(value is not None for value in wanted.values()), 0)
        self.assertEqual(result["changed"], len({name for name, _ in found}))
        for key, value in wanted.items():
            self.assertEqual(found.get(key, (None,))[:len(value or (None,))], value or (None,), key)

    def test_a_torn_record_is_read_to_its_last_whole_line(self):
        torn = self.folder / "torn"
        shutil.copytree(self.record, torn)
        (path,) = torn.iterdir()
        os.truncate(path, path.stat().st_size - 10)
        result = replay(torn, "--as-fast-as-possible")
        self.assertEqual((result["requests"], result["changed"]), (REQUESTS - 1, 0))
        self.assertTrue(any("cut off" in note for note in result["notes"]))
        path.write_text(path.read_text() + "\n{}\n")
        done = subprocess.run([BINARY, "replay", str(torn)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\.jsonl:\d+: ")

    def test_a_killed_server_leaves_what_had_ended(self):
        record = self.folder / "killed"
        with TenonServer(BINARY, self.pipeline, "--record", record) as server:
            Asking(server, range(5), pause=0)
            until(lambda: len(lines(record, "request")) == 5, "the requests' lines")
            server.expect_code = -signal.SIGKILL
            server.kill()
        self.assertEqual(replay(record)["identical"] + replay(record)["same_so_far"], 5)

    def test_texts_are_kept_where_they_are_asked_for(self):
        record = self.folder / "text"
        with TenonServer(BINARY, self.pipeline, "--record", record, "--record-text") as server:
            Asking(server, range(3))
        for one in lines(record, "request"):
            self.assertIn(WORD, one["prompt_text"])
            self.assertTrue(all(choice["text"] for choice in one["choices"]))
        self.assertEqual(replay(record)["changed"], 0)

    def test_ctrl_c_ends_it_with_what_is_known(self):
        late = self.folder / "late"
        shutil.copytree(self.record, late)
        (path,) = late.iterdir()
        first, *rest = path.read_text().splitlines()
        arrivals = [json.loads(line)["request"]["arrival_us"] for line in rest if line.startswith('{"request"')]
        path.write_text("\n".join([first, *(line.replace(f'"arrival_us":{max(arrivals)},', f'"arrival_us":{max(arrivals) + 600_000_000},') for line in rest)]) + "\n")
        process = subprocess.Popen([BINARY, "replay", str(late), "--json", "--as-fast-as-possible", "--speed", "1"], stderr=subprocess.PIPE, text=True)
        process.communicate()
        self.assertEqual(process.returncode, 2)  # one or the other
        process = subprocess.Popen([BINARY, "replay", str(late), "--json"], stdout=subprocess.PIPE, text=True)
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        result = json.loads(out)
        self.assertTrue(result["stopped"])
        self.assertGreater(result["not_sent"], 0)
        self.assertEqual(result["changed"], 0)

    def test_the_report_for_people(self):
        page = self.folder / "report.html"
        done = subprocess.run([BINARY, "replay", str(self.record), "--speed", "10", "--html", str(page)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"identical +\d+")
        self.assertIn("TTFT", done.stdout)
        self.assertIn("<svg", page.read_text())


if __name__ == "__main__":
    BINARY, SOURCE = sys.argv[1:3]
    OTHER = {"attention": {"use": "paged", "kv_type": "int8"}}
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
