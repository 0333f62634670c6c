"""Bodies of many requests: one bound for all of them, and what becomes of them at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import importlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from promptyard.records.live import Outcome
from promptyard.service.bodies import RETRY_AFTER_S
from support.registered import version_of
from support.replicas import replicas
from support.served import served
from support.served_prompts import served_prompts
from support.stores import on_store

EVENTS = "/api/v1/events"
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {**NDJSON, "Content-Encoding": "gzip"}


def outcome_line(name: str, bytes_more: int = 0) -> bytes:
    outcome = Outcome(id=name, prompt="p", version=1, digest="d", at="", error="x" * bytes_more)
    return outcome.model_dump_json().encode() + b"\n"


def begin(
    url: str, length: int, sent: bytes, headers: Mapping[str, str] = NDJSON, path: str = EVENTS
) -> socket.socket:
    """Begin a request whose body has a length, of which some is sent."""
    place = urlsplit(url)
    line = socket.create_connection((place.hostname or "", place.port or 0), timeout=10)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = (f"POST {path} HTTP/1.1", f"Host: {place.netloc}", f"Content-Length: {length}", *lines)
    line.sendall("\r\n".join((*head, "", "")).encode() + sent)
    return line


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("not within 5 s")


def authorised(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_bodies_have_one_bound_together_and_what_is_above_is_sent_again(tmp_path: Path) -> None:
    with served(tmp_path, max_bodies_bytes=200_000) as service:
        bodies = service.state.bodies

        def wait_for(n_bytes: int) -> None:
            wait_until(lambda: bodies.held_bytes == n_bytes)

        service.key = service.new_key("report", name="one")
        other = service.new_key("report", name="other")
        line = outcome_line("slow", 120_000)
        slow = begin(service.url, len(line), line[:100_000], NDJSON | authorised(other))
        wait_for(100_000)
        fitting = service.post(EVENTS, body=outcome_line("fitting", 50_000), headers=NDJSON)
        assert fitting.json["n_new"] == 1
        for body, headers in (
            (outcome_line("large", 110_000), NDJSON),
            (gzip.compress(outcome_line("packed", 110_000)), GZIP),
        ):
            refused = service.post(EVENTS, body=body, headers=headers)
            assert refused.status == 503
            assert refused.json["type"].endswith(":busy")
            low, high = RETRY_AFTER_S
            assert low <= int(refused.headers["retry-after"]) <= high
        wait_for(100_000)  # what was refused, or is answered, is held no longer
        slow.sendall(line[100_000:])
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
        slow.close()
        wait_for(0)
        again = service.post(
            EVENTS, body=gzip.compress(outcome_line("packed", 300_000)), headers=GZIP
        )
        assert again.json["n_new"] == 1  # alone it may be as large as any


def test_a_sender_has_half_of_the_bound_and_small_bodies_need_none(tmp_path: Path) -> None:
    with (
        served(tmp_path, max_bodies_bytes=200_000, max_body_bytes=200_000) as service,
        contextlib.ExitStack() as open_lines,
    ):
        flood, other = (service.new_key("report", name=name) for name in ("flood", "other"))
        line = outcome_line("slow", 150_000)
        for _ in range(2):
            begun = begin(service.url, len(line), line[:45_000], NDJSON | authorised(flood))
            open_lines.enter_context(begun)
        wait_until(lambda: service.state.bodies.held_bytes == 90_000)
        third = begin(service.url, len(line), line[:45_000], NDJSON | authorised(flood))
        assert open_lines.enter_context(third).recv(1000).startswith(b"HTTP/1.1 503 ")
        larger = outcome_line("larger", 60_000)
        busy = service.post(EVENTS, body=larger, headers=NDJSON, key=flood)
        assert (busy.status, busy.json["type"]) == (503, "urn:promptyard:problem:busy")
        assert "half of it from one sender" in busy.json["detail"]
        assert service.post(EVENTS, body=larger, headers=NDJSON, key=other).json["n_new"] == 1
        rest = begin(service.url, len(line), line[:110_000], NDJSON | authorised(other))
        open_lines.enter_context(rest)
        wait_until(lambda: service.state.bodies.held_bytes == 200_000)
        small = outcome_line("small", 15_000)
        for key in (flood, other):
            assert service.post(EVENTS, body=small, headers=NDJSON, key=key).status == 200
        packed = gzip.compress(small)
        assert service.post(EVENTS, body=packed, headers=GZIP, key=flood).status == 200


def test_a_sender_has_half_of_the_connections_for_what_it_sends(tmp_path: Path) -> None:
    with (
        served(tmp_path, max_connections=8) as service,
        contextlib.ExitStack() as open_lines,
    ):
        flood, other = (service.new_key("report", name=name) for name in ("flood", "other"))
        begun: list[socket.socket] = []
        for number in range(1, 5):
            begun.append(begin(service.url, 100, b"{", NDJSON | authorised(flood)))
            open_lines.enter_context(begun[-1])
            wait_until(lambda number=number: service.state.bodies.held_bytes == number)
        line = outcome_line("o")
        refused = service.post(EVENTS, body=line, headers=NDJSON, key=flood)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert refused.json["detail"].startswith("a sender has up to 4 requests under way")
        assert service.post(EVENTS, body=line, headers=NDJSON, key=other).json["n_new"] == 1
        begun[0].close()
        wait_until(lambda: service.state.bodies.held_bytes == 3)
        assert service.post(EVENTS, body=line, headers=NDJSON, key=flood).status == 200


def test_a_sender_has_half_of_the_connections_for_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hangs holds what is asked of it; who asks for nothing else is still heard."""
    is_over = threading.Event()
    with served(tmp_path, max_connections=8) as service:
        flood, other = (service.new_key("admin", name=name) for name in ("flood", "other"))
        read = service.state.store.audit

        async def hang(**given: Any) -> Any:
            while not is_over.is_set():
                await asyncio.sleep(0.01)
            return await read(**given)

        monkeypatch.setattr(service.state.store, "audit", hang)
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(service.get, "/api/v1/audit", key=flood) for _ in range(6)]
            first = wait(asked, timeout=5, return_when=FIRST_COMPLETED).done
            assert {item.result().status for item in first} == {429}
            wait_until(lambda: sum(item.done() for item in asked) == 2)
            for _ in range(3):
                assert service.get("/api/v1/keys", key=other).status == 200
                assert service.get("/healthz").status == 200
            assert service.post("/api/v1/keys", {"name": "x"}, key=flood).status == 429
            is_over.set()
            assert sorted(item.result().status for item in asked) == [200] * 4 + [429] * 2
        acts = service.get("/api/v1/audit", key=flood).json["items"]
        assert acts == []  # what waits for nothing is not logged either


