"""A rollback is in every connected client within one poll interval, with everything else down."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from promptyard.client import Promptyard
from promptyard.line.rollout_engine import Ticked
from promptyard.line.rollout_watch import watch
from promptyard.line.rollouts import By, roll_back_rollout, start_rollout
from promptyard.line.ship import promote_version, protect_pointer, roll_back
from promptyard.records.rollouts import LiveBaseline, Rollout, RolloutPlan
from support.live_traffic import WORSE, served
from support.released import manifest_path, published, run, url
from support.spool import write_segment

__all__ = ["url"]

POLL_S = 0.2
SLACK_S = 0.4
"""What a loaded machine may take to wake a thread and read a file."""

SUBJECTS = [f"user-{number}" for number in range(40)]
BASELINE = LiveBaseline(n_outcomes=200, latency_p95_s=2.0, cost_p999_usd=1.0)
EVERYBODY = RolloutPlan(steps=(100.0,), min_step_s=0.0, outcome_window_s=1e-3, baseline=BASELINE)


@pytest.fixture
def rollout(url: str) -> Rollout:
    """Version 2 beside 1 for everybody."""
    by = By("ann")
    work = start_rollout(url, "p", "v2", pointer="production", plan=EVERYBODY, by=by)
    return run(work).rollout


@pytest.fixture
def client(url: str, rollout: Rollout) -> Generator[Promptyard]:
    """A connected client of which about half of the subjects get version 2."""
    del rollout
    with Promptyard(manifest_path(url), poll_s=POLL_S) as connected:
        assert versions(connected) == {1, 2}
        yield connected


@pytest.fixture(autouse=True)
def everything_else_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is configured, and what an address could be inherited from answers nobody."""
    for name in ("TASK", "OPTIMIZER", "JUDGE"):
        monkeypatch.delenv(f"PROMPTYARD_{name}_MODEL", raising=False)
    monkeypatch.setenv("PROMPTYARD_BASE_URL", "http://127.0.0.1:9/v1")


def versions(client: Promptyard) -> set[int]:
    return {client.prompt("p", subject=subject).version for subject in SUBJECTS}


def seconds_until(client: Promptyard, wanted: set[int], since_s: float) -> float:
    while versions(client) != wanted:
        assert time.monotonic() - since_s < 10 * POLL_S + SLACK_S, "it never reached the client"
        time.sleep(0.005)
    return time.monotonic() - since_s


def test_a_rollback_by_one_command_is_in_a_client_within_a_poll(
    url: str, client: Promptyard
) -> None:
    ended = run(roll_back_rollout(url, "p", pointer=None, by=By("bob")))
    since_s = time.monotonic()
    assert not ended.publication.errors
    assert seconds_until(client, {1}, since_s) < POLL_S + SLACK_S


def test_a_rollback_of_a_protected_pointer_after_promotion_is_in_a_client_within_a_poll(
    url: str, tmp_path: Path
) -> None:
    run(promote_version(url, "p", "v2", pointer="production", actor="ann", reason=""))
    run(protect_pointer(url, "p", "production", actor="ann", reason=""))
    with Promptyard(manifest_path(url), poll_s=POLL_S, snapshot=tmp_path / "snapshot") as client:
        assert versions(client) == {2}
        run(roll_back(url, "p", actor="ann", reason="it fails"))
        since_s = time.monotonic()
        assert seconds_until(client, {1}, since_s) < POLL_S + SLACK_S


def test_an_automatic_rollback_is_in_a_client_within_a_poll(
    url: str, client: Promptyard, rollout: Rollout, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    write_segment(spool, "1", served(rollout, 600, WORSE))
    published_s: list[float] = []

    def on_tick(ticked: Ticked) -> None:
        del ticked
        published_s.append(time.monotonic())

    last = run(watch(url, "p", spool=spool, every_s=0.05, on_tick=on_tick))
    assert last.looks[0].record.last.state == "rolled_back"
    assert seconds_until(client, {1}, published_s[-1]) < POLL_S + SLACK_S


def test_a_rollback_is_in_the_clients_of_other_processes_within_a_poll(
    url: str, rollout: Rollout
) -> None:
    del rollout
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", _CLIENT, str(manifest_path(url)), str(POLL_S)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().split()[1:] == ["1", "2"]
            run(roll_back_rollout(url, "p", pointer=None, by=By("bob")))
            since_s = time.time()
            while True:
                at_s, *found = process.stdout.readline().split()
                if found == ["1"]:
                    break
                assert float(at_s) - since_s < 10 * POLL_S + SLACK_S
            assert float(at_s) - since_s < POLL_S + SLACK_S
        finally:
            process.kill()


def test_a_rollback_needs_no_place_to_publish_to(
    url: str, rollout: Rollout, tmp_path: Path
) -> None:
    """The store has it, and says where the manifest is still to be written."""
    del rollout
    place = manifest_path(url)
    place.unlink()
    place.mkdir()
    ended = run(roll_back_rollout(url, "p", pointer=None, by=By("bob")))
    assert ended.decision.state == "rolled_back"
    assert ended.publication.errors
    place.rmdir()
    run(watch(url, "p", every_s=0.05, on_tick=lambda ticked: None))
    assert published(url)["rollouts"] == []


_CLIENT = """
import sys, time
from promptyard.client import Promptyard

with Promptyard(sys.argv[1], poll_s=float(sys.argv[2])) as client:
    while True:
        found = {client.prompt("p", subject=f"user-{n}").version for n in range(40)}
        print(time.time(), *sorted(found), flush=True)
        time.sleep(0.01)
"""
