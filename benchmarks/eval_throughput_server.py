"""The model server of the speed benchmarks: a chat-completions protocol that costs next to nothing.

    python benchmarks/eval_throughput_server.py [latency in seconds]

Prints its port. Answers every POST after the latency; GET /stats gives what it counted since the
last GET /reset. `Code of entry 17?` is answered with `code-17`, except that every tenth entry gets
a wrong code. Speaks only the HTTP that the measured clients speak: bodies with a Content-Length.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress

QUESTION = re.compile(rb"Code of entry (\d+)\?")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def question(number: int) -> str:
    """The text of one case."""
    return f"Code of entry {number}?"


def code(number: int) -> str:
    """The right answer to one case."""
    return f"code-{number}"


class Counters:
    """What has arrived since the last reset. Times are those of `time.time`."""

    def __init__(self) -> None:
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.first_s: float | None = None
        self.cpu_before_s = time.process_time()

    def arrived(self) -> None:
        """Count a call that begins."""
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.first_s is None:
            self.first_s = time.time()

    def said(self) -> dict[str, float | int | None]:
        """What /stats answers."""
        return {
            "calls": self.calls,
            "most_in_flight": self.most_in_flight,
            "first_s": self.first_s,
            "cpu_s": time.process_time() - self.cpu_before_s,
        }


class Connection(asyncio.Protocol):
    """One connection with one request at a time on it, as the clients use it."""

    counters = Counters()
    latency_s = 0.05

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather a request until it is whole."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = LENGTH.search(head)
        if length is not None and len(rest) < int(length.group(1)):
            if b"100-continue" in head and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._buffer = b""
        if head.startswith(b"POST"):
            type(self).counters.arrived()
            asyncio.get_running_loop().call_later(self.latency_s, self._answer, rest)
        elif head.startswith(b"GET /reset"):
            Connection.counters = Counters()
            self._send(b"{}")
        else:
            self._send(json.dumps(type(self).counters.said()).encode())

    def _answer(self, body: bytes) -> None:
        counters = type(self).counters
        counters.in_flight -= 1
        found = QUESTION.search(body)
        number = int(found.group(1)) if found else 0
        text = "wrong" if number % 10 == 0 else code(number)
        self._send(
            b'{"id":"chatcmpl-%d","object":"chat.completion","created":1700000000,"model":"bench",'
            b'"choices":[{"index":0,"message":{"role":"assistant","content":"%s"},'
            b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3,'
            b'"total_tokens":15}}' % (number, text.encode())
        )

    def _send(self, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )


async def serve(latency_s: float) -> None:
    Connection.latency_s = latency_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.05))
