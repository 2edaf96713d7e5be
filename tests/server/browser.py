# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by its DevTools protocol."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time
import urllib.request
import zlib

from websockets.sync.client import connect

PATIENCE_S = 120  # far beyond any wait here, on a busy machine too


class Browser:
    """A page in a Chromium of its own, while its `with` lasts. `problems` holds what the page's console complained of."""

    def __init__(self, width=1280, height=800, dark=False):
        self.size, self.dark = (width, height), dark
        self.problems, self.number = [], 0

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        flags = ["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
                 "--disable-background-networking", "--hide-scrollbars", f"--user-data-dir={self.folder}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium's refuses to run as root
        self.process = subprocess.Popen([shutil.which("chromium") or "chromium", *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = wait(self.find_port, "Chromium's port")
            pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            self.socket = self.stack.enter_context(connect(address, max_size=None))
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.call("Emulation.setDeviceMetricsOverride", width=self.size[0], height=self.size[1], deviceScaleFactor=1, mobile=False)
            if self.dark:
                self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.stack.close()

    def find_port(self):
        assert self.process.poll() is None, "Chromium ended"
        file = pathlib.Path(self.folder) / "DevToolsActivePort"
        return file.exists() and file.read_text().split("\n")[0]

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_S))
            self.note(message)
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]

    def note(self, message):
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(parameters["exceptionDetails"].get("exception", {}).get("description", str(parameters)))
        if message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression):
        """Until the expression is true: what it gave."""
        return wait(lambda: self.evaluate(expression), expression)

    def click(self, selector):
        """As a mouse would, where the element is."""
        self.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        x, y = self.evaluate(f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
                             " return [b.x + b.width / 2, b.y + b.height / 2] })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector, text):
        self.evaluate(f"(() => {{ const e = document.querySelector({selector!r}); e.focus(); e.select(); }})()")
        self.call("Input.insertText", text=text)

    def press_enter(self):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def pixel(self, x, y):
        """The colour shown there, as (red, green, blue)."""
        clip = {"x": x, "y": y, "width": 1, "height": 1, "scale": 1}
        png = base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip)["data"])
        rows, offset = b"", 8
        while offset < len(png):
            length, kind = struct.unpack(">I4s", png[offset:offset + 8])
            if kind == b"IDAT":
                rows += png[offset + 8:offset + 8 + length]
            offset += length + 12
        return tuple(zlib.decompress(rows)[1:4])  # behind the row's filter, which changes nothing of a first pixel


def wait(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S} s for {what}")
