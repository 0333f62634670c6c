"""What the demo says of its release while it goes on, in a terminal that may be narrow."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from promptyard.cli import demo_release
from promptyard.records.rollouts import Guard, Rollout, RolloutPlan

PLAN = RolloutPlan(steps=(5.0, 100.0), guards=(Guard(dimension="score", margin=0.03),))
ROLLOUT = Rollout(
    id="v2-abc", prompt="p", pointer="production", control=1, treatment=2, control_digest="c",
    treatment_digest="t", plan=PLAN, started_at="2026-01-01T00:00:00+00:00", started_by="demo",
    reason="it won",
)  # fmt: skip


def shown(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    out = io.StringIO()

    def made(*, stderr: bool) -> Console:
        return Console(file=out, width=width, stderr=stderr)

    monkeypatch.setattr(demo_release, "console", made)
    demo_release.introduce_release(100, PLAN)
    with demo_release.release_sink(quiet=False) as sink:
        sink.start(ROLLOUT)
    return out.getvalue().splitlines()


def test_what_is_guarded_is_said_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    said = " ".join(" ".join(shown(110, monkeypatch)).split())
    assert "what may be lost: score (3.0 points)" in said
    assert "Latency and cost are not: the embedded model costs nothing" in said


@pytest.mark.parametrize(("width", "has_bounds"), [(110, True), (80, True), (60, False)])
def test_the_rows_of_decisions_fit(
    width: int, has_bounds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(width, monkeypatch)
    head = next(line for line in lines if "share" in line)
    assert ("bounds" in head) is has_bounds
    assert head.endswith("decision")
    assert lines[-1].endswith("starts at 5 %")
