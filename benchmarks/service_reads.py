"""How many reads a second the service answers, how fast, and at what CPU, over loopback.

`promptyard serve` over SQLite runs as its users run it, with a key; one client process keeps some
connections alive and asks one after the other on each. Beside it, in the same rounds, a bare
uvicorn that sends the same bytes and looks at nothing: the ratio says what keys, limits, routing
and ETags cost. Requests are listed in SCENARIOS; other reads of the service belong there.

    python benchmarks/service_reads.py [--requests 20000] [--connections 8] [--prompts 20]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promptyard.records.api_keys import ApiKey, digest_of, key_text
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import Move, PromptVersion
from promptyard.storage import open_store

N_ROUNDS = 5
PATH = "/api/v1/manifest"
FLAG = "/ofrep/v1/evaluate/flags/prompt-0"
AT = "2026-11-27T10:00:00+00:00"
LIMITS = "service: {requests_per_s: 1000000, burst: 1000000}\n"


@dataclass(frozen=True)
class Scenario:
    """One kind of read: its name and, of the headers of the manifest's answer, what it sends."""

    name: str
    path: str
    headers: Callable[[Mapping[str, str]], Mapping[str, str]]
    status: int
    body: bytes | None = None


SCENARIOS = (
    Scenario("manifest, 304", PATH, lambda answer: {"If-None-Match": answer["etag"]}, 304),
    Scenario("manifest, gzip", PATH, lambda _: {"Accept-Encoding": "gzip"}, 200),
    Scenario("manifest, plain", PATH, lambda _: {}, 200),
    Scenario("resolve (OFREP)", FLAG, lambda _: {}, 200, b'{"context": {"targetingKey": "u1"}}'),
)


@dataclass
class Round:
    """What one round found: requests a second, latencies and the server's CPU a request."""

    per_s: float
    latencies_s: list[float]
    cpu_us: float


