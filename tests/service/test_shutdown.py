"""The end of a process under load: what was acknowledged is stored, and everybody is told."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import signal
import threading
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from promptyard.records.live import Outcome
from support.replicas import replicas
from support.stores import on_store

N_ACKNOWLEDGED = 50


class Load:
    """Senders that report outcomes one by one, and a listener of the manifest, until they fail."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.stream_ended = False
        self._place = urlsplit(url)
        self._numbers = itertools.count()
        targets = [self._listen, *[self._send] * 4]
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have found that nobody answers any more."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _send(self) -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        with self._connection() as connection:
            while True:
                name = f"o{next(self._numbers)}"
                outcome = Outcome(id=name, prompt="p", version=1, digest="d", at="")
                body = outcome.model_dump_json()
                connection.request("POST", "/api/v1/events", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged.append(name)

    def _listen(self) -> None:
        with self._connection() as connection:
            connection.request("GET", "/api/v1/manifest/events")
            with connection.getresponse() as stream:
                while stream.read(1):
                    pass
            self.stream_ended = True

    @contextlib.contextmanager
    def _connection(self) -> Generator[http.client.HTTPConnection]:
        """Give a connection; whatever happens to it ends the block."""
        place = self._place
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        try:
            with contextlib.suppress(OSError, http.client.HTTPException):
                yield connection
        finally:
            connection.close()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_what_was_acknowledged_is_stored(tmp_path: Path, number: signal.Signals, code: int) -> None:
    url = str(tmp_path / "store.db")
    limits = "requests_per_s: 100000, burst: 100000, canary_every_s: 0.05, lease_s: 2"
    with replicas(tmp_path, url, 1, limits) as (replica,):
        load = Load(replica.url)
        while len(load.acknowledged) < N_ACKNOWLEDGED:
            time.sleep(0.01)
        ended_with, said, took_s = replica.end(number)
        load.join()
    assert (ended_with, said) == (code, "")
    assert took_s < 5
    stored = on_store(url, lambda store: store.live_events("p", limit=100_000))
    assert set(load.acknowledged) <= {item.event.id for item in stored}
    if number != signal.SIGKILL:
        assert load.stream_ended
        leases = on_store(url, lambda store: store.leases())
        assert leases
        assert all(lease.ends_in_s <= 0 for lease in leases)
