"""What there is of a prompt: versions, scores by eval set, rollouts, lineage, differences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptyard.protocols import Store
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan
from promptyard.registry.versions import promote
from promptyard.testing.store_suite import sample_eval_set, sample_measurement
from support.registered import version_of, with_store
from support.shell import Run


async def filled(store: Store) -> None:
    """Two versions, measured on two versions of the eval set, the second rolling out."""
    first, second = (
        await store.add_version(
            version_of("user:\nA {{x}}").model_copy(update={"scores": {"holdout": 0.5}})
        ),
        await store.add_version(
            version_of("---\nparams: {temperature: 1}\n---\nuser:\nB {{x}}\n", parent=1).model_copy(
                update={"hypothesis": "say it shorter", "run_id": "run-7"}
            )
        ),
    )
    await store.save_eval_set(sample_eval_set("aaaaaaaaaa", name="p"))
    await store.save_eval_set(sample_eval_set("bbbbbbbbbb", name="p"), parent="aaaaaaaaaa")
    for version, eval_set, score in (
        (first, "aaaaaaaaaa", 0.25),
        (first, "bbbbbbbbbb", 0.5),
        (second, "bbbbbbbbbb", 0.75),
    ):
        await store.save_measurement(
            sample_measurement(
                task="p",
                program_id=version.digest,
                eval_set_version=eval_set,
                score=score,
                run_id=f"run-{score}",
                buckets={"wrong_value": 3},
            )
        )
    await promote(store, "p", 1, actor="ann", reason="first")
    started = Rollout(
        id="r1",
        prompt="p",
        pointer="production",
        control=1,
        treatment=2,
        control_digest=first.digest,
        treatment_digest=second.digest,
        plan=RolloutPlan(),
        started_at="2026-01-01",
        started_by="ann",
    )
    await store.start_rollout(
        started,
        Decision(
            rollout_id="r1",
            seq=1,
            at="2026-01-01",
            actor="ann",
            action="start",
            state="running",
            step=0,
            enrolled=0.02,
            step_at="2026-01-01",
            sentence="Started at 2 %.",
        ),
    )


@pytest.fixture(autouse=True)
def _store(tmp_path: Path) -> None:
    (tmp_path / ".promptyard").mkdir()
    with_store(filled, str(tmp_path / ".promptyard" / "store.db"), texts=())


def test_the_log_has_the_scores_of_each_version_on_each_eval_set_version(run: Run) -> None:
    log = json.loads(run("prompts", "log", "p", "--json").out)
    assert [(s["number"], s["eval_set_number"], s["score"]) for s in log["scores"]] == [
        (1, 1, 0.25),
        (1, 2, 0.5),
        (2, 2, 0.75),
    ]
    assert "program" not in log["versions"][0]
    drawn = run("prompts", "log", "p").out
    for words in ("@2 bbbbbbbb", "wrong_value 3", "75.0 %", "r1", "v1 → v2", "Started at 2 %."):
        assert words in drawn


def test_the_list_says_where_pointers_are_and_what_moved_last(run: Run) -> None:
    run("prompts", "protect", "p", "production")
    drawn = " ".join(run("prompts", "list").out.split())
    assert "production v1 (protected)" in drawn
    assert "v2 running 2 %" in drawn
    assert "production – → v1 by ann" in drawn
    (summary,) = json.loads(run("prompts", "list", "--json").out)
    assert summary["pointers"] == {"production": 1}
    assert "Protected: production" in run("prompts", "log", "p").out


def test_the_lineage_of_a_version_goes_back_to_the_first(run: Run) -> None:
    line = json.loads(run("prompts", "lineage", "p", "2", "--json").out)
    assert [(v["number"], v["parent"], v["run_id"]) for v in line] == [
        (2, 1, "run-7"),
        (1, None, None),
    ]
    drawn = " ".join(run("prompts", "lineage", "p").out.split())
    assert "say it shorter" in drawn
    assert "holdout 50.0 %" in drawn


def test_a_diff_names_parameters_and_shows_no_control_character(run: Run, tmp_path: Path) -> None:
    async def add(store: Store) -> None:
        await store.add_version(version_of("user:\nB \x1b[31m{{x}}\n"))

    with_store(add, str(tmp_path / ".promptyard" / "store.db"), texts=())
    shown = run("prompts", "diff", "p", "2", "3").out
    assert "parameter temperature: 1 → –" in shown
    assert "\x1b" not in shown
    assert "<U+001B>" in shown
    data = json.loads(run("prompts", "diff", "p", "1", "2", "--json").out)
    assert data["changes"][0]["name"] == "temperature"
    assert "the two versions are equal" in run("prompts", "diff", "p", "1", "production").out
