"""What is recorded reaches the service, whatever happens to either of them on the way."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from promptyard.client import AsyncPromptyard, Promptyard
from promptyard.client.backoff import Backoff
from promptyard.errors import ConfigError
from promptyard.records.live import StoredEvent
from support.faulty_server import FaultyServer, faulty_server
from support.manifests import manifest_of, write_manifest
from support.pointers import NAME, register
from support.served import Service, served
from support.spools import event_of, lines_in
from support.stores import on_store

VALUE = manifest_of(revision=4, pointers={"production": 2})


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that tests have the time for."""
    monkeypatch.setattr("promptyard.client.sender.FIRST_S", 0.02)
    monkeypatch.setattr("promptyard.client.sender.MOST_S", 0.05)
    monkeypatch.setattr("promptyard.client.sender.LINGER_S", 0.02)


@pytest.fixture
def server() -> Generator[FaultyServer]:
    with faulty_server(VALUE) as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def stored(service: Service) -> list[StoredEvent]:
    return list(service.in_store(lambda store: store.live_events(NAME, limit=100_000)))


def sending(client: Promptyard) -> dict[str, Any]:
    return client.status()["recording"]["sending"]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_events_reach_the_store_while_the_application_runs(tmp_path: Path, spool: Path) -> None:
    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service:
        key = service.new_key("read", "report")
        with Promptyard(service.url, key=key, record_to=spool) as client:
            ids = [client.record(client.prompt(NAME, subject="ann"), score=1.0) for _ in range(300)]
            client.feedback(ids[0], name=NAME, scores={"helpful": 1.0})
            wait_for(lambda: len(stored(service)) == 301)
            more = [client.record(client.prompt(NAME)) for _ in range(10)]
            wait_for(lambda: len(stored(service)) == 311)
            wait_for(lambda: sending(client)["new"] == 311)  # and none of them twice
            assert {item.event.id for item in stored(service)} > {*ids, *more}
            about = sending(client)
            assert (about["state"], about["repeated"], about["rejected"]) == ("ok", 0, 0)
            assert about["url"] == f"{service.url}/api/v1/events"
        assert files_in(spool) == []  # acknowledged, so there is nothing to keep


def test_the_client_for_event_loops_sends_too(tmp_path: Path, spool: Path) -> None:
    import asyncio

    async def use(url: str) -> None:
        async with AsyncPromptyard(url, record_to=spool) as client:
            await client.record(await client.prompt(NAME))

    on_store(str(tmp_path / "service.db"), register)
    with served(tmp_path) as service:
        asyncio.run(use(service.url))
        assert len(stored(service)) == 1


