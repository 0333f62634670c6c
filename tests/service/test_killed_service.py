"""`promptyard serve` is killed under load: what it acknowledged is stored, and stored once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from service_load import Served, count_traces, register_prompt
from service_load_client import N_SPANS, Sender, send_again
from support.postgres import postgres_server as postgres_server
from support.postgres import postgres_url as postgres_url

N_SENDERS = 2


@pytest.mark.parametrize(("database", "n_kills"), [("sqlite", 2), ("postgresql", 1)])
def test_nothing_acknowledged_is_lost_and_nothing_counts_twice(
    database: str, n_kills: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = str(tmp_path / "s.db")
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
    register_prompt(url)
    chance = random.Random(7)
    acked: set[str] = set()
    unanswered: set[str] = set()
    for _ in range(n_kills):
        with Served.promptyard(url, tmp_path) as service:
            send_again(service.address, sorted(unanswered))
            acked |= unanswered
            unanswered.clear()
            n_before = len(acked)
            senders = [
                threading.Thread(target=_send, args=(service.address, acked, unanswered))
                for _ in range(N_SENDERS)
            ]
            for sender in senders:
                sender.start()
            while len(acked) < n_before + 4:
                time.sleep(0.005)
            time.sleep(chance.random() / 10)
            os.kill(service.process.pid, signal.SIGKILL)
            for sender in senders:
                sender.join(30)
    with Served.promptyard(url, tmp_path) as service:
        send_again(service.address, sorted(unanswered))
    found = count_traces(url)
    assert acked
    lost = [trace for trace in acked | unanswered if found.get(trace) != (N_SPANS, N_SPANS // 10)]
    assert not lost
    assert not [counts for counts in found.values() if counts != (N_SPANS, N_SPANS // 10)]


def _send(address: str, acked: set[str], unanswered: set[str]) -> None:
    sender = Sender(address, "/v1/traces", {})
    while True:
        trace_id = os.urandom(16)
        try:
            status = sender.send(trace_id)
        except OSError:
            unanswered.add(trace_id.hex())
            return
        assert status == 200
        acked.add(trace_id.hex())
