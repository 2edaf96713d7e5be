# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-like server whose delays and faults are known, for tests of clients."""
import asyncio
import json
import threading

TOKENS = [3, 5, 8, 13, 21]


class StubServer:
    """Answers on a loopback port while its `with` lasts. Each request of /v1/* takes the next of `script` (around
    again), a function of (stub, request body, writer); see plain()."""

    def __init__(self, *script, key=None):
        self.script, self.key = script or (plain(),), key
        self.bodies, self.connections, self.now, self.peak = [], 0, 0, 0

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024))
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def close(self):
        self.server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while await self.answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def answer(self, reader, writer):
        """One request; whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = json.loads(await reader.readexactly(int(fields.get("content-length", 0))) or b"{}")
        if self.key and fields.get("authorization") != f"bearer {self.key.lower()}":
            return whole(writer, 401, {"error": {"message": "no key"}})
        if path == "/v1/models":
            return whole(writer, 200, {"data": [{"id": "stub"}]})
        if path == "/tokenize":
            return whole(writer, 200, {"tokens": TOKENS})
        if path == "/detokenize":
            return whole(writer, 200, {"prompt": " ".join(map(str, body["tokens"]))})
        turn = self.script[len(self.bodies) % len(self.script)]
        self.bodies.append((path, body))
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            return await turn(body, writer)
        finally:
            self.now -= 1


def whole(writer, status, document):
    text = json.dumps(document).encode()
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
    return True


def send(writer, text):
    data = text.encode()
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def event(writer, document):
    send(writer, f"data: {json.dumps(document)}\n\n")


def begin(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")


def plain(first_s=0.0, each_s=0.0, tokens=None, end="done", close=False, together=1):
    """A stream of as many tokens as asked for, or `tokens`. end: done, cut (closed), error (an error event),
    silent (nothing comes any more). together: every so many requests wait for each other before the first token, so
    that they are at the server at one time however slow their client is."""
    waiting = []

    async def turn(body, writer):
        chat = "messages" in body
        count = tokens if tokens is not None else body.get("max_tokens", body.get("max_completion_tokens"))
        begin(writer)
        send(writer, ": a comment\n\n")
        if chat:
            event(writer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        if together > 1:
            waiting.append(asyncio.Event())
            mine = waiting[-1]
            if len(waiting) == together:
                for event_of in waiting:
                    event_of.set()
                waiting.clear()
            await mine.wait()
        await asyncio.sleep(first_s)
        for i in range(count):
            if i:
                await asyncio.sleep(each_s)
            event(writer, {"choices": [{"delta": {"content": "x"}} if chat else {"text": "x", "finish_reason": None}]})
            await writer.drain()
        if end == "cut":
            return False
        if end == "error":
            event(writer, {"error": {"message": "engine lost"}})
            send(writer, "")
            return False
        if end == "silent":
            await asyncio.sleep(3600)
        prompt = body.get("prompt")
        event(writer, {"choices": [{"delta": {}, "text": "", "finish_reason": "length"} if not chat else {"delta": {}, "finish_reason": "length"}]})
        event(writer, {"choices": [], "usage": {"prompt_tokens": len(prompt) if prompt else 4, "completion_tokens": count,
                                                "prompt_tokens_details": {"cached_tokens": 1}}})
        send(writer, "data: [DONE]\n\n")
        send(writer, "")
        await writer.drain()
        return not close

    return turn


def refuse(status, message="no"):
    async def turn(body, writer):
        return whole(writer, status, {"error": {"message": message}})

    return turn
