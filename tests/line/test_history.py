"""What a run measured is kept by prompt version and eval set version, and can be followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import EvalSetError, InvalidRequest, NotFound
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.history import History, HistoryRow, bucket_names, eval_set_history
from promptyard.line.sync import evaluate, optimize, run_sync
from promptyard.protocols import Store
from promptyard.records.measurements import Measurement
from promptyard.records.versions import PromptVersion
from promptyard.storage import open_store
from promptyard.testing import ScriptedModel
from support.replies import edits_reply

PROMPT = "system:\nSay whether it is spam: yes or no.\n\nuser:\n{{mail}}\n"
BETTER = "Count the exclamation marks first."


def rows(n: int = 12, **changed: Any) -> list[dict[str, Any]]:
    splits = ("train", "dev", "holdout")
    return [
        {
            "id": f"c{number}",
            "input": {"mail": f"mail {number}"},
            "expected": changed.get(f"c{number}", "yes" if number % 2 else "no"),
            "split": splits[number % 3],
        }
        for number in range(n)
    ]


def reply(body: Mapping[str, Any]) -> str:
    """Answer every odd mail rightly; the others only under the better prompt."""
    number = int(str(body["messages"][-1]["content"]).split()[-1])
    right = "yes" if number % 2 else "no"
    return right if number % 2 or BETTER in str(body["messages"][0]) else "yes"


def task(
    cases: list[dict[str, Any]], prompt: str = PROMPT, model: ScriptedModel | None = None
) -> py.Task:
    model = model or ScriptedModel(reply)
    return py.Task(
        name="spam",
        prompt=prompt,
        cases=cases,
        metrics=["exact_match"],
        models=py.Models(task=model, optimizer=model),
    )


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def history(store: str, **options: Any) -> History:
    return run_sync(eval_set_history(store, "spam", **options))


def dev(store: str, **options: Any) -> tuple[HistoryRow, ...]:
    return history(store, **options).rows["dev"]


def test_an_eval_leaves_what_its_report_came_to(store: str) -> None:
    measured = task(rows())
    report = evaluate(measured, store=store)
    (row,) = dev(store)
    found = row.measurement
    assert (found.score, found.coverage, found.n_cases) == (report.score, 1.0, 4)
    assert found.eval_set_version == measured.eval_set.version
    assert (found.program_id, found.purpose) == (measured.program.id, "eval")
    assert found.dimensions["accuracy"] == report.score
    assert found.dimensions["suite.accuracy"] == report.suite["accuracy"]
    assert found.checks == {"exact_match": report.score}
    assert found.buckets == {"wrong_value=no": 2}
    assert (row.version, row.number, row.step) == (None, 1, None)


def test_a_measurement_counts_errors_in_coverage_and_never_as_zero(store: str) -> None:
    def failing(body: Mapping[str, Any]) -> str | Exception:
        if str(body["messages"][-1]["content"]) == "mail 1":
            return InvalidRequest("too long")
        return reply(body)

    evaluate(task(rows(), model=ScriptedModel(failing)), store=store)
    (row,) = dev(store)
    assert (row.measurement.coverage, row.measurement.n_cases) == (0.75, 4)
    assert row.value == pytest.approx(1 / 3)


def test_a_part_of_a_split_is_no_measurement_of_it(store: str) -> None:
    evaluate(task(rows()), store=store)
    plan = EvaluationPlan(only_failing_of="last")
    run_sync(run_evaluation(task(rows()), plan, store=store, on_progress=lambda progress: None))
    assert len(dev(store)) == 1


def test_prompts_are_compared_on_equal_cases(store: str) -> None:
    evaluate(task(rows()), store=store)
    evaluate(task(rows(), PROMPT.replace("Say", f"{BETTER} Say")), store=store)
    first, second = dev(store, bucket="wrong_value=no")
    assert (first.bucket, second.bucket) == (2, 0)
    assert second.step is not None
    assert (second.step.comparable, second.step.difference) == ("yes", 0.5)


def test_versions_that_differ_elsewhere_are_fully_comparable(store: str) -> None:
    evaluate(task(rows()), store=store)
    more = {"id": "t", "input": {"mail": "mail 99"}, "expected": "yes", "split": "train"}
    evaluate(task([*rows(), more]), store=store)
    second = dev(store)[1]
    assert second.number == 2
    assert second.step is not None
    assert (second.step.comparable, second.step.n_shared) == ("yes", 4)


def test_across_versions_only_shared_cases_are_compared(store: str) -> None:
    evaluate(task(rows()), store=store)
    # c1 gets another gold and c4 leaves: c7 and c10 stay, of which a better prompt mends c10.
    others = [row for row in rows(c1="no") if row["id"] != "c4"]
    evaluate(task(others, PROMPT.replace("Say", f"{BETTER} Say")), store=store)
    second = dev(store)[1]
    assert second.step is not None
    assert (second.step.comparable, second.step.n_shared) == ("partly", 2)
    assert second.step.difference == 0.5
    by_check = dev(store, metric="exact_match")[1].step
    assert by_check is not None
    assert (by_check.comparable, by_check.difference) == ("partly", None)


def test_what_shares_no_case_or_model_is_not_comparable(store: str) -> None:
    evaluate(task(rows()), store=store)
    renamed = [{**row, "id": f"x{row['id']}"} for row in rows()]
    evaluate(task(renamed), store=store)
    other = ScriptedModel(reply, name="scripted/other")
    evaluate(task(renamed, model=other), store=store)
    _, second, third = dev(store)
    for row, reason in ((second, "share no case"), (third, "another model: ")):
        assert row.step is not None
        assert (row.step.comparable, row.step.difference) == ("no", None)
        assert reason in row.step.reason


def test_a_decided_run_measures_baseline_and_finalist_under_their_versions(store: str) -> None:
    line = py.Task(
        name="spam",
        prompt=PROMPT,
        cases=rows(60),
        metrics=["exact_match"],
        models=py.Models(task=ScriptedModel(reply), optimizer=ScriptedModel(propose)),
        generators=["local_edit", "reflect"],
    )
    run = optimize(line, store=store)
    assert run.decision is not None
    assert run.verdict.status == "pass"
    found = history(store).rows
    holdout = [(row.version, row.measurement.purpose, row.value) for row in found["holdout"]]
    assert holdout == [(1, "decide", 0.5), (2, "decide", 1.0)]
    assert [(row.version, row.measurement.purpose) for row in found["dev"]] == [
        (1, "full"),
        (2, "full"),
    ]
    assert found["holdout"][1].measurement.run_id == run.id
    assert [row.value for row in history(store, version=2, split="holdout").rows["holdout"]] == [1]


def propose(body: Mapping[str, Any]) -> str:
    """Add the better sentence to whatever part the meta-prompt shows."""
    assert '<prompt id="' in str(body["messages"][-1]["content"])
    return edits_reply(BETTER)


def test_a_prompt_measured_before_it_was_registered_shows_its_number(store: str) -> None:
    measured = task(rows())
    evaluate(measured, store=store)

    async def register() -> None:
        opened = open_store(store)
        await opened.open()
        await opened.add_version(
            PromptVersion(
                name="spam",
                number=0,
                digest=measured.program.id,
                program=measured.program,
                author="ann",
            )
        )
        await opened.close()

    asyncio.run(register())
    assert [row.version for row in dev(store)] == [1]


def test_rows_whose_reports_are_gone_have_no_difference(store: str) -> None:
    """A measurement outlives its report and its eval set; then it is said, not guessed."""

    async def write(opened: Store) -> None:
        for version, score in (("aaaa1111", 0.25), ("bbbb2222", 0.75)):
            await opened.save_measurement(
                Measurement(
                    task="spam",
                    program_id="p",
                    eval_set_version=version,
                    split="dev",
                    run_id=version,
                    purpose="eval",
                    model="m",
                    n_cases=4,
                    coverage=1.0,
                    score=score,
                )
            )

    async def opened() -> None:
        made = open_store(store)
        await made.open()
        await write(made)
        await made.close()

    asyncio.run(opened())
    step = dev(store)[1].step
    assert step is not None
    assert (step.comparable, step.difference) == ("no", None)
    assert "not in this store" in step.reason


def test_unknown_names_are_refused_with_the_nearest(store: str) -> None:
    evaluate(task(rows()), store=store)
    for options, message in (
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"bucket": "wrong_value=yes"}, "did you mean 'wrong_value=no'"),
        ({"version": 3}, "version 3 was not measured; measured: no registered version"),
    ):
        with pytest.raises(NotFound, match=message):
            history(store, **options)
    with pytest.raises(EvalSetError, match="there is no split 'def'"):
        history(store, split="def")
    with pytest.raises(NotFound, match="nothing was measured of 'other'"):
        run_sync(eval_set_history(store, "other"))


def test_buckets_are_named_largest_first(store: str) -> None:
    evaluate(task(rows(24, c1="no", c7="no", c13="no")), store=store)
    evaluate(task(rows(24)), store=store)
    assert bucket_names(dev(store)) == ("wrong_value=no",)
    assert [row.measurement.buckets for row in dev(store)] == [
        {"wrong_value=no": 7},
        {"wrong_value=no": 4},
    ]
