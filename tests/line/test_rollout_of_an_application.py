"""The whole way: an application in a process of its own, its spool, ticks, the end, a replay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptyard.client import Promptyard
from promptyard.line.rollout_engine import Looked, replay_rollout
from promptyard.line.rollout_watch import tick
from promptyard.line.rollouts import By, start_rollout
from promptyard.records.rollouts import Guard, RolloutMode, RolloutPlan
from support.released import manifest_path, published, run, url
from support.stores import on_store

__all__ = ["url"]

PLAN = RolloutPlan(
    steps=(30.0, 100.0),
    min_subjects=50,
    min_step_s=0.0,
    outcome_window_s=0.01,
    baseline_outcomes=50,
    guards=(
        Guard(dimension="score", margin=0.1),
        Guard(dimension="hard_failures", margin=0.05),
        Guard(dimension="latency", margin=0.1),
        Guard(dimension="cost", margin=0.3),
    ),
)


def start(url: str, mode: RolloutMode) -> None:
    plan = PLAN.model_copy(update={"mode": mode})
    run(start_rollout(url, "p", "v2", pointer="production", plan=plan, by=By("ann")))


def serve(url: str, spool: Path, first: int, n: int, quality: float) -> None:
    """Run an application in another process for `n` new subjects; v2 is right that often.

    Arms differ from run to run. So that the end does not, v2 is better than v1 or worse in all that
    is guarded: of two equal versions 1 in 100 is rolled back by chance.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [str(manifest_path(url)), str(spool), str(first), str(n), str(quality)]
    subprocess.run(
        [sys.executable, "-c", _APPLICATION, *arguments], check=True, env=environment, timeout=60
    )


def until_the_end(url: str, spool: Path, quality: float) -> Looked:
    looks: list[Looked] = []
    while not looks or looks[-1].record.is_active:
        assert len(looks) < 12, "it does not end"
        serve(url, spool, 1_500 * len(looks), 1_500, quality)
        looks += run(tick(url, "p", spool=spool)).looks
    return looks[-1]


@pytest.mark.parametrize("mode", ["split", "shadow"])
@pytest.mark.parametrize(("quality", "state"), [(0.9, "promoted"), (0.5, "rolled_back")])
def test_an_application_and_its_rollout_end_as_the_quality_says(
    url: str, tmp_path: Path, mode: RolloutMode, quality: float, state: str
) -> None:
    spool = tmp_path / "spool"
    start(url, mode)
    looked = until_the_end(url, spool, quality)
    assert looked.record.last.state == state
    number = 2 if state == "promoted" else 1
    assert published(url)["pointers"] == {"production": number}
    with Promptyard(manifest_path(url)) as client:
        assert client.prompt("p", subject="user-1").version == number
    record, replayed = run(replay_rollout(url, "p"))
    assert all(item.equal for item in replayed), [item.differences for item in replayed]
    events = on_store(url, lambda store: store.live_events("p", limit=100_000))
    assert len({item.event.id for item in events}) == len(events)
    assert record.last.rejected == 0
    assert not list(spool.glob("rejected/*"))


_APPLICATION = """
import random, sys
from promptyard.client import Promptyard

source, spool = sys.argv[1:3]
first, n, quality = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
chance = random.Random(first)

def answer(client, prompt):
    is_new = prompt.version == 2
    right = chance.random() < (quality if is_new else 0.8)
    client.record(
        prompt,
        score=float(right),
        latency_s=chance.lognormvariate(-0.1 if is_new else 0, 0.3),
        cost_usd=0.01 * chance.lognormvariate(-0.1 if is_new else 0, 0.2),
        hard_failure=False,
    )

with Promptyard(source, record_to=spool, queue_size=100_000) as client:
    for number in range(first, first + n):
        prompt = client.prompt("p", subject=f"user-{number}")
        answer(client, prompt)
        if prompt.shadow is not None:
            answer(client, prompt.shadow)
    assert client.flush(timeout_s=30)
"""
