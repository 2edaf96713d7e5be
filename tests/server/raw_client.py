# SPDX-License-Identifier: Apache-2.0
"""HTTP by hand, so that a client can misbehave at any byte."""
import asyncio
import json
import socket
import struct


class Cut(Exception):
    """The server closed before the answer was complete."""


class Connection:
    @classmethod
    async def open(cls, port):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def post(self, path, body, headers=()):
        await self.send(post(path, body, headers))

    def reset(self):
        """Ends with RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def head(self):
        """(status, headers) of the answer; names are lower case."""
        try:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Cut("no answer") from error
        self.status = int(lines[0].split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return self.status, self.headers

    async def pieces(self):
        """The body as it comes, behind head()."""
        try:
            if self.headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readline() or b"x", 16):
                    yield (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
            elif "content-length" in self.headers:
                yield await self.reader.readexactly(int(self.headers["content-length"]))
            else:
                while data := await self.reader.read(1 << 16):
                    yield data
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            raise Cut("the body") from error

    async def body(self):
        return b"".join([piece async for piece in self.pieces()])

    async def events(self):
        """What the `data:` lines of a stream say, [DONE] as None."""
        rest = b""
        async for piece in self.pieces():
            rest += piece
            *whole, rest = rest.split(b"\n\n")
            for event in whole:
                if event.startswith(b"data: "):
                    yield None if event == b"data: [DONE]" else json.loads(event[6:])


def post(path, body, headers=()):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", f"Content-Length: {len(data)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def ask(port, path, body, headers=()):
    """(status, headers, body as JSON or text)."""
    async with await Connection.open(port) as connection:
        await connection.post(path, body, headers)
        status, answered = await connection.head()
        data = await connection.body()
        try:
            return status, answered, json.loads(data)
        except ValueError:
            return status, answered, data.decode(errors="replace")
