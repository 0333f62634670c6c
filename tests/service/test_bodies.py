"""Bodies of many requests: one bound for all of them, and what becomes of them at the end."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from promptyard.records.live import Outcome
from promptyard.service.bodies import RETRY_AFTER_S
from support.replicas import replicas
from support.served import served
from support.stores import on_store

EVENTS = "/api/v1/events"
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {**NDJSON, "Content-Encoding": "gzip"}


def outcome_line(name: str, bytes_more: int = 0) -> bytes:
    outcome = Outcome(id=name, prompt="p", version=1, digest="d", at="", error="x" * bytes_more)
    return outcome.model_dump_json().encode() + b"\n"


def begin(url: str, length: int, sent: bytes, headers: Mapping[str, str] = NDJSON) -> socket.socket:
    """Begin a request whose body has a length, of which some is sent."""
    place = urlsplit(url)
    line = socket.create_connection((place.hostname or "", place.port or 0), timeout=10)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = (f"POST {EVENTS} HTTP/1.1", f"Host: {place.netloc}", f"Content-Length: {length}", *lines)
    line.sendall("\r\n".join((*head, "", "")).encode() + sent)
    return line


def test_bodies_have_one_bound_together_and_what_is_above_is_sent_again(tmp_path: Path) -> None:
    with served(tmp_path, max_bodies_bytes=20_000) as service:
        bodies = service.state.bodies

        def wait_for(n_bytes: int) -> None:
            for _ in range(500):
                if bodies.held_bytes == n_bytes:
                    return
                time.sleep(0.01)
            raise AssertionError(f"{bodies.held_bytes} bytes are held, not {n_bytes}")

        line = outcome_line("slow", 12_000)
        slow = begin(service.url, len(line), line[:10_000])
        wait_for(10_000)
        small = service.post(EVENTS, body=outcome_line("small", 5_000), headers=NDJSON)
        assert small.json["n_new"] == 1
        for body, headers in (
            (outcome_line("large", 11_000), NDJSON),
            (gzip.compress(outcome_line("packed", 11_000)), GZIP),
        ):
            refused = service.post(EVENTS, body=body, headers=headers)
            assert refused.status == 503
            assert refused.json["type"].endswith(":busy")
            low, high = RETRY_AFTER_S
            assert low <= int(refused.headers["retry-after"]) <= high
        wait_for(10_000)  # what was refused, or is answered, is held no longer
        slow.sendall(line[10_000:])
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
        slow.close()
        wait_for(0)
        again = service.post(
            EVENTS, body=gzip.compress(outcome_line("packed", 30_000)), headers=GZIP
        )
        assert again.json["n_new"] == 1  # alone it may be as large as any


def test_what_has_not_arrived_does_not_delay_the_end(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with replicas(tmp_path, url, 1) as (replica,):
        line = outcome_line("half")
        half = begin(replica.url, len(line), line[:-5])
        nothing = begin(replica.url, 10_000, b"")
        head = socket.create_connection(half.getpeername(), timeout=10)
        head.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost:")
        whole = begin(replica.url, len(line), outcome_line("hole"))
        assert whole.recv(100).startswith(b"HTTP/1.1 200 ")
        code, said, took_s = replica.end()
        answers = [item.recv(1000) for item in (half, nothing, head)]
        for item in (half, nothing, head, whole):
            item.close()
    assert (code, said) == (0, "")
    assert took_s < 3
    for answer in answers[:2]:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in answer
    assert answers[2] == b""
    stored = on_store(url, lambda store: store.live_events("p"))
    assert [item.event.id for item in stored] == ["hole"]


def test_a_slow_body_is_told_so_and_held_no_longer(tmp_path: Path) -> None:
    with served(tmp_path, read_timeout_s=0.2) as service:
        slow = begin(service.url, 100, b"{}")
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        slow.close()
        assert service.state.bodies.held_bytes == 0
