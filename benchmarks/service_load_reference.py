"""The least that a receiver of spans can do: decode, a row a span, commit durably, then answer.

    python benchmarks/service_load_reference.py FILE.db

Prints its address. asyncio, httptools, protobuf and sqlite3 (WAL, synchronous=FULL); requests that
wait together are committed together. No keys, no limits, no masking, no prompts.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
from queue import Empty, SimpleQueue
from typing import Any, cast

import httptools
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
Rows = list[tuple[bytes, bytes, str, int, int, str]]


def value_of(value: AnyValue) -> Any:
    """One attribute as JSON."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: value_of(pair.value) for pair in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)


def rows_of(body: bytes) -> Rows:
    """The rows of a request."""
    return [
        (
            span.trace_id,
            span.span_id,
            span.name,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            json.dumps({pair.key: value_of(pair.value) for pair in span.attributes}),
        )
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


class Writer:
    """Commits in a thread whatever waits."""

    def __init__(self, path: str) -> None:
        self.queue: SimpleQueue[tuple[Rows, Receiver]] = SimpleQueue()
        self.loop = asyncio.get_running_loop()
        threading.Thread(target=self.run, args=(path,), daemon=True).start()

    def run(self, path: str) -> None:
        """Write until the process ends."""
        database = sqlite3.connect(path, isolation_level=None)
        database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE IF NOT EXISTS spans (id INTEGER PRIMARY KEY, trace_id BLOB, span_id BLOB,"
            " name TEXT, start_ns INTEGER, end_ns INTEGER, attributes TEXT,"
            " UNIQUE (trace_id, span_id));"
        )
        while True:
            group = [self.queue.get()]
            try:
                while True:
                    group.append(self.queue.get_nowait())
            except Empty:
                pass
            database.execute("BEGIN IMMEDIATE")
            for rows, _ in group:
                database.executemany(
                    "INSERT OR IGNORE INTO spans"
                    " (trace_id, span_id, name, start_ns, end_ns, attributes)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
            database.execute("COMMIT")
            self.loop.call_soon_threadsafe(answer, [receiver for _, receiver in group])


def answer(receivers: list[Receiver]) -> None:
    """Acknowledge."""
    for receiver in receivers:
        receiver.transport.write(ANSWER)


class Receiver(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.parser = httptools.HttpRequestParser(self)
        self.parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect."""
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """Decode and hand over."""
        body = b"".join(self.parts)
        self.parts.clear()
        self.writer.queue.put((rows_of(body), self))


async def main(path: str) -> None:
    """Serve until killed."""
    writer = Writer(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(writer), "127.0.0.1", 0)
    print(f"at http://127.0.0.1:{server.sockets[0].getsockname()[1]} ", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main(sys.argv[1]))
    else:
        uvloop.run(main(sys.argv[1]))
