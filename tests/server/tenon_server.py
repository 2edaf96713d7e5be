# SPDX-License-Identifier: Apache-2.0
"""A `tenon serve` on a port of its own, and what is asked of it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

PATIENCE_S = 120  # far beyond any wait here, on a busy machine too
TRACES = ("terminate called", "what():", "Aborted", "core dumped", "AddressSanitizer", "LeakSanitizer", "runtime error:",
          "ThreadSanitizer", "broken invariant", "Assertion")


class TenonServer:
    """Runs while its `with` lasts; `log` is what it wrote. Leaving ends it with SIGTERM and asserts that it ended well."""

    def __init__(self, binary, pipeline, *arguments, env=None, ready=True):
        self.command = [str(binary), "serve", str(pipeline), "--port", "0", *map(str, arguments)]
        self.env, self.wait_ready, self.url, self.lines = env or {}, ready, None, []
        self.expect_code = 0

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        env={**os.environ, **self.env}, start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        try:
            until(lambda: self.url or self.process.poll() is not None, "the server's URL")
            assert self.url, f"ended with {self.process.returncode}:\n{self.log}"
            if self.wait_ready:
                until(lambda: self.get("/ready").status == 200, "/ready")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None and kind is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"SIGTERM did not end it:\n{self.log[-4000:]}") from None
        self.kill()
        self.reader.join(10)
        self.process.stdout.close()
        if kind is None:
            assert self.process.returncode == self.expect_code, f"ended with {self.process.returncode}:\n{self.log[-4000:]}"
            assert not any(trace in self.log for trace in TRACES), f"a trace:\n{self.log[-4000:]}"

    def kill(self):
        """The server and its workers, which share its session."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"http://(127\.0\.0\.1|localhost|\[::1\]):(\d+)", line)
            if found and not self.url:
                self.port = int(found.group(2))
                self.url = f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return "".join(self.lines)

    def get(self, path, **more):
        return ask(self.url + path, **more)

    def post(self, path, body, **more):
        return ask(self.url + path, body=body, **more)

    def metrics(self):
        """name → sum over its labels, names without their prefix."""
        out = {}
        for line in self.get("/metrics").text.splitlines():
            match = re.match(r"(?:\w+:)?(\w+)(?:\{.*\})? (\S+)", line)
            if match:
                out[match.group(1)] = out.get(match.group(1), 0) + float(match.group(2))
        return out

    def workers(self):
        """Pids of its worker processes."""
        children = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout
        return [int(line.split()[0]) for line in children.splitlines() if not line.split()[1].startswith("Z")]


class Answer:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data
        self.text = data.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.text)


def ask(url, body=None, method=None, headers=None, timeout=PATIENCE_S):
    """Any status is an answer; no answer is an OSError."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def until(condition, what, patience=PATIENCE_S):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {patience} s for {what}")
