# SPDX-License-Identifier: Apache-2.0
"""How `tenon serve` starts, or says why it cannot, and what it leaves behind; with the default model: serve_test.py BINARY SOURCE [CASE...]"""
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

TENON = "tenon"
SOURCE = pathlib.Path()
TIMEOUT_S = 120
TRACES = ("terminate called", "what():", "Aborted", "Segmentation", "AddressSanitizer", "runtime error:", "std::")


class Server:
    """A server on a free port, ended at the end."""

    def __init__(self, *arguments, env=None, wait=True):
        self.folder = tempfile.TemporaryDirectory()
        self.log_file = pathlib.Path(self.folder.name) / "log"
        given = [TENON, "serve", str(SOURCE / "configs/serve.yaml"), "--log-file", str(self.log_file), "--set", "memory.context_tokens=1024",
                 *map(str, arguments)]
        if "--port" not in arguments:
            given += ["--port", "0"]
        self.process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "TMPDIR": self.folder.name, **(env or {})})
        self.url = None
        if wait:
            lines = queue.Queue()
            threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
            self.line = lines.get(timeout=TIMEOUT_S)
            found = re.search(r"http://[^\s,]+", self.line)
            if not found:
                raise AssertionError(f"no URL in {self.line!r}: {self.process.communicate(timeout=TIMEOUT_S)}")
            self.url = urllib.parse.urlsplit(found.group(0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT_S)
        self.folder.cleanup()

    def connect(self):
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=TIMEOUT_S)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def log(self):
        return self.log_file.read_text()

    def end(self, number):
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=TIMEOUT_S)
        assert not any(trace in err for trace in TRACES), err
        return self.process.returncode


class Serve(unittest.TestCase):
    def test_ctrl_c_ends_with_130(self):
        with Server() as server:
            self.assertEqual(server.end(signal.SIGINT), 130)

    def test_leaves_no_worker_and_no_folder_behind(self):
        with Server() as server:
            tasks = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/children")
            children = [child for task in tasks for child in task.read_text().split()]
            self.assertTrue(children)
            folder = pathlib.Path(server.folder.name)
            self.assertEqual(len(list(folder.glob("tenon-*"))), 1)
            self.assertEqual(server.end(signal.SIGTERM), 0)
            for child in children:
                self.assertFalse(pathlib.Path(f"/proc/{child}").exists())
            self.assertEqual(list(folder.glob("tenon-*")), [])

    def test_keys_are_asked_for_and_never_told(self):
        with tempfile.NamedTemporaryFile("w") as keys:
            keys.write("canary-key\n")
            keys.flush()
            with Server("--api-key-file", keys.name) as server:
                chat = {"messages": [{"role": "user", "content": "canary-prompt"}], "max_tokens": 2}
                self.assertEqual(server.ask("POST", "/v1/chat/completions", chat)[0], 401)
                bearer = {"Authorization": "Bearer canary-key"}
                self.assertEqual(server.ask("POST", "/v1/chat/completions", chat, bearer)[0], 200)
                metrics = server.ask("GET", "/metrics", headers=bearer)[1]
                self.assertEqual(server.end(signal.SIGTERM), 0)
                self.assertNotIn("canary", server.log() + metrics)
        with Server(env={"TENON_API_KEY": "canary-key"}) as server:
            self.assertEqual(server.ask("GET", "/v1/models")[0], 401)

    def test_says_why_it_cannot_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for arguments, why in ((["--port", taken.getsockname()[1]], "port"), (["--host", "0.0.0.0"], "--insecure"), (["--host", "nowhere"], "--host"),
                                   (["--api-key-file", "/no/such/file"], "/no/such/file"), (["--set", "attention.use=nothing"], "nothing")):
                with Server(*arguments, wait=False) as server:
                    out, err = server.process.communicate(timeout=TIMEOUT_S)
                    self.assertEqual(server.process.returncode, 1, err)
                    self.assertIn(why, err)
                    self.assertEqual(out, "")


if __name__ == "__main__":
    TENON, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
