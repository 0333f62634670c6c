"""Clients get the manifest with little work, and hear at once that there is another one."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptyard.client.contents import contents_of_bytes
from promptyard.line.ship import roll_back
from promptyard.protocols import Store
from support.pointers import NAME, point, register
from support.registered import version_of
from support.served import Service, served
from support.stores import on_store
from support.streams import Sent, stream

PATH = "/api/v1/manifest"
EVENTS = f"{PATH}/events"


def at(service: Service) -> int:
    """Where production is, as a client reads it."""
    answer = service.get(PATH)
    assert answer.status == 200, answer.json
    return contents_of_bytes(answer.body).prompts[NAME].pointers["production"]


def wait_for(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.01)


def test_a_client_reads_it_and_need_not_read_it_twice(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        assert contents_of_bytes(service.get(PATH).body).prompts == {}  # an empty store
        service.in_store(register)
        wait_for(lambda: NAME in contents_of_bytes(service.get(PATH).body).prompts)
        first = service.get(PATH)
        assert first.headers["cache-control"] == "no-cache"
        assert first.headers["content-type"] == "application/json"
        etag = first.headers["etag"]
        for named in (etag, f'"x", {etag}', etag.removeprefix("W/"), "*"):
            again = service.get(PATH, headers={"If-None-Match": named})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
        assert service.get(PATH, headers={"If-None-Match": 'W/"other"'}).status == 200
        service.in_store(lambda store: point(store, 2))
        wait_for(lambda: at(service) == 2)
        assert service.get(PATH, headers={"If-None-Match": etag}).status == 200


def test_it_is_sent_compressed_to_who_takes_that(tmp_path: Path) -> None:
    async def register_large(store: Store) -> None:
        await register(store)
        await store.add_version(version_of("user:\n" + "Be kind. " * 200, name=NAME))
        await point(store, 4)

    on_store(str(tmp_path / "service.db"), register_large)
    with served(tmp_path) as service:
        plain = service.get(PATH)
        assert "content-encoding" not in plain.headers
        for accepts in ("gzip", "br, GZIP;q=0.5", "*"):
            sent = service.get(PATH, headers={"Accept-Encoding": accepts})
            assert sent.headers["content-encoding"] == "gzip"
            assert sent.headers["vary"] == "Accept-Encoding"
            assert gzip.decompress(sent.body) == plain.body
            assert len(sent.body) < len(plain.body)
        for accepts in ("gzip;q=0", "br", "gzip;q=0, *;q=0"):
            sent = service.get(PATH, headers={"Accept-Encoding": accepts})
            assert sent.body == plain.body


def test_replicas_and_restarts_name_the_same_manifest_alike(tmp_path: Path) -> None:
    on_store(str(tmp_path / "service.db"), register)
    etags: set[str] = set()
    for _ in range(2):
        with served(tmp_path) as service, served(str(tmp_path / "service.db")) as other:
            etags |= {one.get(PATH).headers["etag"] for one in (service, other)}
    assert len(etags) == 1


def test_what_clients_would_refuse_is_not_served_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service, caplog.at_level(logging.ERROR, "promptyard.service"):
        assert at(service) == 1
        # The limit is 16 MiB, which are many prompts; here it is less than one of them takes.
        monkeypatch.setattr("promptyard.line.publish.MAX_BYTES", 100)
        service.in_store(lambda store: point(store, 2))
        wait_for(lambda: "could not be renewed" in service.get("/readyz").json["status"])
        assert at(service) == 1
        assert "clients would refuse the manifest: more than 100 bytes" in caplog.text
        with served(tmp_path) as fresh:  # it has no last good one
            refused = fresh.get(PATH)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert "would refuse" in refused.json["detail"]
        monkeypatch.undo()
        service.in_store(lambda store: point(store, 3))
        wait_for(lambda: at(service) == 3)
        assert service.get("/readyz").json == {"status": "ready"}


def test_a_stream_says_what_there_is_and_then_each_change(tmp_path: Path) -> None:
    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service, stream(service, EVENTS) as events:
        assert next(events).name == ""
        first = next(events)
        assert first.name == "manifest"
        assert first.data["etag"] == service.get(PATH).headers["etag"]
        for number in (2, 3, 1):
            service.in_store(lambda store, number=number: point(store, number))
            moved_s = time.monotonic()
            event = next(events)
            assert time.monotonic() - moved_s < 2.0  # half a second, and a busy machine
            assert event.data["revision"] > first.data["revision"]
            assert event.data["etag"] == service.get(PATH).headers["etag"]
            assert at(service) == number


def test_every_listener_hears_of_a_rollback_of_another_process(tmp_path: Path) -> None:
    address = str(tmp_path / "service.db")
    on_store(address, register)
    on_store(address, lambda store: point(store, 2))
    heard: list[Sent] = []
    with served(tmp_path) as service:
        assert at(service) == 2  # it is built, so that nobody waits for the first one

        def listen() -> None:
            with stream(service, EVENTS) as events:
                heard.extend([next(events) for _ in range(3)])

        listeners = [threading.Thread(target=listen) for _ in range(8)]
        for listener in listeners:
            listener.start()
        wait_for(lambda: len(heard) == 0 and service.state.manifest.n_waiting == 8)
        on_store(address, lambda store: roll_back(store, NAME, actor="ann", reason="bad"))
        for listener in listeners:
            listener.join(10)
        assert at(service) == 1
    assert len([sent for sent in heard if sent.name == "manifest"]) == 16
    assert len({sent.data["etag"] for sent in heard if sent.name == "manifest"}) == 2


def test_a_silent_stream_is_kept_up_and_ends_with_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.service.routes.manifest.HEARTBEAT_S", 0.05)
    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service:
        assert at(service) == 1  # it is built, so that no heartbeat comes before it
        check_a_silent_stream(service, monkeypatch)


def check_a_silent_stream(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with stream(service, EVENTS) as events:
        names = [next(events).name for _ in range(5)]
        assert names == ["", "manifest", "", "", ""]
        monkeypatch.setattr("promptyard.service.routes.manifest.HEARTBEAT_S", 60.0)
        service.state.stopping.set()
        began_s = time.monotonic()
        assert {sent.name for sent in events} <= {""}
        assert time.monotonic() - began_s < 2.0


def test_a_stream_ends_so_that_its_key_is_looked_at_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.service.routes.manifest.STREAM_S", 0.01)
    monkeypatch.setattr("promptyard.service.routes.manifest.HEARTBEAT_S", 0.05)
    with served(tmp_path) as service, stream(service, EVENTS) as events:
        assert len(list(events)) <= 3


def test_only_who_may_read_gets_it(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        reader, reporter = service.new_key("read"), service.new_key("report", name="app")
        for path in (PATH, EVENTS):
            assert service.get(path).status == 401
            assert service.get(path, key=reporter).status == 403
        assert service.get(PATH, key=reader).status == 200


def test_a_store_that_fails_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptyard.errors import StorageError

    monkeypatch.setattr("promptyard.service.manifest.RETRY_S", 0.05)
    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service:
        assert at(service) == 1

        async def failing(*_: object) -> object:
            raise StorageError("the disk is gone")

        monkeypatch.setattr("promptyard.service.manifest.manifest_bytes", failing)
        service.in_store(lambda store: point(store, 2))
        wait_for(lambda: bool(service.state.manifest.trouble))
        assert at(service) == 1
        monkeypatch.undo()
        wait_for(lambda: at(service) == 2)
