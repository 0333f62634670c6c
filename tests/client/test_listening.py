"""A connected client serves what is moved at once; without a connection it goes on polling."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from promptyard.client import AsyncPromptyard, Promptyard
from promptyard.line.ship import roll_back
from support.faulty_server import END, FaultyServer, etag_of, faulty_server
from support.manifests import manifest_of
from support.pointers import NAME, point, register
from support.served import served
from support.stores import on_store

OLD = manifest_of(revision=4, pointers={"production": 2})
NEW = manifest_of(revision=5, pointers={"production": 3})


def word(value: Mapping[str, Any]) -> bytes:
    """What a stream says of a manifest."""
    data = json.dumps({"revision": value["revision"], "etag": etag_of(value)})
    return f"event: manifest\nid: 5\ndata: {data}\n\n".encode()


def listening(client: Promptyard) -> dict[str, Any]:
    return client.status()["source"]["listening"]


def streaming(server: FaultyServer) -> queue.SimpleQueue[bytes]:
    server.words = queue.SimpleQueue()
    return server.words


def test_a_rollback_reaches_connected_clients_well_within_a_second(tmp_path: Path) -> None:
    on_store(str(tmp_path / "service.db"), register)
    on_store(str(tmp_path / "service.db"), lambda store: point(store, 2))
    with served(tmp_path) as service:
        key = service.new_key("read")
        clients = [Promptyard(service.url, key=key, poll_s=1000) for _ in range(4)]
        assert {client.prompt(NAME).version for client in clients} == {2}
        wait_for(lambda: service.state.manifest.n_waiting == 4)
        service.in_store(lambda store: roll_back(store, NAME, actor="ann", reason="bad"))
        moved_s = time.monotonic()
        wait_for(lambda: {client.prompt(NAME).version for client in clients} == {1})
        assert time.monotonic() - moved_s < 1.5  # half a second, and a busy machine
        assert {client.prompt(NAME).reason for client in clients} == {"pointer"}
        # An act of the service's own process is not waited for.
        service.in_store(lambda store: point(store, 3))
        service.state.changes.look()
        wait_for(lambda: {client.prompt(NAME).version for client in clients} == {3})
        for client in clients:
            client.close()


def test_the_client_for_event_loops_hears_of_it_too(tmp_path: Path) -> None:
    on_store(str(tmp_path / "service.db"), register)

    async def use(url: str) -> None:
        async with AsyncPromptyard(url, poll_s=1000) as client:
            assert (await client.prompt(NAME)).version == 1
            await asyncio.to_thread(on_store, store, lambda opened: point(opened, 2))
            end_s = time.monotonic() + 10
            while (await client.prompt(NAME)).version != 2:
                assert time.monotonic() < end_s
                await asyncio.sleep(0.01)

    with served(tmp_path) as service:
        store = service.store_url
        asyncio.run(use(service.url))


def test_a_service_that_comes_back_is_listened_to_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.client.listener.FIRST_S", 0.05)
    monkeypatch.setattr("promptyard.client.listener.MOST_S", 0.1)
    with faulty_server(OLD) as server:
        words = streaming(server)
        with Promptyard(server.url, poll_s=1000) as client:
            assert client.prompt(NAME).version == 2
            wait_for(lambda: listening(client)["is_connected"])
            words.put(END)
            wait_for(lambda: listening(client)["n_connections"] == 2)
            server.words = None
            words.put(END)
            wait_for(lambda: "answers 404" in listening(client)["message"])
            assert not listening(client)["is_connected"]
            assert client.prompt(NAME).reason == "pointer"  # that is no trouble of the source
            # What happened meanwhile is heard of when the connection stands again.
            server.value = NEW
            streaming(server).put(word(NEW))
            wait_for(lambda: client.prompt(NAME).version == 3)


def test_a_replica_that_is_behind_is_asked_again() -> None:
    with faulty_server(OLD) as server:
        words = streaming(server)
        with Promptyard(server.url, poll_s=1000) as client:
            assert client.prompt(NAME).version == 2
            words.put(word(NEW))  # one replica says so, another one answers
            wait_for(lambda: server.n_asked >= 3)
            server.value = NEW
            wait_for(lambda: client.prompt(NAME).version == 3)
            n_asked = server.n_asked
            words.put(word(NEW))  # that is known
            wait_for(lambda: listening(client)["n_heard"] == 2)
            time.sleep(0.1)
            assert server.n_asked == n_asked


NOISE = [
    b"event: gossip\ndata: {}\n\n",
    b"data: no event\n\n",
    b": a comment\n\n\n\n",
    b"event: manifest\ndata: [[[[\n\n",
    b"event: manifest\ndata: " + b"[" * 100_000 + b"\n\n",
    b"event: manifest\ndata: 7\n\n",
    b"event:manifest\n\n",
    b"\xff\xfe\x00\n\n",
    b"x" * 200_000 + b"\n\n",
]


def test_noise_in_a_stream_is_passed_over() -> None:
    with faulty_server(OLD) as server:
        words = streaming(server)
        with Promptyard(server.url, poll_s=1000) as client:
            client.prompt(NAME)
            for noise in NOISE:
                words.put(noise)
            server.value = NEW
            words.put(word(NEW).replace(b"\n", b"\r\n"))
            wait_for(lambda: client.prompt(NAME).version == 3)
            assert client.status()["source"]["state"] == "ok"


def test_without_a_stream_the_polls_find_what_is_new() -> None:
    with faulty_server(OLD) as server, Promptyard(server.url, poll_s=0.05) as client:
        assert client.prompt(NAME).version == 2
        server.value = NEW
        wait_for(lambda: client.prompt(NAME).version == 3)
        assert not listening(client)["is_connected"]


def test_the_thread_ends_with_its_client() -> None:
    before = set(threading.enumerate())

    def listeners() -> set[threading.Thread]:
        return {t for t in set(threading.enumerate()) - before if t.name == "promptyard-listen"}

    with faulty_server(OLD) as server:
        words = streaming(server)
        client = Promptyard(server.url, poll_s=1000)
        client.prompt(NAME)
        wait_for(lambda: listening(client)["is_connected"])
        client.close()
        wait_for(lambda: not listeners())
        words.put(END)
        held = [Promptyard(server.url, poll_s=1000)]
        held[0].prompt(NAME)
        wait_for(lambda: listening(held[0])["is_connected"])
        assert listeners()
        held.clear()  # nobody has it any more, and nobody closed it
        gc.collect()
        words.put(b": still here\n\n")
        wait_for(lambda: not listeners())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_listens_by_itself_and_leaves_the_parent_its_connection() -> None:
    with faulty_server(OLD) as server:
        words = streaming(server)
        with Promptyard(server.url, poll_s=1000) as client:
            client.prompt(NAME)
            wait_for(lambda: listening(client)["is_connected"])
            child = os.fork()
            if child == 0:
                try:
                    wait_for(lambda: listening(client)["is_connected"])
                    os._exit(0 if client.prompt(NAME).version == 2 else 1)
                except BaseException:  # noqa: BLE001 - a child must not go on with the tests
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
            server.value = NEW

            def has_heard() -> bool:
                words.put(word(NEW))  # the child's connection, which is gone, may take one
                return client.prompt(NAME).version == 3

            wait_for(has_heard)
            assert listening(client)["n_connections"] == 1


def wait_for(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.005)
