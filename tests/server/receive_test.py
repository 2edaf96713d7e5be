# SPDX-License-Identifier: Apache-2.0
"""The other ways to receive: polling, long polling, WebSocket. receive_test.py BINARY SOURCE_FOLDER [CASE...]"""
import asyncio
import json
import pathlib
import sys
import tempfile
import time
import unittest

import tiny_model
import websockets.exceptions
from raw_client import ask, Connection
from tenon_server import TenonServer, until
from websockets.sync.client import connect

TENON = "tenon"
SOURCE = pathlib.Path()
KEYS = ("sk-one-11", "sk-two-22")


def text_of(document):
    return document["choices"][0]["message"]["content"]


class Receive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        keys = folder / "keys"
        keys.write_text("\n".join(KEYS) + "\n")
        keys.chmod(0o600)
        pipeline = tiny_model.pipeline(SOURCE, folder, memory={"kv_tokens": 8192, "context_tokens": 512})
        cls.server = cls.enterClassContext(TenonServer(TENON, pipeline, "--api-key-file", keys))
        cls.key = {"Authorization": f"Bearer {KEYS[0]}"}
        cls.model = cls.server.get("/v1/models", headers=cls.key).json["data"][0]["id"]

    def body(self, **more):
        return {"model": self.model, "messages": [{"role": "user", "content": "the sea"}], "max_tokens": 30, "temperature": 0, "ignore_eos": True, **more}

    def long(self, **more):
        return self.body(max_tokens=450, n=16, **more)

    def whole(self):
        return text_of(self.server.post("/v1/chat/completions", self.body(), headers=self.key).json)

    def submit(self, body):
        answer = self.server.post("/v1/jobs", body, headers=self.key)
        self.assertEqual(answer.status, 202, answer.text)
        return answer.json["id"]

    def job(self, name, query="", **more):
        return self.server.get(f"/v1/jobs/{name}{query}", headers=self.key, **more)

    def idle(self):
        lines = self.server.get("/metrics", headers=self.key).text.splitlines()
        running = [line for line in lines if ":num_requests_running" in line and not line.startswith("#")]
        return running and all(float(line.split()[-1]) == 0 for line in running)

    def test_polling_gives_what_the_request_would_have(self):
        name = self.submit(self.body())
        done = until(lambda: (lambda job: job["status"] != "running" and job)(self.job(name).json), "the job's end")
        self.assertEqual((done["status"], text_of(done["response"])), ("completed", self.whole()))
        self.assertEqual(self.job(name).json["response"], done["response"])  # and again

    def test_a_long_poll_returns_when_there_is_news(self):
        name, status = self.submit(self.long()), "running"
        while status == "running":
            began = time.monotonic()
            status = self.job(name, "?wait=30").json["status"]
            # Without news only when the time is over.
            self.assertTrue(status == "completed" or time.monotonic() - began >= 30, status)
        # One that does not wait comes back before the end, where anything is left to do by then.
        until(lambda: self.job(self.submit(self.long()), "?wait=0").json["status"] == "running", "a job that is asked for while it runs")
        until(self.idle, "the end of all these")

    def test_a_streaming_job_gives_its_chunks_from_where_one_was(self):
        name, text, after = self.submit(self.body(stream=True)), "", 0
        while True:
            job = self.job(name, f"?wait=20&after={after}").json
            text += "".join(choice["delta"].get("content") or "" for chunk in job.get("chunks", []) for choice in chunk["choices"])
            after = job.get("next", after)
            if job["status"] != "running":
                break
        self.assertEqual((job["status"], text), ("completed", self.whole()))

    def test_delete_cancels_and_frees(self):
        name = self.submit(self.long())
        answer = self.server.get(f"/v1/jobs/{name}", headers=self.key, method="DELETE")
        self.assertEqual(answer.status, 200)
        until(self.idle, "the job's sequences to be gone")
        self.assertIn(self.job(name).json["status"], ("cancelled", "completed"))

    def test_a_refused_request_is_a_failed_job_or_refused_at_once(self):
        answer = self.server.post("/v1/jobs", self.body(temperature=-1), headers=self.key)
        if answer.status == 202:
            done = self.job(answer.json["id"], "?wait=20").json
            self.assertEqual((done["status"], done["response"]["error"]["param"]), ("failed", "temperature"))
        else:
            self.assertEqual((answer.status, answer.json["error"]["param"]), (400, "temperature"))

    def test_jobs_are_the_tenants_own(self):
        name = self.submit(self.body())
        for path, headers in ((name, {"Authorization": f"Bearer {KEYS[1]}"}), ("job-unknown", self.key)):
            self.assertEqual(self.server.get(f"/v1/jobs/{path}", headers=headers).status, 404)
        self.assertEqual(self.server.get(f"/v1/jobs/{name}").status, 401)

    def socket(self, key=KEYS[0]):
        return connect(self.server.url.replace("http", "ws") + "/v1/ws", additional_headers={"Authorization": f"Bearer {key}"})

    def test_a_websocket_takes_a_request_and_gives_chunks(self):
        with self.socket() as socket:
            socket.send(json.dumps(self.body(stream=True)))
            messages = list(socket)
        self.assertEqual(messages[-1], "[DONE]")
        chunks = [json.loads(message) for message in messages[:-1]]
        self.assertEqual("".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]), self.whole())

    def test_a_websocket_tells_errors_and_closes(self):
        for message in ("{", json.dumps(self.body(temperature=-1))):
            with self.socket() as socket:
                socket.send(message)
                answers = list(socket)
            self.assertIn("error", json.loads(answers[0]))
            self.assertEqual(len(answers), 1)

    def test_a_websocket_without_a_key_is_refused(self):
        with self.assertRaises(websockets.exceptions.InvalidStatus) as caught:
            self.socket("wrong")
        self.assertEqual(caught.exception.response.status_code, 401)

    def test_leaving_ends_the_request_whatever_the_way(self):
        with self.socket() as socket:
            socket.send(json.dumps(self.long(stream=True)))
            socket.recv()
        until(self.idle, "the socket's sequences to be gone")

        async def leave(stream):
            async with await Connection.open(self.server.port) as connection:
                await connection.post("/v1/chat/completions", self.long(stream=stream), [f"Authorization: Bearer {KEYS[0]}"])
                await asyncio.sleep(0.1)

        for stream in (True, False):
            asyncio.run(leave(stream))
            until(self.idle, "the sequences to be gone")

    def test_broken_websockets_hurt_nobody(self):
        handshake = (f"GET /v1/ws HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {KEYS[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()

        async def send(frames):
            async with await Connection.open(self.server.port) as connection:
                await connection.send(handshake + frames)
                await connection.head()
                try:
                    return await asyncio.wait_for(connection.reader.read(), 60)
                except ConnectionError:
                    return b""

        # Not masked; a reserved opcode; a length of 2^62; half a message; text that is no UTF-8.
        for frames in (b"\x81\x02{}", b"\x83\x80\0\0\0\0", b"\x81\xff" + b"\x40" + b"\0" * 7 + b"\0\0\0\0", b"\x88\x80\0\0\0\0", b"\x81\x82\0\0\0\0\xff\xfe"):
            asyncio.run(send(frames))
        status, _, _ = asyncio.run(ask(self.server.port, "/v1/chat/completions", self.body(max_tokens=2), [f"Authorization: Bearer {KEYS[0]}"]))
        self.assertEqual(status, 200)


if __name__ == "__main__":
    TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