class Connection(asyncio.Protocol):
    """Asks again as soon as it is answered."""

    def __init__(self, request: bytes, status: int, n: int, done: asyncio.Future[None]) -> None:
        self.latencies_s: list[float] = []
        self._request = request
        self._line = f"HTTP/1.1 {status} ".encode()
        self._n = n
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked_s = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what comes; once the answer is whole, note how long it took and ask again."""
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end or len(rest) < _length(head):
            return
        self.latencies_s.append(time.perf_counter() - self._asked_s)
        assert head.startswith(self._line), head[:200]
        self._buffer = b""
        if len(self.latencies_s) < self._n:
            self._ask()
        else:
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail where the server hung up before the last answer."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server hung up"))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def ask(url: str, request: bytes, status: int, n: int, n_connections: int) -> list[float]:
    loop = asyncio.get_running_loop()
    host, port = urlsplit(url).netloc.split(":")
    connections: list[Connection] = []
    done: list[asyncio.Future[None]] = []
    for _ in range(n_connections):
        done.append(loop.create_future())
        connection = Connection(request, status, n // n_connections, done[-1])
        connections.append(connection)
        await loop.create_connection(lambda made=connection: made, host, int(port))
    await asyncio.gather(*done)
    return [value for connection in connections for value in connection.latencies_s]


def measure(url: str, pid: int, request: bytes, status: int, options: Any) -> Round:
    cpu_s, began_s = cpu_seconds(pid), time.perf_counter()
    latencies = asyncio.run(ask(url, request, status, options.requests, options.connections))
    took_s = time.perf_counter() - began_s
    return Round(
        len(latencies) / took_s, latencies, (cpu_seconds(pid) - cpu_s) / len(latencies) * 1e6
    )


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if body is not None:
        headers = {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def fill(path: Path, n_prompts: int) -> str:
    """Make a store with prompts of 2 kB, and return a key that may read it."""
    store = open_store(str(path))
    await store.open()
    try:
        key_id = secrets.token_hex(6)
        text = key_text(key_id, secrets.token_urlsafe(32))
        await store.add_key(
            ApiKey(
                id=key_id,
                name="reader",
                scopes=("read",),
                digest=digest_of(text),
                created_at=AT,
                created_by="benchmark",
            )
        )
        for number in range(n_prompts):
            lines = [f"Rule {line} of prompt {number}: be brief." for line in range(55)]
            program = Program.single(
                Prompt.from_text("system:\n" + "\n".join(lines) + "\n\nuser:\n{{question}}\n")
            )
            name = f"prompt-{number}"
            await store.add_version(
                PromptVersion(name=name, number=0, digest=program.id, program=program, author="a")
            )
            move = Move(
                prompt=name,
                pointer="production",
                from_number=None,
                to_number=1,
                actor="a",
                reason="",
            )
            await store.move_pointer(move)
    finally:
        await store.close()
    return text


@contextlib.contextmanager
def started(command: list[str], folder: Path) -> Generator[tuple[str, int, float]]:
    """Start a server that prints its URL; gives that, its process and how long the start took."""
    began_s = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        url = next(word for word in words if word.startswith("http://"))
        yield url, process.pid, time.perf_counter() - began_s
    finally:
        process.terminate()
        process.wait(30)


def reference(folder: str) -> None:
    """Serve the bytes in a folder with uvicorn and nothing else, at a path for each scenario."""
    import uvicorn

    place = Path(folder)
    answers = {f"/{path.name}": path.read_bytes() for path in place.iterdir()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = answers[scope["path"]]
        status = 200 if body else 304
        headers = [(b"content-length", str(len(body)).encode())] if body else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False, lifespan="off")
    sockets = [config.bind_socket()]
    sockets[0].listen()
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=sockets)


def first_answer(
    url: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[dict[str, str], bytes]:
    place = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(place.netloc, timeout=30)) as connection:
        method = "GET" if body is None else "POST"
        sent = dict(headers) if body is None else {**headers, "Content-Type": "application/json"}
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read()


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "promptyard.yaml").write_text(LIMITS)
        key = asyncio.run(fill(folder / "store.db", options.prompts))
        own = {"Authorization": f"Bearer {key}"}
        serve = [sys.executable, "-m", "promptyard", "serve", "--port", "0", "--store", "store.db"]
        with started(serve, folder) as (url, pid, start_s):
            answer, content = first_answer(url, PATH, own)
            print(f"{options.prompts} prompts, {len(content):,} bytes; started in {start_s:.2f} s")
            bodies = folder / "bodies"
            bodies.mkdir()
            asked: list[tuple[Scenario, bytes, bytes]] = []
            for number, scenario in enumerate(SCENARIOS):
                headers = {**own, **scenario.headers(answer)}
                _, sent_back = first_answer(url, scenario.path, headers, scenario.body)
                (bodies / str(number)).write_bytes(sent_back)
                method = "GET" if scenario.body is None else "POST"
                sent = request_of(method, scenario.path, headers, scenario.body)
                asked.append((scenario, sent, request_of("GET", f"/{number}", headers, None)))
            bare = [sys.executable, str(Path(__file__).resolve()), "--reference", str(bodies)]
            with started(bare, folder) as (bare_url, bare_pid, _):
                for scenario, sent, plain in asked:
                    rounds: list[Round] = []
                    bare_rounds: list[Round] = []
                    for _ in range(N_ROUNDS):
                        rounds.append(measure(url, pid, sent, scenario.status, options))
                        found = measure(bare_url, bare_pid, plain, scenario.status, options)
                        bare_rounds.append(found)
                    show(scenario.name, rounds)
                    show("  bare uvicorn", bare_rounds)
            print(f"resident memory of the service: {resident_mb(pid):.0f} MB")


def show(name: str, rounds: list[Round]) -> None:
    rates = [one.per_s for one in rounds]
    latencies = sorted(value for one in rounds for value in one.latencies_s)
    p50, p99 = (1e3 * latencies[int(share * len(latencies))] for share in (0.5, 0.99))
    print(
        f"{name:16} {statistics.median(rates):8,.0f} requests/s ({min(rates):,.0f}-"
        f"{max(rates):,.0f})  p50 {p50:.2f} ms  p99 {p99:.2f} ms  "
        f"server CPU {statistics.median(one.cpu_us for one in rounds):.0f} us a request"
    )


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--reference", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reference:
        reference(given.reference)
    else:
        main(given)
