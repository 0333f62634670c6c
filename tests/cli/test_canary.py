"""The commands of `promptyard canary`: what they print, write and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptyard.line.rollout_finding import show_rollout
from promptyard.line.sync import run_sync
from promptyard.records.live import Feedback
from promptyard.records.rollouts import RolloutRecord
from support.live_traffic import SAME, WORSE, served
from support.released import url
from support.shell import Run
from support.spool import write_segment
from support.stores import on_store

__all__ = ["url"]

QUICK = (
    "--steps",
    "50,100",
    "--min-step",
    "0s",
    "--outcome-window",
    "0.001s",
    "--min-subjects",
    50,
)


@pytest.fixture
def canary(run: Run, url: str) -> Any:
    """Run `promptyard canary` on the store."""

    def call(*arguments: object) -> Any:
        return run("canary", *arguments, "--store", url)

    return call


def record(url: str) -> RolloutRecord:
    return run_sync(show_rollout(url, "p", last_only=False))


def traffic(url: str, spool: Path, n: int, good: dict[str, float]) -> None:
    segments = len(list(spool.glob("*"))) if spool.exists() else 0
    events = served(record(url).rollout, n, good)
    write_segment(spool, f"{record(url).last.seq:06}-{segments}", events)


def test_a_rollout_is_started_watched_promoted_and_replayed(
    canary: Any, url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    started = canary("start", "p", "--version", "v2", *QUICK, "--as", "ann", "-m", "try it")
    assert started.code == 0
    assert "Started at 50 %" in started.out
    assert "canary watch p" in started.out
    assert canary("status", "p", "--exit-code").code == 3
    found = canary("tick", "p", "--spool", spool, "--exit-code")
    for _ in range(20):
        traffic(url, spool, 800, SAME)
        found = canary("tick", "p", "--spool", spool, "--exit-code")
        if found.code != 3:
            break
    assert found.code == 0
    assert "promote. Promoted v2" in found.out
    assert record(url).last.state == "promoted"
    status = canary("status", "p", "--exit-code", "--html", tmp_path / "page.html")
    assert status.code == 0
    assert "was promoted by canary" in status.out
    assert "harm is to the right" in status.out
    assert "It was promoted" in (tmp_path / "page.html").read_text()
    replayed = canary("replay", "p")
    assert (replayed.code, "0 otherwise" in replayed.out) == (0, True)
    listed = canary("list")
    assert "v2 / v1" in listed.out
    assert "  all  " in listed.out
    assert "All traffic of production has v2 since." in status.out
    back = canary("rollback", "p", "--as", "bob", "-m", "too terse")
    assert "production moved from v2 back to v1" in back.out
    told = canary("status", "p", "--json")
    assert "bob moved production back from v2 to v1: too terse." in json.loads(told.out)["sentence"]
    assert json.loads(told.out)["left"]["to_number"] == 1
    assert "promoted, taken back" in canary("list").out


def test_a_worse_version_ends_with_one(canary: Any, url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    canary("start", "p", "--version", "v2", *QUICK)
    traffic(url, spool, 1_500, WORSE)
    watched = canary("watch", "p", "--spool", spool, "--every", "0.01", "--exit-code")
    assert watched.code == 1
    assert "Rolled back v2: score" in watched.out
    ended = json.loads(canary("status", "p", "--json").out)
    assert ended["last"]["state"] == "rolled_back"
    assert canary("tick", "p", "--exit-code").code == 1
    assert canary("tick", "p").code == 0


def test_a_decision_that_does_not_come_out_again_ends_a_replay_with_one(
    canary: Any, url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    canary("start", "p", "--version", "v2", *QUICK)
    traffic(url, spool, 400, SAME)
    canary("tick", "--spool", spool)
    last = record(url).last
    forged = last.model_copy(update={"seq": last.seq + 1, "action": "hold", "n_at_step": 7})
    on_store(url, lambda store: store.decide(forged))
    replayed = canary("replay", "p")
    assert replayed.code == 1
    assert f"  {forged.seq}: stored hold" in replayed.out
    data = json.loads(canary("replay", "p", "--json").out)
    assert data["equal"] is False
    assert data["different"][0]["seq"] == forged.seq


def test_a_protected_pointer_asks_for_a_second_name(canary: Any, run: Run, url: str) -> None:
    run("prompts", "protect", "p", "production", "--as", "ann", "--store", url)
    started = canary("start", "p", "--version", "v2", "--as", "ann")
    assert "somebody else runs `promptyard canary approve p`" in started.out
    own = canary("approve", "p", "--as", "ann")
    assert (own.code, "somebody else must approve" in own.err) == (2, True)
    assert canary("approve", "p", "--as", "bob").code == 0
    assert "Without data" not in canary("status", "p").out


def test_a_rollout_is_paused_resumed_and_aborted_by_people(canary: Any, url: str) -> None:
    canary("start", "p", "--version", "v2")
    assert "paused" in canary("pause", "p", "--as", "bob", "-m", "a bad day").out
    assert "a bad day" in record(url).last.sentence
    assert "running" in canary("resume", "p", "--as", "bob").out
    data = json.loads(canary("abort", "p", "--as", "bob", "--json").out)
    assert data["decision"]["state"] == "aborted"
    assert canary("abort", "p").code == 2


def test_a_rollback_of_the_pointer_says_that_it_ended_the_rollout(
    canary: Any, run: Run, url: str
) -> None:
    canary("start", "p", "--version", "v2")
    said = run("prompts", "rollback", "p", "--store", url)
    assert said.code == 0
    assert "ended, rolled back" in said.out
    assert "is at v1 already" in said.out
    assert record(url).last.state == "rolled_back"


def test_a_plan_says_how_many_subjects_and_days(canary: Any) -> None:
    planned = canary("plan", "p", "--traffic", "5000/day")
    assert planned.code == 0
    assert "subjects an arm are needed" in planned.out
    data = json.loads(canary("plan", "p", "--traffic", "50/hour", "--json").out)
    assert data["subjects"] > 1_000
    assert data["days"] > 1
    assert {item["dimension"] for item in data["guards"]} >= {"score", "cost", "latency"}
    wider = json.loads(canary("plan", "p", "--guard", "score=0.1", "--json").out)
    assert wider["subjects"] < data["subjects"]


def test_the_plan_comes_from_the_task_and_from_what_is_said(
    canary: Any, url: str, tmp_path: Path
) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "prompt.md").write_text("user:\n{{x}}\n")
    (task / "cases.jsonl").write_text('{"input": {"x": "a"}, "expected": "a"}\n')
    (task / "task.yaml").write_text(
        "prompt: prompt.md\ncases: cases.jsonl\nchecks: [exact_match]\n"
        "release: {steps: [5, 60], guard: [{score: 0.1}], min_subjects: 30}\n"
    )
    canary("start", "p", "--version", "v2", "--task", task, "--min-subjects", 40, "--max-age", "2d")
    plan = record(url).rollout.plan
    assert (plan.steps, plan.min_subjects, plan.max_age_s) == ((5.0, 60.0), 40, 2 * 86400.0)
    assert [(guard.dimension, guard.margin) for guard in plan.guards] == [("score", 0.1)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "p", "--version", "v9"), "no version 9"),
        (("start", "q"), "no prompt 'q'"),
        (("start", "p", "--version", "v1"), "at v1 already"),
        (("start", "p", "--steps", "50,10"), "--steps 50,10: expected percent above 0 and up to"),
        (("start", "p", "--steps", "half"), "--steps half: expected percent above 0 and up to 100"),
        (("start", "p", "--steps", "0,50"), "--steps 0,50: expected percent above 0"),
        (("start", "p", "--steps", "5,101"), "--steps 5,101: expected percent above 0 and up to"),
        (("start", "p", "--steps", "nan"), "--steps nan: expected percent"),
        (
            ("start", "p", "--guard", "score=no"),
            "--guard score=no: the margin of score is a number above 0, got 'no'",
        ),
        (("start", "p", "--guard", "score=3"), "--guard score=3: the margin of score is a part of"),
        (("start", "p", "--guard", "=0.1"), "--guard =0.1: name what is guarded"),
        (("start", "p", "--guard", "scor=0.1"), "did you mean 'score'?"),
        (("start", "p", "--guard", "unscored:score=0.1"), "stands beside its guard by itself"),
        (
            ("start", "p", "--guard", "score", "--guard", "score=0.1"),
            "--guard score=0.1: score is guarded twice",
        ),
        (("start", "p", "--alpha", "0.5"), "--alpha 0.5: expected a chance above 0 and below 0.5"),
        (("start", "p", "--alpha", "much"), "--alpha much: expected a number"),
        (("start", "p", "--min-subjects", "1"), "--min-subjects 1: expected 2 or more"),
        (("start", "p", "--min-subjects", "1.5"), "--min-subjects 1.5: expected a whole number"),
        (("start", "p", "--max-age", "soon"), "--max-age soon: expected a time above 0 and up to"),
        (("start", "p", "--max-age", "0s"), "--max-age 0s: expected a time above 0 and up to"),
        (("start", "p", "--max-age", "9999d"), "--max-age 9999d: expected a time above 0"),
        (("start", "p", "--min-step", "1w"), "--min-step 1w: expected a time from 0 and up to"),
        (("start", "p", "--outcome-window", "0"), "--outcome-window 0: expected a time above 0"),
        (("start", "p", "--mode", "mirror"), "--mode: 'mirror' is not one of 'split', 'shadow'"),
        (("plan", "p", "--traffic", "lots"), "--traffic lots: expected new subjects above 0"),
        (("plan", "p", "--score", "1.5"), "--score 1.5: expected 1 or less"),
        (("plan", "p", "--correlation", "1.5"), "--correlation 1.5: expected -1 or more and below"),
        (("status", "p"), "no rollout yet"),
        (("status", "v9-nothing"), "There is no rollout 'v9-nothing'"),
        (("approve", "p"), "no rollout yet"),
        (("replay", "p"), "no rollout yet"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    canary: Any, arguments: tuple[str, ...], said: str
) -> None:
    found = canary(*arguments)
    assert found.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1
    assert "Input should" not in found.err


def test_a_store_whose_version_was_changed_ends_a_tick_with_an_error(canary: Any, url: str) -> None:
    from support.registered import tamper

    canary("start", "p", "--version", "v2")
    tamper(Path(url), 2, "user:", "user: Obey.")
    found = canary("tick", "p")
    assert found.code == 2
    assert "Version 2 of prompt 'p' is not what was registered" in found.err


def test_a_spool_that_fails_ends_a_tick_with_an_error_after_the_looks(
    canary: Any, url: str, tmp_path: Path
) -> None:
    canary("start", "p", "--version", "v2")
    (tmp_path / "spool").write_text("no folder")
    found = canary("tick", "p", "--spool", tmp_path / "spool")
    assert found.code == 2
    assert "the spool" in found.err
    assert record(url).rollout.id in found.out  # it was looked at all the same
    missing = canary("tick", "p", "--spool", tmp_path / "spol")
    assert missing.code == 2
    assert missing.err.splitlines() == [
        f"error: there is no folder {tmp_path / 'spol'}; name the client's `record_to`"
    ]


def test_feedback_that_joins_no_outcome_is_said_wherever_it_is_missed(
    run: Run, url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    lost = Feedback(id="f1", prompt="p", outcome_id="of-another", at="", scores={"score": 1.0})
    write_segment(spool, f"{1:020}-1", [lost])
    said = "1 feedback joins no outcome, so nothing counts it: it needs the id that `record`"
    collected = run("traces", "collect", spool, "--store", url)
    assert said in " ".join(collected.out.split())
    assert said in " ".join(run("monitor", "look", "p", "--store", url).out.split())
    run("canary", "start", "p", "--version", "v2", "--store", url)
    write_segment(spool, f"{2:020}-1", [lost.model_copy(update={"id": "f2"})])
    ticked = run("canary", "tick", "--spool", spool, "--store", url)
    assert "2 feedbacks join no outcome" in ticked.out


def test_collected_lines_are_counted_and_rejected_ones_named(
    run: Run, url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    write_segment(spool, f"{1:020}-1", [b"{", b'{"kind": "x"}'])
    found = run("traces", "collect", spool, "--store", url)
    assert found.code == 0
    assert "0 events stored" in found.out
    assert "2 lines rejected (no_event 1, no_json 1)" in found.out
    data = json.loads(run("traces", "collect", spool, "--store", url, "--json").out)
    assert (data["n_new"], data["n_rejected"]) == (0, 0)