@pytest.mark.parametrize(
    "step", ["promptyard.service.bodies.decompressed", "promptyard.line.ingest.decode_spans"]
)
def test_large_bodies_are_opened_one_by_one_and_others_are_answered_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Many at once would share one processor's worth of Python, and leave nobody else any."""
    module, _, name = step.rpartition(".")
    does = getattr(importlib.import_module(module), name)
    is_over = threading.Event()
    under_way: list[int] = []

    def waits(*given: Any) -> Any:
        under_way.append(len(given[0]))
        is_over.wait(10)
        return does(*given)

    monkeypatch.setattr(step, waits)
    text = "".join(random.Random(3).choices("abcdefgh", k=400_000))
    body = gzip.compress(json.dumps({"resourceSpans": [], "more": text}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with served(tmp_path) as service, ThreadPoolExecutor(4) as pool:
        sent = [
            pool.submit(service.post, "/v1/traces", body=body, headers=headers) for _ in range(4)
        ]
        wait_until(lambda: len(under_way) == 1)
        time.sleep(0.2)
        for _ in range(5):
            assert service.get("/healthz").status == 200
        assert len(under_way) == 1
        is_over.set()
        assert [item.result().status for item in sent] == [200] * 4
    assert len(under_way) == 4


@pytest.mark.parametrize("path", [EVENTS, "/v1/traces", "/v1/logs", "/api/v1/keys"])
def test_who_leaves_in_mid_body_is_no_error(
    tmp_path: Path,
    path: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served(tmp_path) as service:
        kind = NDJSON if path == EVENTS else {"Content-Type": "application/json"}
        line = begin(service.url, 100_000, b"x" * 50_000, kind, path)
        wait_until(lambda: service.state.bodies.held_bytes == 50_000)
        line.close()
        wait_until(lambda: service.state.bodies.held_bytes == 0)
        assert service.get("/healthz").status == 200
    gc.collect()  # a task whose failure nobody has seen says so when it goes
    assert (capfd.readouterr().err, caplog.messages) == ("", [])


@pytest.mark.parametrize("path", ["/api/v1/prompt-export", "/api/v1/manifest/events"])
def test_who_leaves_in_mid_answer_is_no_error(
    tmp_path: Path,
    path: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served_prompts(tmp_path) as service:
        large = version_of(f"user:\n{'x' * 3_000_000}\n", "large")
        service.in_store(lambda store: store.add_version(large))
        place = urlsplit(service.url)
        for read_bytes in (0, 1, 1_000):
            line = socket.create_connection((place.hostname or "", place.port or 0), timeout=10)
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            if read_bytes:
                line.recv(read_bytes)
            time.sleep(0.05)
            line.close()
        wait_until(lambda: service.state.counts.open_streams == 0)
        wait_until(lambda: service.state.manifest.n_waiting == 0)
        assert service.get("/healthz").status == 200
    gc.collect()  # a task whose failure nobody has seen says so when it goes
    assert (capfd.readouterr().err, caplog.messages) == ("", [])


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