FAULTS = {
    "error": "server_error",
    "busy": "server_error",
    "unauthorized": "unauthorized",
    "missing": "missing",
    "page": "corrupt",
    "short": "corrupt",
    "odd": "corrupt",
    "nothing": "corrupt",
    "redirected": "redirected",
    "closed": "unreachable",
    "unasked_304": "corrupt",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_acknowledged_is_kept_and_sent_again(
    fault: str, server: FaultyServer, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def soon(self: Backoff, asked_s: float | None = None) -> float:
        return 0.02

    monkeypatch.setattr(Backoff, "next", soon)
    server.post_mode = fault
    with Promptyard(server.url, record_to=spool) as client:
        ids = [client.record(client.prompt("support")) for _ in range(5)]
        assert client.flush()  # that is: on the disk
        wait_for(lambda: sending(client)["faults"] >= 2)
        assert sending(client)["state"] == FAULTS[fault]
        assert sending(client)["message"]
        assert not server.received
        assert client.status()["recording"]["spool"]["segments"] == 1
        server.post_mode = "ok"
        wait_for(lambda: sorted(server.received) == sorted(ids))
        wait_for(lambda: sending(client)["state"] == "ok")
    assert files_in(spool) == []


def test_a_service_that_asks_for_time_gets_it(server: FaultyServer, spool: Path) -> None:
    server.post_mode = "limited"  # Retry-After: 1
    with Promptyard(server.url, record_to=spool) as client:
        client.record(client.prompt("support"))
        wait_for(lambda: len(server.posts) >= 2)
        assert 1.0 <= server.posts[1][0] - server.posts[0][0] < 3.0
        server.post_mode = "ok"


def test_a_body_that_is_too_large_is_sent_in_parts(server: FaultyServer, spool: Path) -> None:
    server.most_body_bytes = 1_500
    noise = os.urandom(4_000).hex()
    with Promptyard(server.url, record_to=spool) as client:
        prompt = client.prompt("support")
        ids = [client.record(prompt, trace_id=f"{number:032x}") for number in range(200)]
        large = client.record(prompt, trace_id=noise)  # one that no part is small enough for
        ids += [client.record(prompt) for _ in range(20)]
        wait_for(lambda: sorted(server.received) == sorted(ids))
        wait_for(lambda: sending(client)["rejected"] == 1)
    (kept,) = (spool / "rejected").iterdir()
    value = json.loads(kept.read_text())
    assert event_of(value["line"]).id == large
    assert "answers 413" in value["reason"]


def test_lines_that_the_service_rejects_are_kept_beside(server: FaultyServer, spool: Path) -> None:
    server.rejects = "bad-trace"
    with Promptyard(server.url, record_to=spool) as client:
        prompt = client.prompt("support")
        good = client.record(prompt)
        bad = client.record(prompt, trace_id="bad-trace")
        wait_for(lambda: server.received == [good] and sending(client)["rejected"] == 1)
        assert "1 lines were rejected" in sending(client)["message"]
    assert files_in(spool) == ["rejected"]
    (kept,) = (spool / "rejected").iterdir()
    assert event_of(json.loads(kept.read_text())["line"]).id == bad


def test_a_service_that_hangs_holds_nobody_up(server: FaultyServer, spool: Path) -> None:
    server.post_mode = "hung"
    client = Promptyard(server.url, record_to=spool)
    prompt = client.prompt("support")
    began_s = time.monotonic()
    for _ in range(1_000):
        client.record(prompt)
    assert client.flush()
    wait_for(lambda: len(server.posts) == 1)
    client.record(prompt)
    assert client.flush()
    assert client.close(timeout_s=0.3)  # all is on the disk
    assert time.monotonic() - began_s < 5.0
    assert len(lines_in(spool)) == 1_001


RECORDING = """
import json, sys, time
from promptyard.client import Promptyard
url, spool, end = sys.argv[1:]
client = Promptyard(url, record_to=spool, fallback=json.loads(sys.stdin.readline()))
prompt = client.prompt("support")
print(json.dumps([client.record(prompt) for _ in range(50)]), flush=True)
if end == "killed":
    assert client.flush()
    print("flushed", flush=True)
    time.sleep(60)
"""


def start(url: str, spool: Path, end: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORDING, url, str(spool), end]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(VALUE) + "\n")
    process.stdin.flush()
    return process


def test_what_was_flushed_before_a_kill_is_sent_by_the_next_process(
    server: FaultyServer, spool: Path
) -> None:
    server.post_mode = "error"
    process = start(server.url, spool, "killed")
    assert process.stdout is not None
    ids = json.loads(process.stdout.readline())
    assert process.stdout.readline() == "flushed\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(files_in(spool)) == 1
    server.post_mode = "ok"
    with Promptyard(server.url, record_to=spool) as client:
        assert client.prompt("support").version == 2  # it records nothing itself
        wait_for(lambda: sorted(server.received) == sorted(ids))
        wait_for(lambda: files_in(spool) == [])


def test_the_end_of_a_process_sends_what_it_has(server: FaultyServer, spool: Path) -> None:
    process = start(server.url, spool, "ended")
    ids = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    assert sorted(server.received) == sorted(ids)
    assert files_in(spool) == []


def test_processes_of_one_folder_send_each_event_once(
    server: FaultyServer, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.client.sender.LOOK_UP_S", 0.05)
    clients = [Promptyard(server.url, record_to=spool) for _ in range(4)]
    ids: list[str] = []

    def use(client: Promptyard) -> None:
        for _ in range(50):
            ids.append(client.record(client.prompt("support")))
            time.sleep(0.001)
        client.close()

    threads = [threading.Thread(target=use, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(server.received) == sorted(ids)
    assert files_in(spool) == []


def test_what_a_forgotten_client_recorded_is_sent(
    server: FaultyServer, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.client.recorder.LOOK_UP_S", 0.05)
    monkeypatch.setattr("promptyard.client.sender.LOOK_UP_S", 0.05)
    before = set(threading.enumerate())
    held = [Promptyard(server.url, record_to=spool)]
    outcome_id = held[0].record(held[0].prompt("support"))
    held.clear()
    gc.collect()
    wait_for(lambda: server.received == [outcome_id] and files_in(spool) == [])

    def senders() -> list[str]:
        names = [thread.name for thread in set(threading.enumerate()) - before]
        return [name for name in names if name in ("promptyard-send", "promptyard-spool")]

    wait_for(lambda: not senders())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_sends_its_own_events(server: FaultyServer, spool: Path) -> None:
    with Promptyard(server.url, record_to=spool) as client:
        client.record(client.prompt("support"))
        wait_for(lambda: len(server.received) == 1)
        child = os.fork()
        if child == 0:
            try:
                client.record(client.prompt("support"))
                client.close()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child must not go on with the tests
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        client.record(client.prompt("support"))
        wait_for(lambda: len(server.received) == 3)
        assert len(set(server.received)) == 3


def test_recording_to_a_service_needs_no_folder_of_ones_own(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Promptyard(server.url, record=True) as client:
        client.record(client.prompt("support"))
        folder = Path(client.status()["recording"]["spool"]["folder"])
        assert folder.parent == tmp_path / "state" / "promptyard"
        wait_for(lambda: len(server.received) == 1)
    with Promptyard(server.url) as client:
        client.record(client.prompt("support"))
        assert client.status()["recording"] is None
    path = tmp_path / "manifest.json"
    write_manifest(path, VALUE)
    for source in (path, f"{server.url}/manifest.json"):
        with pytest.raises(ConfigError, match="record_to"):
            Promptyard(source, record=True)
    with Promptyard(path, record_to=tmp_path / "spool") as client:
        assert client.status()["recording"]["sending"] is None


def wait_for(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.01)
